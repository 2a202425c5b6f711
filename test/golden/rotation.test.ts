/** Compares the first 20 steps of a rotation run with the same steps in PyTorch: same weights, same batches. */
import { afterEach, expect, test } from "vitest";
import { createEncoder } from "../../src/models/index.ts";
import { prefixed } from "../../src/run/checkpoint.ts";
import { rotation } from "../../src/tasks/rotation.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { fixedWays, setChooser } from "../../src/torch/nn/convolution.ts";
import { fromTypedArray } from "../../src/torch/ops.ts";
import { decayGroups } from "../../src/torch/optim/groups.ts";
import { SGD } from "../../src/torch/optim/sgd.ts";
import { scope } from "../../src/torch/scope.ts";
import { contextOf, fixedBatch } from "../batch.ts";
import { goldenParameter, goldenPictures } from "../fixtures/golden/formula.ts";
import { expectNoLeak } from "../live.ts";
import { FIXED_AND_WAYS, prefer } from "../ways.ts";
import { goldenJson } from "./store.ts";

expectNoLeak();
afterEach(() => void setChooser(fixedWays));

test.each(FIXED_AND_WAYS)(
  "20 steps of rotation give PyTorch's losses to 1e-3, and its weights; convolutions: %s",
  (way) => {
    setChooser(prefer(way));
    const golden = goldenJson<{
      model: string;
      width: number;
      size: number;
      batch: number;
      weightDecay: number;
      lr: number;
      momentum: number;
      nesterov: boolean;
      losses: number[];
      correct: number[];
      after: Record<string, number[]>;
    }>("rotation-run");
    const encoder = createEncoder(golden);
    const task = scope(() => rotation.create(contextOf(encoder, golden.size), rotation.options.parse({})));
    const state = new Map([...encoder.state(), ...prefixed(task.trained)]);
    scope(() =>
      noGrad(() => {
        for (const [name, tensor] of state) {
          if (tensor.dim) tensor.copy_(fromTypedArray(goldenParameter(name, tensor.shape), tensor.shape));
        }
      }),
    );
    const modules = [encoder, ...Object.values(task.trained)];
    const groups = decayGroups(
      modules.flatMap((module) => module.namedParameters()),
      golden.weightDecay,
    );
    const optimizer = new SGD(groups, { momentum: golden.momentum, nesterov: golden.nesterov });
    for (const [step, expected] of golden.losses.entries()) {
      const { loss, accuracy } = scope(() => {
        const shape = [golden.batch, 3, golden.size, golden.size];
        const images = fromTypedArray(goldenPictures(`batch${step}`, golden.batch, golden.size), shape);
        const { loss, metrics } = task.step([images], fixedBatch(golden.batch));
        loss.backward();
        optimizer.step(golden.lr);
        optimizer.zeroGrad();
        return { loss: loss.item(), accuracy: metrics["accuracy"]?.item() ?? Number.NaN };
      });
      expect(Math.abs(loss - expected), `loss of step ${step}: ${loss}, PyTorch's ${expected}`).toBeLessThan(1e-3);
      expect(accuracy * golden.batch * 4).toBeCloseTo(golden.correct[step] ?? Number.NaN, 3);
    }
    for (const [name, values] of Object.entries(golden.after)) {
      const got = scope(() => state.get(name)?.flatten().narrow(0, 0, values.length).toArray() ?? []);
      for (const [i, value] of values.entries()) expect(got[i], name).toBeCloseTo(value, 3);
    }
    for (const module of modules) module.dispose();
    optimizer.dispose();
  },
);
