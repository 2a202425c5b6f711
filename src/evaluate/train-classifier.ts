/** Trains a classifier for a number of steps on some labelled images, and keeps the weights that were best on others. */
import { SelfsightError } from "../errors.ts";
import { pause, refuseAborted } from "../interrupt.ts";
import { type RandomGenerator, randomAt } from "../random.ts";
import { kept, noGrad } from "../torch/autograd.ts";
import { allFinite } from "../torch/nn/finite.ts";
import type { Module } from "../torch/nn/module.ts";
import { cat, crossEntropy, integers } from "../torch/ops.ts";
import type { Optimizer } from "../torch/optim/optimizer.ts";
import type { Schedule } from "../torch/optim/schedule.ts";
import { manualSeed } from "../torch/random.ts";
import { dispose, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { batchIndices } from "../train/batches.ts";
import { accuracy, MEASURING, type Training } from "./protocol.ts";

/** Modules, and how they give logits for images that are named by their rows. */
export interface Classifier<Input> {
  /** What is trained. */
  readonly modules: readonly Module[];
  /** What `logits` needs to know about some images. */
  load(rows: readonly number[]): Input | Promise<Input>;
  /** Logits (B, classes). `random` is given in training only, for augmentation. */
  logits(input: Input, random?: RandomGenerator): Tensor;
}

export interface Recipe {
  /** Of the classifier's parameters. Its state is freed at the end. */
  readonly optimizer: Optimizer;
  readonly learningRate: number;
  /** Factor on the learning rate, by progress from 0 to 1. */
  readonly schedule: Schedule;
  readonly steps: number;
  readonly batchSize: number;
  /** Steps between two looks at the held-out images. There is always one after the last step. */
  readonly checkEvery: number;
  /** Stops after as many looks without a better result. By default never. */
  readonly patience?: number | undefined;
}

/** Rows to fit on, and held-out rows to choose by. */
export interface Split {
  readonly fit: readonly number[];
  readonly choose: readonly number[];
}

/** On held-out images: NaN if there are none. The loss is the mean cross-entropy in nats. */
export interface HeldOut {
  readonly accuracy: number;
  readonly loss: number;
}

type Context = Pick<Training<number>, "truths" | "seed" | "compute" | "signal">;

/** Images that are classified at once. */
const BATCH = 128;
/** Random stream of the augmentation, next to the seed and the step. */
const AUGMENTATION = 5;

/** Whether `a` is better than `b`: by accuracy, then by loss. With few images, accuracies are often equal. */
export const isBetter = (a: HeldOut, b: HeldOut | undefined): boolean =>
  !b || a.accuracy > b.accuracy || (a.accuracy === b.accuracy && a.loss < b.loss);

/**
 * Trains with cross-entropy. Afterwards the modules have the weights of the look at which the held-out images were classified best;
 * without held-out images, the last ones. Batches are always full: if there are fewer images, they repeat.
 * @returns the best result on the held-out images
 * @throws SelfsightError if the loss is not finite; InterruptedError when the signal aborts
 */
export async function trainClassifier<Input>(
  classifier: Classifier<Input>,
  { fit, choose }: Split,
  recipe: Recipe,
  context: Context,
): Promise<HeldOut> {
  const { optimizer, steps, batchSize, checkEvery, patience = Number.POSITIVE_INFINITY } = recipe;
  const { seed, signal } = context;
  const repeats = Math.ceil(batchSize / fit.length);
  const indicesAt = batchIndices(repeats * fit.length, { seed, batchSize });
  const tensors = classifier.modules.flatMap((module) => [...module.state().values()]);
  let best: HeldOut | undefined;
  let weights: Tensor[] = [];
  let worse = 0;
  try {
    for (let step = 0; step < steps && worse < patience; step++) {
      refuseAborted(signal, MEASURING);
      const rows = Array.from(indicesAt(step), (i) => fit[i % fit.length] as number);
      trainStep(classifier, await classifier.load(rows), rows, { recipe, context, step });
      const due = (step + 1) % checkEvery === 0 || step + 1 === steps;
      if (due && choose.length) {
        const now = await heldOut(classifier, choose, context);
        worse++;
        if (isBetter(now, best)) {
          dispose(...weights);
          [best, weights, worse] = [now, tensors.map((one) => kept(() => one.clone())), 0];
        }
      }
      await pause(signal, MEASURING);
    }
    noGrad(() => weights.forEach((one, i) => void tensors[i]?.copy_(one)));
    return best ?? { accuracy: Number.NaN, loss: Number.NaN };
  } finally {
    dispose(...weights);
    optimizer.zeroGrad();
    optimizer.dispose();
  }
}

function trainStep<Input>(
  classifier: Classifier<Input>,
  input: Input,
  rows: readonly number[],
  { recipe, context, step }: { recipe: Recipe; context: Context; step: number },
): void {
  const { truths, seed, compute } = context;
  const { optimizer, schedule, steps, learningRate } = recipe;
  const rate = learningRate * schedule(step / steps);
  const random = randomAt(seed, AUGMENTATION, step);
  manualSeed(random.next() >>> 1); // for dropout
  for (const module of classifier.modules) module.train();
  const loss = scope(() => {
    const target = integers(labelsOf(rows, truths), compute.device);
    const loss = crossEntropy(classifier.logits(input, random), target);
    const value = loss.item();
    if (Number.isFinite(value)) {
      loss.backward();
      optimizer.step(rate);
    }
    return value;
  });
  optimizer.zeroGrad();
  if (Number.isFinite(loss)) return;
  throw new SelfsightError(
    `The loss of the classifier is ${loss} at step ${step + 1}, learning rate ${rate.toPrecision(3)}. Give a lower one` +
      `${compute.precision === "bf16" ? ", or precision f32" : ""}.`,
  );
}

async function heldOut<Input>(
  classifier: Classifier<Input>,
  rows: readonly number[],
  { truths, compute, signal }: Context,
): Promise<HeldOut> {
  const logits = await logitsOf(classifier, rows, signal);
  const labels = labelsOf(rows, truths);
  const score = scope(() => ({
    accuracy: accuracy(logits.argmax(1), labels),
    loss: crossEntropy(logits, integers(labels, compute.device)).item(),
  }));
  dispose(logits);
  return score;
}

/** The most likely class of each image. @throws SelfsightError for logits that are not finite; InterruptedError */
export async function classify<Input>(
  classifier: Classifier<Input>,
  rows: readonly number[],
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const logits = await logitsOf(classifier, rows, signal);
  const classes = scope(() => logits.argmax(1).toArray());
  dispose(logits);
  return classes;
}

/** Logits (n, classes), f32, in evaluation mode. The caller disposes them. */
async function logitsOf<Input>(
  classifier: Classifier<Input>,
  rows: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Tensor> {
  for (const module of classifier.modules) module.eval();
  const parts: Tensor[] = [];
  try {
    for (let start = 0; start < rows.length; start += BATCH) {
      await pause(signal, MEASURING);
      const input = await classifier.load(rows.slice(start, start + BATCH));
      const logits = kept(() => classifier.logits(input).to("f32"));
      parts.push(logits);
      if (!allFinite(logits)) {
        throw new SelfsightError("The classifier's answers are not finite. Give a lower learning rate.");
      }
    }
    return cat(parts);
  } finally {
    dispose(...parts);
  }
}

const labelsOf = (rows: readonly number[], truths: ArrayLike<number>) => rows.map((row) => truths[row] as number);
