import { describe, expect, test } from "vitest";
import { SelfsightError, UsageError } from "../../../src/errors.ts";
import { randn, tensor } from "../../../src/torch/ops.ts";
import { AdamW } from "../../../src/torch/optim/adamw.ts";
import { decayGroups } from "../../../src/torch/optim/groups.ts";
import type { Optimizer, ParameterGroup } from "../../../src/torch/optim/optimizer.ts";
import { cosine, steps, warmUp } from "../../../src/torch/optim/schedule.ts";
import { SGD } from "../../../src/torch/optim/sgd.ts";
import { manualSeed } from "../../../src/torch/random.ts";
import { memory, scope } from "../../../src/torch/scope.ts";
import type { Tensor } from "../../../src/torch/tensor.ts";
import { expectNoLeak } from "../../live.ts";

expectNoLeak();

const optimizers: Record<string, (groups: ParameterGroup[]) => Optimizer> = {
  SGD: (groups) => new SGD(groups, { momentum: 0.9, nesterov: true }),
  AdamW: (groups) => new AdamW(groups),
};

/** A matrix and a vector with distinct values, and a loss that is not quadratic. */
function problem() {
  const weight = tensor([
    [0.5, -1],
    [2, 0.25],
  ]).requiresGrad_();
  const bias = tensor([1, -0.5]).requiresGrad_();
  const named: [string, Tensor][] = [
    ["weight", weight],
    ["bias", bias],
  ];
  const descend = (optimizer: Optimizer, rate = 0.1) =>
    scope(() => {
      weight.pow(4).sum().add(weight.matmul(bias).exp().sum()).backward();
      optimizer.step(rate);
      optimizer.zeroGrad();
    });
  return { weight, bias, named, descend, values: () => named.flatMap(([, parameter]) => parameter.toArray()) };
}

for (const [name, make] of Object.entries(optimizers)) {
  describe(name, () => {
    test("resumes bit for bit from a saved state", () =>
      scope(() => {
        const whole = problem();
        const straight = make(decayGroups(whole.named, 0.01));
        for (let i = 0; i < 7; i++) whole.descend(straight);

        const first = problem();
        const before = make(decayGroups(first.named, 0.01));
        for (let i = 0; i < 3; i++) first.descend(before);
        const after = make(decayGroups(first.named, 0.01));
        after.load(before.state());
        before.dispose();
        for (let i = 0; i < 4; i++) first.descend(after);
        expect(first.values()).toEqual(whole.values());
        straight.dispose();
        after.dispose();
      }));

    test("a step leaves no tensors behind except its state", () =>
      scope(() => {
        const { named, descend } = problem();
        const before = memory().tensors;
        const optimizer = make(decayGroups(named, 0.01));
        descend(optimizer);
        const settled = memory().tensors;
        for (let i = 0; i < 5; i++) descend(optimizer);
        expect(memory().tensors).toBe(settled);
        optimizer.dispose();
        expect(memory().tensors).toBe(before);
      }));

    test("a parameter without a gradient keeps its value and its count of steps", () =>
      scope(() => {
        const [used, idle] = [tensor([1, 2]).requiresGrad_(), tensor([3, 4]).requiresGrad_()];
        const optimizer = make([{ parameters: [idle, used], weightDecay: 0.5 }]);
        const alone = tensor([1, 2]).requiresGrad_();
        const reference = make([{ parameters: [alone], weightDecay: 0.5 }]);
        for (let i = 0; i < 3; i++) {
          for (const [x, by] of [
            [used, optimizer],
            [alone, reference],
          ] as const) {
            x.pow(2).sum().backward();
            by.step(0.1);
            by.zeroGrad();
          }
        }
        expect(idle.toArray()).toEqual([3, 4]);
        expect(used.toArray()).toEqual(alone.toArray());
        // Its first step now equals the first step of a new parameter.
        const late = tensor([3, 4]).requiresGrad_();
        const fresh = make([{ parameters: [late], weightDecay: 0.5 }]);
        for (const [x, by] of [
          [idle, optimizer],
          [late, fresh],
        ] as const) {
          x.pow(2).sum().backward();
          by.step(0.1);
        }
        expect(idle.toArray()).toEqual(late.toArray());
        for (const one of [optimizer, reference, fresh]) one.dispose();
      }));

    test("a group's rate scale multiplies the learning rate", () =>
      scope(() => {
        const [a, b] = [problem(), problem()];
        const scaled = make([{ parameters: [a.weight, a.bias], rateScale: 0.5 }]);
        const plain = make([{ parameters: [b.weight, b.bias] }]);
        for (let i = 0; i < 3; i++) {
          a.descend(scaled, 0.1);
          b.descend(plain, 0.05);
        }
        expect(a.values()).toEqual(b.values());
        scaled.dispose();
        plain.dispose();
      }));

    test("channels-last kernels are updated like contiguous ones, also after a load", () =>
      scope(() => {
        manualSeed(1);
        const start = randn([4, 3, 3, 3]);
        const ends = (["contiguous_format", "channels_last"] as const).map((format) => {
          const kernel = start.clone().contiguous(format).requiresGrad_();
          let optimizer = make([{ parameters: [kernel], weightDecay: 0.01 }]);
          for (let i = 0; i < 4; i++) {
            kernel.pow(4).sum().backward();
            optimizer.step(0.01);
            optimizer.zeroGrad();
            if (i !== 1) continue;
            // Row-major, as a file holds it.
            const saved = [...optimizer.state()].map(([key, value]) => [key, value.contiguous().clone()] as const);
            optimizer.dispose();
            optimizer = make([{ parameters: [kernel], weightDecay: 0.01 }]);
            optimizer.load(new Map(saved));
          }
          optimizer.dispose();
          return kernel.toArray();
        });
        expect(ends[1]).toEqual(ends[0]);
      }));

    test("a gradient set by hand may have another memory layout than its parameter", () =>
      scope(() => {
        manualSeed(2);
        const [start, gradient] = [randn([4, 3, 3, 3]), randn([4, 3, 3, 3])];
        const ends = (["contiguous_format", "channels_last"] as const).map((format) => {
          const kernel = start.clone().contiguous(format).requiresGrad_();
          kernel.grad = gradient.clone();
          const optimizer = make([{ parameters: [kernel] }]);
          optimizer.step(0.1);
          optimizer.dispose();
          return kernel.toArray();
        });
        expect(ends[1]).toEqual(ends[0]);
      }));

    test("a state of another optimizer is rejected, and changes nothing", () =>
      scope(() => {
        const { weight, named, descend } = problem();
        const optimizer = make(decayGroups(named, 0));
        descend(optimizer);
        const before = [...optimizer.state()].map(([key, value]) => [key, value.toArray()]);
        const other = make([{ parameters: [tensor([1, 2, 3]).requiresGrad_()] }]);
        for (const [key, value] of [
          ["7.momentum_buffer", [1]],
          ["0.unheard_of", [1]],
          ["weight", [1]],
          ["0.momentum_buffer", [1, 2, 3]],
          ["0.exp_avg", [1, 2, 3]],
        ] as const) {
          const state = new Map([...optimizer.state(), [key, tensor(value)]]);
          expect(() => optimizer.load(state), key).toThrow(SelfsightError);
        }
        expect(() => other.load(optimizer.state())).toThrow(/does not fit this optimizer/);
        expect(() => optimizer.load(new Map([...optimizer.state(), ["00.exp_avg", weight]]))).toThrow(/"00.exp_avg"/);
        expect([...optimizer.state()].map(([key, value]) => [key, value.toArray()])).toEqual(before);
        optimizer.dispose();
      }));

    test("invalid groups and learning rates are rejected", () =>
      scope(() => {
        const { weight } = problem();
        expect(() => make([{ parameters: [weight] }, { parameters: [weight] }])).toThrow(UsageError);
        expect(() => make([{ parameters: [weight] }, { parameters: [weight.mul(1)] }])).toThrow(
          /Parameter 1, Tensor\(f32\[2, 2\]\), was computed from others/,
        );
        make([{ parameters: [weight.detach()] }]); // frozen
        expect(() => make([{ parameters: [weight], weightDecay: -1 }])).toThrow(/weightDecay/);
        expect(() => make([{ parameters: [weight], rateScale: Number.NaN }])).toThrow(/rateScale/);
        const optimizer = make([{ parameters: [weight] }]);
        for (const rate of [-0.1, Number.NaN, Number.POSITIVE_INFINITY]) {
          expect(() => optimizer.step(rate)).toThrow(/learningRate/);
        }
      }));
  });
}

for (const [name, make] of Object.entries(optimizers))
  test(`${name} loads its own state, which is no copy, and one that cannot be read changes nothing`, () =>
    scope(() => {
      const { named, descend } = problem();
      const optimizer = make(decayGroups(named, 0));
      descend(optimizer);
      const contents = () => [...optimizer.state()].map(([key, value]) => [key, value.toArray()]);
      const before = contents();
      optimizer.load(optimizer.state());
      expect(contents()).toEqual(before);
      const state = new Map([...optimizer.state()].map(([key, value]) => [key, value.clone()]));
      const last = [...state.keys()].findLast((key) => key !== "step") as string;
      state.set(last, dropped(state.get(last) as Tensor));
      expect(() => optimizer.load(state)).toThrow();
      expect(contents()).toEqual(before);
      optimizer.dispose();
    }));

/** One of that shape that cannot be read. */
function dropped(tensor: Tensor): Tensor {
  const copy = tensor.clone();
  Object.defineProperty(copy, "shape", { value: tensor.shape });
  copy.dispose();
  return copy;
}

test("an AdamW state of a number of steps that cannot be is rejected", () =>
  scope(() => {
    const { named, descend } = problem();
    const optimizer = new AdamW(decayGroups(named, 0));
    descend(optimizer);
    const count = optimizer.state().get("step")?.numel as number;
    for (const steps of [-3, 0.5]) {
      const state = optimizer.state().set("step", tensor(new Array(count).fill(steps)));
      expect(() => optimizer.load(state)).toThrow(`"step" holds ${steps}`);
    }
    optimizer.dispose();
  }));

test("an AdamW state that lacks an average is rejected, and changes nothing", () =>
  scope(() => {
    const { named, descend } = problem();
    const optimizer = new AdamW(decayGroups(named, 0));
    descend(optimizer);
    const before = [...optimizer.state()].map(([key, value]) => [key, value.toArray()]);
    for (const lost of [["0.exp_avg"], ["1.exp_avg_sq"], ["1.exp_avg", "1.exp_avg_sq"]]) {
      const state = new Map([...optimizer.state()].filter(([key]) => !lost.includes(key)));
      expect(() => optimizer.load(state)).toThrow(`"${lost[0]}" is missing`);
    }
    expect([...optimizer.state()].map(([key, value]) => [key, value.toArray()])).toEqual(before);
    optimizer.dispose();
  }));

test("a state is loaded in which some parameters had no gradient yet", () =>
  scope(() => {
    for (const make of Object.values(optimizers)) {
      const parameters = [tensor([1]).requiresGrad_(), tensor([2]).requiresGrad_()] as const;
      const [before, after] = [make([{ parameters }]), make([{ parameters }])];
      parameters[1].pow(2).sum().backward();
      before.step(0.1);
      after.load(before.state());
      const contents = [before, after].map((one) => [...one.state()].map(([key, value]) => [key, value.toArray()]));
      expect(contents[1]).toEqual(contents[0]);
      before.dispose();
      after.dispose();
    }
  }));

test("options out of range are rejected", () => {
  expect(() => new SGD([], { nesterov: true })).toThrow(UsageError);
  expect(() => new SGD([], { momentum: -1 })).toThrow(UsageError);
  expect(() => new AdamW([], { betas: [0.9, 1] })).toThrow(/betas/);
  expect(() => new AdamW([], { epsilon: -1 })).toThrow(/epsilon/);
  expect(() => steps([0.5, 0.2], 0.1)).toThrow(UsageError);
  expect(() => steps([1.5], 0.1)).toThrow(UsageError);
  expect(() => warmUp(1, cosine)).toThrow(UsageError);
});

test("SGD takes the steps computed by hand", () =>
  scope(() => {
    const x = tensor([2]).requiresGrad_();
    const optimizer = new SGD([{ parameters: [x], weightDecay: 0.5 }], { momentum: 0.5 });
    const descend = () => {
      x.grad = tensor([1]);
      optimizer.step(0.25);
    };
    descend(); // b = 1 + 0.5 · 2 = 2
    expect(x.item()).toBe(1.5);
    descend(); // b = 0.5 · 2 + 1 + 0.5 · 1.5 = 2.75
    expect(x.item()).toBe(0.8125);
    optimizer.dispose();
  }));

test("norms and biases do not decay", () =>
  scope(() => {
    const named = ["conv.weight", "fc.weight", "bn.weight", "scale"].map((name, i): [string, Tensor] => [
      name,
      randn([[2, 2, 1, 1], [2, 2], [2], []][i] as number[]),
    ]);
    const [conv, fc, bn, scale] = named.map(([, parameter]) => parameter);
    expect(decayGroups(named, 0.1)).toEqual([
      { parameters: [conv, fc], weightDecay: 0.1 },
      { parameters: [bn, scale], weightDecay: 0 },
    ]);
  }));
