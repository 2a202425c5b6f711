/** The training loop: plain code, no callbacks, no base class. Stops at the first loss that is not finite. */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { SelfsightError } from "../errors.ts";
import type { Encoder } from "../models/model.ts";
import { randomAt } from "../random.ts";
import type { Position, StepRecord } from "../run/events.ts";
import type { TrainingConfig } from "../run/options.ts";
import type { TaskInstance } from "../tasks/task.ts";
import { autocast, noGrad } from "../torch/autograd.ts";
import type { Compute } from "../torch/compute.ts";
import { threads } from "../torch/device.ts";
import { type Chooser, withChooser } from "../torch/nn/convolution.ts";
import { secondsMeasuring } from "../torch/nn/measure-ways.ts";
import type { Parameter } from "../torch/nn/module.ts";
import { stack } from "../torch/ops.ts";
import type { Optimizer } from "../torch/optim/optimizer.ts";
import { manualSeed } from "../torch/random.ts";
import { scope } from "../torch/scope.ts";
import type { World } from "../torch/world.ts";
import { adaptiveThreads } from "./adapt.ts";
import {
  batchIndices,
  imagesUsed,
  type RawBatch,
  readBatch,
  stepsPerEpoch,
  type TrainingImages,
  toViews,
} from "./batches.ts";

export interface TrainingRun {
  config: TrainingConfig;
  compute: Compute;
  images: TrainingImages;
  encoder: Encoder;
  task: TaskInstance;
  optimizer: Optimizer;
  /** The parameters that the optimizer trains. */
  parameters: readonly Parameter[];
  world: World;
  /** Factor on the peak learning rate, by progress from 0 to 1. */
  schedule: (progress: number) => number;
  peakRate: number;
  start: Position;
  /** How convolutions are computed. */
  chooser: Chooser;
}

/** When to stop: after this many steps, or seconds of training. One of them is infinite. */
export interface Budget {
  readonly step: number;
  readonly seconds: number;
}

export function budgetOf({ config, images, task, world }: TrainingRun): Budget {
  if (config.minutes !== undefined) return { step: Number.POSITIVE_INFINITY, seconds: config.minutes * 60 };
  const steps = (config.epochs as number) * stepsPerEpoch(imagesUsed(images, task), config.batchSize * world.size);
  return { step: Math.max(1, Math.round(steps)), seconds: Number.POSITIVE_INFINITY };
}

/** A step that takes longer than this many seconds, and this many times as long as any before, has stood still. */
const [STILL, TIMES] = [10, 10];

/**
 * The part of a step's seconds that counts as training. Ctrl-Z, a paused container or a machine that sleeps must not use up the
 * minutes of a run. Two such steps in a row are a machine that has become slow: the second counts.
 * @param longest seconds of the longest step before; 0 if there is none
 * @param stoodStill whether the step before this one did
 */
export function countedSeconds(elapsed: number, longest: number, stoodStill = false): number {
  return longest > 0 && !stoodStill && elapsed > Math.max(STILL, TIMES * longest) ? longest : elapsed;
}

/** 0 at the start to 1 at the end: steps done, or time used. */
export function progressAt({ step, seconds }: Position, budget: Budget): number {
  return Math.min(1, Math.max(step / budget.step, seconds / budget.seconds));
}

/**
 * Trains until the epochs or minutes are over, and yields after every step: the caller logs, saves and stops.
 * @throws SelfsightError if the loss is not finite, before it can reach the weights
 */
export async function* train(run: TrainingRun): AsyncGenerator<StepRecord> {
  const { config, images, optimizer, task, world } = run;
  const used = imagesUsed(images, task);
  const perEpoch = stepsPerEpoch(used, config.batchSize * world.size);
  const indicesAt = batchIndices(used, config, world);
  const fetch = (step: number) => {
    const batch = readBatch(images, used, indicesAt(step));
    batch.catch(() => {}); // an awaiting caller gets the error; a run that ends early does not await it
    return batch;
  };
  const budget = budgetOf(run);
  let { step, seconds } = run.start;
  let pending = fetch(step);
  let progress = progressAt(run.start, budget);
  let [longest, stoodStill] = [0, false];
  const adapt = mayAdapt(run) ? adaptiveThreads(threads()) : undefined;
  while (progress < 1) {
    adapt?.();
    const [started, measuring] = [performance.now(), secondsMeasuring()];
    const batch = await pending;
    pending = fetch(step + 1); // read while the step computes
    const learningRate = run.peakRate * run.schedule(progress);
    const { loss, metrics } = withChooser(run.chooser, () => trainStep(run, batch, { step, progress }, learningRate));
    if (!Number.isFinite(loss)) throw diverged(run, loss, step, learningRate);
    optimizer.zeroGrad();
    step++;
    const elapsed = (performance.now() - started) / 1000 - (secondsMeasuring() - measuring);
    const counted = countedSeconds(elapsed, longest, stoodStill);
    stoodStill = counted < elapsed;
    longest = Math.max(longest, counted);
    seconds += counted;
    progress = world.agree(progressAt({ step, seconds }, budget));
    yield {
      step,
      seconds,
      epoch: Math.floor((step - 1) / perEpoch),
      loss,
      learningRate,
      metrics,
      progress,
      images: config.batchSize * world.size,
      ...(stoodStill && { stoodStill: elapsed - counted }),
    };
    await eventLoopTurn(); // signals and finalizers only run here
  }
}

function diverged({ compute }: TrainingRun, loss: number, step: number, learningRate: number): SelfsightError {
  const remedies = compute.precision === "bf16" ? ", a longer --warmup or --precision f32" : " or a longer --warmup";
  return new SelfsightError(
    `The loss is ${loss} at step ${step + 1}, learning rate ${learningRate.toPrecision(3)}. Start anew with a lower ` +
      `--learning-rate${remedies}. The last checkpoint is from before, but --resume would go the same way.`,
  );
}

/** Changing threads changes the last bits of sums. Only runs limited by minutes may: they cannot be repeated anyway. */
const mayAdapt = ({ config, compute }: TrainingRun) =>
  config.minutes !== undefined && config.threads === undefined && compute.device === "cpu";

/** How far a run is when it takes a step: steps done before, and progress from 0 to 1. */
export type StepPlace = { step: number; progress: number };

/** One step on one batch: pixels to views, loss, gradients, new weights. Frees all it creates. */
function trainStep(
  run: TrainingRun,
  raw: RawBatch,
  at: StepPlace,
  learningRate: number,
): { loss: number; metrics: Record<string, number> } {
  const { optimizer, task, world, parameters } = run;
  return scope(() => {
    const { loss, metrics } = lossOf(run, raw, at);
    const names = Object.keys(metrics);
    // One transfer for all values: on a GPU, each transfer would wait for the whole step.
    const values = stack([loss.detach(), ...Object.values(metrics)].map((value) => value.to("f32"))).toArray();
    const [lossValue = Number.NaN, ...rest] = values;
    if (Number.isFinite(lossValue)) {
      loss.backward();
      world.averageGradients(parameters);
      optimizer.step(learningRate);
      noGrad(() => task.afterStep?.(at.progress));
    }
    return { loss: lossValue, metrics: Object.fromEntries(names.map((name, i) => [name, rest[i] ?? Number.NaN])) };
  });
}

/** The task's loss and metrics on a batch. Call it in a scope. */
export function lossOf(run: TrainingRun, raw: RawBatch, at: StepPlace): ReturnType<TaskInstance["step"]> {
  const { compute, config, images, task } = run;
  manualSeed(randomAt(config.seed, at.step).next() >>> 1); // for dropout and anything else random inside libtorch
  const [views, batch] = noGrad(() => toViews(raw, images, run, at));
  return autocast(compute.device, compute.precision, () => task.step(views, batch));
}
