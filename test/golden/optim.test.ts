import { describe, expect, test } from "vitest";
import { cat, fromTypedArray, integers, linear, mseLoss, oneHot, ones, tensor, zeros } from "../../src/torch/ops.ts";
import { AdamW } from "../../src/torch/optim/adamw.ts";
import { minimiseBatch } from "../../src/torch/optim/batch-lbfgs.ts";
import { decayGroups } from "../../src/torch/optim/groups.ts";
import type { Optimizer, ParameterGroup } from "../../src/torch/optim/optimizer.ts";
import { SGD } from "../../src/torch/optim/sgd.ts";
import { dispose, scope } from "../../src/torch/scope.ts";
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
});

test("L-BFGS finds the minima that PyTorch's does, of several problems at once", async () => {
  const { penalties } = goldenJson<{ lbfgs: { penalties: number[] } }>("optimizers").lbfgs;
  const x = fromTypedArray(goldenDoubles("x", [16, 4]), [16, 4]);
  const inputs = scope(() => cat([x, ones([16, 1]).to("f64")], 1)); // (16, 5), the last for the bias
  const target = scope(() => oneHot(fromTypedArray(goldenDoubles("y", [16, 3]), [16, 3]).argmax(1), 3).to("f64"));
  const penalised = tensor([1, 1, 1, 1, 0], { dtype: "f64" });
  const strengths = tensor(penalties, { dtype: "f64" });
  const start = scope(() => zeros([3, 15]).to("f64"));
  const points = await minimiseBatch(
    (points, problems) => {
      const weights = points.reshape(problems.length, 3, 5);
      const pull = weights.mul(penalised).mul(strengths.indexSelect(0, integers(problems)).reshape(-1, 1, 1));
      const logProbabilities = inputs.matmul(weights.transpose(1, 2)).logSoftmax(2); // (b, 16, 3)
      const error = logProbabilities.exp().sub(target).div(16);
      const entropy = logProbabilities.mul(target).sum([1, 2]).div(-16);
      return {
        loss: entropy.add(weights.mul(pull).sum([1, 2]).div(2)),
        gradient: error.transpose(1, 2).matmul(inputs).add(pull).flatten(1),
      };
    },
    start,
    { maxIterations: 1000, gradientTolerance: 1e-8, changeTolerance: 1e-15 },
  );
  const golden = pick(stored, "lbfgs.points");
  expect(scope(() => difference(points.reshape(3, 3, 5), golden))).toBeLessThan(1e-5);
  dispose(x, inputs, target, penalised, strengths, start, points);
});
