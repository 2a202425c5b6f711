import { describe, expect, test } from "vitest";
import { fromTypedArray, linear, mseLoss } from "../../src/torch/ops.ts";
import { AdamW } from "../../src/torch/optim/adamw.ts";
import { decayGroups } from "../../src/torch/optim/groups.ts";
import { LBFGS } from "../../src/torch/optim/lbfgs.ts";
import type { Optimizer, ParameterGroup } from "../../src/torch/optim/optimizer.ts";
import { constant, cosine, type Schedule, steps, warmUp } from "../../src/torch/optim/schedule.ts";
import { SGD } from "../../src/torch/optim/sgd.ts";
import { scope } from "../../src/torch/scope.ts";
import { call, type DType, type Tensor } from "../../src/torch/tensor.ts";
import { goldenDoubles, goldenParameter } from "../fixtures/golden/formula.ts";
import { expectNoLeak } from "../live.ts";
import { difference, goldenJson, goldenTensors, pick } from "./store.ts";

interface Run {
  lr: number;
  momentum?: number;
  nesterov?: boolean;
  betas?: [number, number];
  eps?: number;
  weightDecay?: number;
  max_iter?: number;
  max_eval?: number;
  history_size?: number;
  losses: number[];
}

const runs = goldenJson<Record<string, Run>>("optimizers");
const stored = goldenTensors("optimizers");
const shapes = { "0.weight": [8, 4], "0.bias": [8], "2.weight": [3, 8], "2.bias": [3] };

expectNoLeak();

/** The network of the fixture: its parameters by name, and the loss over its data. */
function network(dtype: DType) {
  const values = (name: string, shape: number[]) => fromTypedArray(goldenDoubles(name, shape), shape).to(dtype);
  const named = Object.entries(shapes).map(([name, shape]): [string, Tensor] => {
    const parameter = fromTypedArray(goldenParameter(name, shape), shape).to(dtype);
    return [name, parameter.requiresGrad_()];
  });
  const [w0, b0, w2, b2] = named.map(([, parameter]) => parameter) as [Tensor, Tensor, Tensor, Tensor];
  const [x, y] = [values("x", [16, 4]), values("y", [16, 3])];
  const loss = () => mseLoss(linear(call("aten::tanh", linear(x, w0, b0)) as Tensor, w2, b2), y);
  return { named, loss };
}

function run(name: string, make: (groups: ParameterGroup[], run: Run) => Optimizer): void {
  const golden = runs[name] as Run;
  scope(() => {
    const { named, loss } = network("f32");
    const optimizer = make(decayGroups(named, golden.weightDecay ?? 0), golden);
    const losses = golden.losses.map(() => {
      const value = loss();
      value.backward();
      optimizer.step(golden.lr);
      optimizer.zeroGrad();
      return value.item();
    });
    optimizer.dispose();
    for (const [i, value] of losses.entries()) expect(value).toBeCloseTo(golden.losses[i] as number, 5);
    for (const [key, parameter] of named)
      expect(difference(parameter, pick(stored, `${name}.${key}`)), key).toBeLessThan(1e-5);
  });
}

describe("ten steps match PyTorch's", () => {
  const sgd = (groups: ParameterGroup[], { momentum = 0, nesterov = false }: Run) =>
    new SGD(groups, { momentum, nesterov });
  for (const name of ["sgd", "sgd-momentum", "sgd-nesterov"]) test(name, () => run(name, sgd));
  test("adamw", () => {
    run("adamw", (groups, { betas = [0, 0], eps = 0 }) => new AdamW(groups, { betas, epsilon: eps }));
  });

  const options = ({ lr, max_iter = 0, max_eval = 0, history_size = 0 }: Run) => ({
    learningRate: lr,
    maxIterations: max_iter,
    maxEvaluations: max_eval,
    history: history_size,
  });

  test("lbfgs", () => {
    const golden = runs["lbfgs"] as Run;
    scope(() => {
      const { named, loss } = network("f64");
      const optimizer = new LBFGS(
        named.map(([, parameter]) => parameter),
        options(golden),
      );
      const closure = () => {
        const value = loss();
        value.backward();
        return value;
      };
      for (const expected of golden.losses) expect(optimizer.step(closure)).toBeCloseTo(expected, 7);
      optimizer.dispose();
      for (const [key, parameter] of named)
        expect(difference(parameter, pick(stored, `lbfgs.${key}`)), key).toBeLessThan(1e-6);
    });
  });

  test("lbfgs on Rosenbrock's function, point by point", () => {
    const golden = runs["lbfgs-rosenbrock"] as Run;
    const points = new Float64Array(pick(stored, "lbfgs-rosenbrock.points").bytes.buffer);
    scope(() => {
      const point = fromTypedArray(Float64Array.of(-1.2, 1)).requiresGrad_();
      const optimizer = new LBFGS([point], options(golden));
      const closure = () => {
        const [a, b] = [point.select(0, 0), point.select(0, 1)];
        const value = a
          .neg()
          .add(1)
          .pow(2)
          .add(b.sub(a.pow(2)).pow(2).mul(100));
        value.backward();
        return value;
      };
      golden.losses.forEach((expected, i) => {
        expect(optimizer.step(closure)).toBeCloseTo(expected, 6);
        expect(Math.abs((point.toArray()[0] as number) - (points[2 * i] as number))).toBeLessThan(1e-6);
        expect(Math.abs((point.toArray()[1] as number) - (points[2 * i + 1] as number))).toBeLessThan(1e-6);
      });
      optimizer.dispose();
    });
  });
});

interface Rates {
  baseRate: number;
  rates: number[];
  steps?: number;
  milestones?: number[];
  factor?: number;
  every?: number;
  warmUp?: number;
}

describe("learning rates match PyTorch's schedulers", () => {
  const golden = goldenJson<Record<string, Rates>>("schedules");
  const follow = (name: string, make: (rates: Rates) => Schedule) =>
    test(name, () => {
      const expected = golden[name] as Rates;
      const schedule = make(expected);
      expected.rates.forEach((rate, step) => {
        expect(expected.baseRate * schedule(step / expected.rates.length)).toBeCloseTo(rate, 12);
      });
    });

  follow("cosine", () => cosine);
  follow("multi-step", ({ milestones = [], factor = 0 }) =>
    steps(
      milestones.map((at) => at / 20),
      factor,
    ),
  );
  follow("step", ({ every = 0, factor = 0 }) =>
    steps(
      [1, 2, 3].map((times) => (times * every) / 20),
      factor,
    ),
  );
  follow("warm-up-then-cosine", ({ warmUp: part = 0 }) => warmUp(part / 20, cosine, 1 / part));
  test("constant", () => expect([0, 0.5, 1].map(constant)).toEqual([1, 1, 1]));
});
