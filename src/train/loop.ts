/** The training loop: plain code, no callbacks, no base class. Stops at the first loss that is not a number. */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { SelfsightError } from "../errors.ts";
import type { Encoder } from "../models/model.ts";
import { randomAt } from "../random.ts";
import type { TaskInstance } from "../tasks/task.ts";
import { autocast, noGrad } from "../torch/autograd.ts";
import { stack } from "../torch/ops.ts";
import type { Optimizer } from "../torch/optim/optimizer.ts";
import { manualSeed } from "../torch/random.ts";
import { scope } from "../torch/scope.ts";
import {
  batchIndices,
  imagesUsed,
  type RawBatch,
  readBatch,
  stepsPerEpoch,
  type TrainingImages,
  toViews,
} from "./batches.ts";
import type { TrainingConfig } from "./options.ts";
import type { Compute } from "./precision.ts";

/** How far a run is. Everything random in a step follows from the seed and the step's number. */
export interface Position {
  step: number;
  /** Spent in training, over all resumptions. */
  seconds: number;
}

/** What one step measured. */
export interface StepRecord extends Position {
  epoch: number;
  loss: number;
  learningRate: number;
  /** The task's measures by name: accuracy, ... */
  metrics: Readonly<Record<string, number>>;
  /** 0 to 1: steps done, or minutes used. */
  progress: number;
  images: number;
}

export interface TrainingRun {
  config: TrainingConfig;
  compute: Compute;
  images: TrainingImages;
  encoder: Encoder;
  task: TaskInstance;
  optimizer: Optimizer;
  /** Peak learning rate times this, by progress from 0 to 1. */
  schedule: (progress: number) => number;
  peakRate: number;
  start: Position;
}

/** When to stop: after so many steps, or so many seconds of training. One of them is infinite. */
export function budgetOf({ config, images, task }: TrainingRun): Position {
  if (config.minutes !== undefined) return { step: Number.POSITIVE_INFINITY, seconds: config.minutes * 60 };
  const steps = (config.epochs ?? 50) * stepsPerEpoch(imagesUsed(images, task), config.batchSize);
  return { step: Math.max(1, Math.round(steps)), seconds: Number.POSITIVE_INFINITY };
}

/** 0 at the start to 1 at the end: steps done, or time used. */
export function progressAt({ step, seconds }: Position, budget: Position): number {
  return Math.min(1, Math.max(step / budget.step, seconds / budget.seconds));
}

/**
 * Trains until the epochs or minutes are over, and yields after every step: whoever iterates logs, saves and stops.
 * @throws SelfsightError at a loss that is not finite, before it can reach the weights
 */
export async function* train(run: TrainingRun): AsyncGenerator<StepRecord> {
  const { config, images, optimizer, task } = run;
  const used = imagesUsed(images, task);
  const perEpoch = stepsPerEpoch(used, config.batchSize);
  const indicesAt = batchIndices(used, config);
  const fetch = (step: number) => {
    const batch = readBatch(images, used, indicesAt(step));
    batch.catch(() => {}); // whoever waits for it is told; a run that ends before does not wait
    return batch;
  };
  const budget = budgetOf(run);
  let { step, seconds } = run.start;
  let pending = fetch(step);
  while (progressAt({ step, seconds }, budget) < 1) {
    const started = performance.now();
    const batch = await pending;
    pending = fetch(step + 1); // read while the step computes
    const learningRate = run.peakRate * run.schedule(progressAt({ step, seconds }, budget));
    const { loss, metrics } = trainStep(run, batch, step, learningRate);
    if (!Number.isFinite(loss)) {
      throw new SelfsightError(
        `The loss is ${loss} at step ${step + 1}, learning rate ${learningRate.toPrecision(3)}. Start anew with a lower ` +
          `learningRate, a longer warmup${run.compute.precision === "bf16" ? ", or precision f32" : ""}. The last checkpoint is from before.`,
      );
    }
    optimizer.zeroGrad();
    step++;
    seconds += (performance.now() - started) / 1000;
    const progress = progressAt({ step, seconds }, budget);
    yield {
      step,
      seconds,
      epoch: Math.floor((step - 1) / perEpoch),
      loss,
      learningRate,
      metrics,
      progress,
      images: config.batchSize,
    };
    await eventLoopTurn(); // signals and finalizers run only here
  }
}

/** One step on one batch, and nothing left behind: pixels to views, loss, gradients, new weights. */
function trainStep(
  run: TrainingRun,
  raw: RawBatch,
  step: number,
  learningRate: number,
): { loss: number; metrics: Record<string, number> } {
  const { compute, config, images, optimizer, task } = run;
  return scope(() => {
    manualSeed(randomAt(config.seed, step).next() >>> 1); // for dropout and whatever else draws inside libtorch
    const [views, batch] = noGrad(() => toViews(raw, images, run, step));
    const { loss, metrics } = autocast(compute.device, compute.precision, () => task.step(views, batch));
    const names = Object.keys(metrics);
    // One transfer for all the numbers: on a GPU each would wait for the whole step.
    const values = stack([loss.detach(), ...Object.values(metrics)].map((value) => value.to("f32"))).toArray();
    const [lossValue = Number.NaN, ...rest] = values;
    if (Number.isFinite(lossValue)) {
      loss.backward();
      optimizer.step(learningRate);
    }
    return { loss: lossValue, metrics: Object.fromEntries(names.map((name, i) => [name, rest[i] ?? Number.NaN])) };
  });
}
