/**
 * A linear support vector machine for each class against the rest, on frozen features of length 1: squared hinge loss, L2
 * penalty (of the bias too, as in LIBLINEAR), positives weighted twice. Goyal et al., ICCV 2019, section 6.1,
 * https://arxiv.org/abs/1905.01235, and its code: LinearSVC(C, class_weight={1: 2, -1: 1}), the cost C of each class chosen by
 * three-fold cross-validated average precision. No cost is chosen on test images, as that code's low-shot script does.
 */
import { z } from "zod";
import { SelfsightError } from "../errors.ts";
import { pause } from "../interrupt.ts";
import { mAP } from "../metric.ts";
import { noGrad } from "../torch/autograd.ts";
import { allFinite } from "../torch/nn/finite.ts";
import { cat, integers, ones } from "../torch/ops.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { groupsOf } from "./groups.ts";
import { FOLDS, fitOneVsRest, type OneVsRest } from "./one-vs-rest.ts";
import { defineProtocol, MEASURING, mean, type Training } from "./protocol.ts";
import { averagePrecision, ranksOf } from "./ranking.ts";
import { type HingeSolver, squaredHinge } from "./squared-hinge.ts";

/** An image's class; or all its classes, in a set in which some image has several. */
export type ClassTruth = number | readonly number[];

/**
 * For each class, the rank of a test image's decision value among those of all test images, from 0 for the lowest (C); and
 * what is true of the image. Average precision depends on nothing but ranks.
 */
export interface RankedImage {
  readonly ranks: ArrayLike<number>;
  readonly truth: ClassTruth;
}

/** The benchmark's: decades from 1e-7 to 100, and powers of a half from 2⁻⁴ to 2⁻¹⁹. */
const DECADES = [1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100];
const HALVES = Array.from({ length: 16 }, (_, i) => 0.5 ** (i + 4));
const COSTS = [...DECADES, ...HALVES].sort((a, b) => a - b);
/** Problems × rows in memory at the same time, about 50 bytes each: an iteration on them takes a fraction of a second. */
const AT_ONCE = 2 ** 22;

export const svm = defineProtocol({
  title: "Linear SVM for each class",
  needs: "features",
  metric: mAP,
  severalLabels: true,
  truth: (set, i): ClassTruth => (set.labelsOf ? set.labelsOf(i) : set.label(i)),
  options: z.strictObject({
    costs: z
      .array(z.number().positive())
      .min(1)
      .default(COSTS)
      .describe("strengths of the loss to choose from, for each class: |weights|² / 2 + cost · Σ squared hinge loss"),
    maxIterations: z.int().positive().default(500).describe("of conjugate gradients, for each fit"),
  }),
  /**
   * A class with two labels, of different groups, is cross-validated in two folds. One with a single label, or without any other class beside it,
   * gets the cost 1. `heldOut` is the mean over the other classes of the best average precision; NaN if there is none.
   */
  async fit({ features, truths, rows, groups, classes, signal }: Training<ClassTruth>, { costs, maxIterations }) {
    const all = features as Tensor;
    const x = scope(() => keep(inputsOf(all.indexSelect(0, integers(rows, all.device))))); // (N, D + 1)
    const own = groupsOf(rows, groups);
    const fits: OneVsRest[] = [];
    let solver: HingeSolver | undefined;
    try {
      solver = await squaredHinge(x, signal);
      const atOnce = Math.max(1, Math.floor(AT_ONCE / (rows.length * costs.length * FOLDS))); // classes
      for (let from = 0; from < classes; from += atOnce) {
        await pause(signal, MEASURING);
        const some = Array.from({ length: Math.min(atOnce, classes - from) }, (_, i) =>
          Uint8Array.from(rows, (row) => Number(isOf(truths[row] as ClassTruth, from + i))),
        );
        fits.push(await fitOneVsRest({ ...{ x, solver, members: some, groups: own }, costs, maxIterations, signal }));
      }
      const weights = scope(() => keep(cat(fits.map((one) => one.weights)))); // (C, D + 1)
      return {
        heldOut: mean(fits.flatMap(({ choices }) => choices.flatMap(({ precision }) => precision ?? []))),
        predict: async ({ features: test }) => rankImages(scope(() => decide(weights, inputsOf(test as Tensor)))),
        dispose: () => dispose(weights),
      };
    } finally {
      dispose(x, ...fits.map(({ weights }) => weights));
      solver?.dispose();
    }
  },
  score: (ranks: Uint32Array, truth: ClassTruth): RankedImage => ({ ranks, truth }),
  /** Mean over the classes that some image has. */
  reduce: meanAveragePrecision,
  /** A random ranking's precision is a class's share of the images, at any recall. This is the mean over the classes that some image has. */
  guess(classes, images = []) {
    const found = Array.from(images, ({ truth }) => (typeof truth === "number" ? [truth] : truth)).flat();
    return found.length ? found.length / images.length / new Set(found).size : 1 / classes;
  },
});

/** The mean of the classes' interpolated average precisions; a class that no image has is left out. */
function meanAveragePrecision(images: ArrayLike<RankedImage>): number {
  const classes = images.length ? (images[0] as RankedImage).ranks.length : 0;
  const size = 1 + highestRank(images);
  const [all, relevant] = [new Uint32Array(classes * size), new Uint32Array(classes * size)]; // class by class
  for (let i = 0; i < images.length; i++) {
    const { ranks, truth } = images[i] as RankedImage;
    for (let label = 0; label < classes; label++) add(all, label * size + (ranks[label] as number));
    for (const label of typeof truth === "number" ? [truth] : truth) {
      if (label >= 0 && label < classes) add(relevant, label * size + (ranks[label] as number));
    }
  }
  const ofClass = (counts: Uint32Array, label: number) => counts.subarray(label * size, (label + 1) * size);
  const precisions = Array.from({ length: classes }, (_, label) =>
    averagePrecision(ofClass(all, label), ofClass(relevant, label), { interpolated: true }),
  );
  return mean(precisions.filter((precision) => !Number.isNaN(precision)));
}

const add = (counts: Uint32Array, at: number) => {
  counts[at] = (counts[at] as number) + 1;
};

function highestRank(images: ArrayLike<RankedImage>): number {
  let highest = 0;
  for (let i = 0; i < images.length; i++) {
    const { ranks } = images[i] as RankedImage;
    for (let label = 0; label < ranks.length; label++) highest = Math.max(highest, ranks[label] as number);
  }
  return highest;
}

/** Decision values by class (C, N) to ranks by image. */
function rankImages(decisions: readonly Float32Array[]): Uint32Array[] {
  const ranks = decisions.map(ranksOf);
  return Array.from(decisions[0] ?? [], (_, i) => Uint32Array.from(ranks, (own) => own[i] as number));
}

const isOf = (truth: ClassTruth, label: number) =>
  typeof truth === "number" ? truth === label : truth.includes(label);

/** Features (N, D) divided by their length plus 1e-5, and a column of ones: (N, D + 1). */
function inputsOf(features: Tensor): Tensor {
  const lengths = features.pow(2).sum(1, true).sqrt().add(1e-5);
  return cat([features.div(lengths), ones([features.size(0), 1], { device: features.device })], 1);
}

/** Weights (C, D + 1) and inputs (N, D + 1) to decision values by class. @throws SelfsightError if they are not finite */
function decide(weights: Tensor, inputs: Tensor): Float32Array[] {
  const decisions = noGrad(() => weights.matmul(inputs.transpose(0, 1))); // (C, N)
  if (allFinite(decisions)) return decisions.chunk(weights.size(0)).map((own) => own.data() as Float32Array);
  throw new SelfsightError("The SVM's decision values are not finite: a cost is too large. Give smaller costs.");
}
