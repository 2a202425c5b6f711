import { beforeEach, describe, expect, test } from "vitest";
import { autocast, grad, noGrad } from "../../src/torch/autograd.ts";
import { BatchNorm2d } from "../../src/torch/nn/layers.ts";
import { dropout, linear, ones, randn, tensor } from "../../src/torch/ops.ts";
import { manualSeed, rngState } from "../../src/torch/random.ts";
import { dispose, keep, memory, scope } from "../../src/torch/scope.ts";
import { checkpoint, segment, storeActivations } from "../../src/torch/segment.ts";
import { tape } from "../../src/torch/tape.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();
const check = (name: string, body: () => void) =>
  test(name, () => {
    scope(body);
    expect(tape).toHaveLength(0);
  });
const number = (value: number) => tensor([value]).requiresGrad_();
const value = (x: Tensor) => x.grad?.item() ?? null;
const values = (x: Tensor) => x.grad?.toArray();

/** x · w², recomputed. */
const timesSquare = (x: Tensor, w: Tensor) => checkpoint(x, [w], (x) => x.mul(w.pow(2)));

let passes = 0;
beforeEach(() => {
  passes = 0;
});

describe("a segment", () => {
  check("passes gradients to its parameters, to its input, and through the graph before it", () => {
    const [x, w] = [number(3), number(5)];
    timesSquare(x.mul(2), w).pow(2).sum().backward(); // (2 x w²)²
    expect([value(x), value(w)]).toEqual([8 * 3 * 5 ** 4, 16 * 9 * 5 ** 3]);
  });

  check("stores no activations, and is computed twice", () => {
    const x = randn([100]).requiresGrad_();
    const before = memory().tensors;
    const y = checkpoint(x, [], (x) => {
      passes++;
      return x.exp().exp().exp();
    });
    expect(memory().tensors - before).toBe(3); // y, and second handles to input and output
    expect(passes).toBe(1);
    y.sum().backward();
    expect(passes).toBe(2);
  });

  check("waits for all consumers of its output, segments and others", () => {
    const [x, a, b] = [number(2), number(3), number(5)];
    const middle = timesSquare(x, a); // 18
    const end = timesSquare(middle, b); // 450
    middle.mul(7).add(end).sum().backward();
    expect([value(x), value(a), value(b)]).toEqual([9 * (7 + 25), 2 * 2 * 3 * (7 + 25), 18 * 2 * 5]);
  });

  check("may be used several times, in sequence and in parallel", () => {
    const [x, w] = [number(2), number(3)];
    timesSquare(timesSquare(x, w), w).add(timesSquare(x, w)).sum().backward(); // x w⁴ + x w²
    expect([value(x), value(w)]).toEqual([81 + 9, 2 * 4 * 27 + 2 * 2 * 3]);
  });

  check("may contain segments", () => {
    const [x, w] = [number(2), number(3)];
    const outer = timesSquare(x, w);
    checkpoint(outer, [w], (x) => timesSquare(timesSquare(x, w), w).mul(x))
      .sum()
      .backward(); // (x w²)² w⁴
    expect([value(x), value(w)]).toEqual([2 * 2 * 3 ** 8, 8 * 4 * 3 ** 7]);
  });

  check("may define its own gradient", () => {
    const x = number(3);
    const y = segment(x, {
      parameters: [],
      forward: (x) => [x.mul(2), () => x.mul(5)],
      backward: (x, y, gradient, state) => {
        expect([x.item(), y.item(), gradient.item(), state?.item()]).toEqual([3, 6, 10, 15]);
        x.grad = gradient.mul(100);
      },
    });
    y.mul(10).sum().backward();
    expect(value(x)).toBe(1000);
  });

  check("does not affect another loss", () => {
    const [x, w, other] = [number(2), number(3), number(1)];
    const y = timesSquare(x, w);
    other.mul(4).sum().backward();
    expect([value(x), value(w), value(other)]).toEqual([null, null, 4]);
    y.sum().backward();
    expect([value(x), value(w), value(other)]).toEqual([9, 12, 4]);
  });

  check("is not recorded if nothing requires a gradient", () => {
    const y = timesSquare(tensor([2]), tensor([3]));
    expect([y.requiresGrad, tape.length]).toEqual([false, 0]);
    noGrad(() => timesSquare(number(2), number(3)));
    expect(tape).toHaveLength(0);
  });

  check("without trainable parameters still passes the gradient to its input", () => {
    const x = number(2);
    timesSquare(x, tensor([3]))
      .sum()
      .backward();
    expect(value(x)).toBe(9);
  });

  check("keeps its gradients when an operator that changes nothing returns its output under another handle", () => {
    const aliases = [
      (y: Tensor) => y.to("f32"),
      (y: Tensor) => y.contiguous(),
      (y: Tensor) => y.flatten(),
      (y: Tensor) => dropout(y, 0.5, false),
    ];
    for (const alias of aliases) {
      const [x, w] = [number(2), number(3)];
      const y = scope(() => alias(timesSquare(x, w)));
      y.sum().backward();
      expect([value(x), value(w)], String(alias)).toEqual([9, 12]);
    }
  });

  test("may not leave the outermost scope under another handle either", () => {
    const [x, w] = [number(2), number(3)];
    expect(() => scope(() => timesSquare(x, w).contiguous())).toThrow(/left the outermost scope/);
    dispose(x, w);
  });

  check("works after its input and output are disposed", () => {
    const [x, w] = [number(2), number(3)];
    const inner = x.mul(1);
    const y = timesSquare(inner, w);
    const loss = y.sum();
    dispose(inner, y);
    loss.backward();
    expect([value(x), value(w)]).toEqual([9, 12]);
  });

  check("gives the same gradients with storeActivations", () => {
    const [x, w] = [number(2), number(3)];
    storeActivations(() => timesSquare(x.mul(2), w))
      .sum()
      .backward();
    expect(tape).toHaveLength(0);
    expect([value(x), value(w)]).toEqual([18, 24]);
  });
});

describe("a change in place", () => {
  check("of the input is an error in backward(), as with libtorch: it is computed from", () => {
    const [x, w] = [tensor([-1, 2]).requiresGrad_(), number(3)];
    const inner = x.mul(1);
    const loss = timesSquare(inner, w).sum();
    inner.relu_();
    expect(() => loss.backward()).toThrow(
      /a segment's input, Tensor\(f32\[2\]\), was changed in place.* is at version 1, expected 0/,
    );
    expect([x.grad, w.grad]).toEqual([null, null]);
  });

  check("of the output too, from which a segment may be inverted", () => {
    const y = timesSquare(number(2), number(3));
    const loss = y.sum();
    noGrad(() => y.add_(1));
    expect(() => loss.backward()).toThrow(/a segment's output.* was changed in place/);
  });

  check("between two backward passes is an error in the second", () => {
    const [x, w] = [number(2), number(3)];
    const loss = timesSquare(x, w).sum();
    loss.backward(null, { keepGraph: true });
    noGrad(() => x.fill_(5));
    expect(() => loss.backward()).toThrow(/a segment's input.* was changed in place/);
    expect(value(w)).toBe(12);
  });

  check("of the input by the segment itself is an error at once", () => {
    const edit = () => checkpoint(tensor([-1, 2]), [number(3)], (x) => x.relu_().pow(2));
    expect(edit).toThrow(/a segment changes its input in place, Tensor\(f32\[2\]\).* let it change a copy/);
    expect(noGrad(() => edit().toArray())).toEqual([0, 4]);
  });
});

check("a checkpoint draws the same random numbers twice, and what follows does not draw them again", () => {
  const x = ones([50]).requiresGrad_();
  const drop = (x: Tensor) => dropout(dropout(x, 0.5, true), 0.1, true);
  manualSeed(1);
  const wanted = drop(x).toArray();
  const state = rngState().toArray();
  manualSeed(1);
  const y = checkpoint(x, [], (x) => checkpoint(x.mul(1), [], drop));
  expect(y.toArray()).toEqual(wanted);
  y.sum().backward();
  expect(values(x)).toEqual(wanted); // x is all ones
  expect(rngState().toArray()).toEqual(state);
});

describe("backward", () => {
  check("goes through a segment once, unless the graph is kept", () => {
    const [x, w] = [number(2), number(3)];
    const loss = timesSquare(x, w).sum();
    loss.backward(null, { keepGraph: true });
    loss.backward();
    expect([value(x), value(w)]).toEqual([18, 24]);
    expect(() => loss.backward()).toThrow("backward() a second time through a segment");
  });

  check("throws the same error when another loss leads there", () => {
    const y = timesSquare(number(2), number(3));
    y.sum().backward();
    expect(() => y.mul(2).sum().backward()).toThrow("backward() a second time through a segment");
  });

  check("recovers when a segment throws", () => {
    const [x, w] = [number(2), number(3)];
    const broken = checkpoint(x, [], (x) => {
      if (passes++) throw new Error("stop");
      return x.mul(2);
    });
    noGrad(() => expect(() => broken.sum().requiresGrad_().backward()).not.toThrow());
    expect(() => broken.sum().backward()).toThrow("stop");
    noGrad(() => expect(x.mul(2).requiresGrad).toBe(false));
    timesSquare(x, w).sum().backward();
    expect(value(w)).toBe(12);
  });

  check("works within noGrad, as libtorch's does", () => {
    const [x, w] = [number(2), number(3)];
    const loss = timesSquare(x, w).sum();
    noGrad(() => {
      loss.backward();
      expect(x.mul(2).requiresGrad).toBe(false);
    });
    expect(value(w)).toBe(12);
  });
});

describe("grad", () => {
  check("refuses to go through a segment, even if there are other paths", () => {
    const [x, w] = [number(2), number(3)];
    const loss = timesSquare(x, w).add(x).sum();
    expect(() => grad([loss], [x], { keepGraph: true })).toThrow(/grad\(\) cannot go through a segment/);
    expect(() => grad([loss], [w], { allowUnused: true })).toThrow(/call backward\(\) and read each grad/);
  });

  check("gives d(loss)/d(output): libtorch records what follows the last segment", () => {
    const [x, w, head] = [number(2), number(3), number(4)];
    const middle = timesSquare(x, w);
    const end = timesSquare(middle, w);
    const loss = end.mul(head).add(middle).sum();
    expect(grad([loss], [end], { keepGraph: true })[0]?.item()).toBe(4);
    expect(() => grad([loss], [middle], { keepGraph: true })).toThrow(/through a segment/);
    expect(() => grad([loss], [end, middle])).toThrow(/through a segment/);
  });

  check("works as usual when no segment is on the path", () => {
    const [x, w, a] = [number(2), number(3), number(4)];
    timesSquare(x, w).dispose();
    expect(grad([a.pow(2).sum()], [a])[0]?.item()).toBe(8);
    expect(() => grad([a.sum()], [x])).toThrow("input 0 appears to be unused");
    expect(grad([a.sum()], [x, a], { allowUnused: true }).map((one) => one?.item() ?? null)).toEqual([null, 1]);
  });
});

describe("the tape", () => {
  check("is truncated when its scope ends", () => {
    scope(() => void timesSquare(number(2), number(3)));
    expect(tape).toHaveLength(0);
    expect(() =>
      scope(() => {
        timesSquare(number(2), number(3));
        throw new Error("stop");
      }),
    ).toThrow("stop");
    expect(tape).toHaveLength(0);
  });

  check("passes with a result to the enclosing scope", () => {
    const [x, w] = [number(2), number(3)];
    const before = memory().tensors;
    const loss = scope(() => scope(() => ({ loss: timesSquare(x.mul(1), w).sum() }))).loss;
    expect(memory().tensors - before).toBe(3);
    loss.backward();
    expect([value(x), value(w)]).toEqual([9, 12]);
    const kept: Tensor[] = [];
    scope(() => void kept.push(keep(timesSquare(x, w))));
    expect(tape).toHaveLength(2);
    dispose(...kept);
  });

  test("cannot leave the outermost scope: an error says what to do", () => {
    const leave = () => scope(() => timesSquare(number(2), number(3)).sum());
    expect(leave).toThrow(/left the outermost scope.*call backward\(\) within the scope/);
    const left = [
      scope(() => timesSquare(number(2), number(3)).detach()),
      scope(() => noGrad(() => timesSquare(number(2), number(3)))),
      scope(() => {
        const loss = timesSquare(number(2), number(3)).sum();
        loss.backward();
        return loss;
      }),
    ];
    expect(tape).toHaveLength(0);
    dispose(...left);
  });

  test("stays empty outside of scopes: libtorch has the whole graph there", () => {
    const [x, w] = [number(2), number(3)];
    const y = checkpoint(x, [w], (x) => x.mul(w));
    expect(tape).toHaveLength(0);
    y.backward();
    const gradient = w.grad as Tensor;
    expect(gradient.item()).toBe(2);
    dispose(x, w, y, gradient);
  });
});

describe("autocast", () => {
  const product = (x: Tensor, w: Tensor) => checkpoint(x, [w], (x) => linear(x, w));

  check("is the same in the second pass as in the first", () => {
    const [x, w] = [randn([4, 8]).requiresGrad_(), randn([3, 8]).requiresGrad_()];
    const dtypes: string[] = [];
    const watched = (x: Tensor) => {
      const y = linear(x, w);
      dtypes.push(y.dtype);
      return y;
    };
    const low = autocast("cpu", "bf16", () => checkpoint(x, [w], watched).to("f32").sum());
    low.backward();
    const high = checkpoint(x, [w], watched).sum();
    autocast("cpu", "bf16", () => high.backward());
    expect(dtypes).toEqual(["bf16", "bf16", "f32", "f32"]);
    expect(linear(x, w).dtype).toBe("f32");
  });

  check("does not reuse weights that were cast without gradients", () => {
    const [x, w] = [ones([2, 8]).requiresGrad_(), ones([3, 8]).requiresGrad_()];
    autocast("cpu", "bf16", () => {
      const y = product(x, w);
      linear(y, ones([1, 3]))
        .sum()
        .backward(); // inside autocast
      expect(values(w)).toEqual(new Array(24).fill(2));
      w.grad = null;
      product(x, w);
      linear(x, w).sum().backward(); // without a segment
      expect(values(w)).toEqual(new Array(24).fill(2));
    });
  });
});

check("batch norm counts the batch once, and normalises by it both times", () => {
  manualSeed(1);
  const x = randn([4, 2, 3, 3]).requiresGrad_();
  const pull = randn([4, 2, 3, 3]);
  const [plain, again] = [new BatchNorm2d(2), new BatchNorm2d(2)];
  plain.forward(x).mul(pull).sum().backward();
  const wanted = values(x);
  x.grad = null;
  checkpoint(x, again.parameters(), (x) => again.forward(x))
    .mul(pull)
    .sum()
    .backward();
  expect(values(x)).toEqual(wanted);
  const [a, b] = [plain, again].map((norm) => [...norm.state().values()].map((tensor) => tensor.toArray()));
  expect(b).toEqual(a);
  for (const norm of [plain, again]) norm.dispose();
});
