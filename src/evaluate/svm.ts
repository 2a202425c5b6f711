/**
 * A linear support vector machine for each class against the rest, on frozen features of length 1: squared hinge loss, L2
 * penalty (of the bias too, as in LIBLINEAR), positives weighted twice. Goyal et al., ICCV 2019, section 6.1,
 * https://arxiv.org/abs/1905.01235, and its code: LinearSVC(C, class_weight={1: 2, -1: 1}), the cost C of each class chosen by
 * three-fold cross-validated average precision. No cost is chosen on test images, as that code's low-shot script does.
 */
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { z } from "zod";
import { InterruptedError, SelfsightError } from "../errors.ts";
import { mAP } from "../metric.ts";
import { noGrad } from "../torch/autograd.ts";
import { allFinite } from "../torch/nn/finite.ts";
import { cat, integers, ones } from "../torch/ops.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { FOLDS, fitOneVsRest, type OneVsRest } from "./one-vs-rest.ts";
import { defineProtocol, mean, type Training } from "./protocol.ts";
import { averagePrecision } from "./ranking.ts";
import { squaredHinge } from "./squared-hinge.ts";

/** An image's class; or all its classes, for a protocol that is this one with another `truth`. */
export type ClassTruth = number | readonly number[];

/** A test image's decision value for each class (C), and what is true of it. */
export interface Decisions {
  readonly values: Float32Array;
  readonly truth: ClassTruth;
}

/** The benchmark's: decades from 1e-7 to 100, and powers of a half from 2⁻⁴ to 2⁻¹⁹. */
const COSTS = [
  ...Array.from({ length: 10 }, (_, i) => Number(`1e${i - 7}`)),
  ...Array.from({ length: 16 }, (_, i) => 0.5 ** (i + 4)),
].sort((a, b) => a - b);
/** Problems × rows in memory at the same time, about 50 bytes each. */
const AT_ONCE = 2 ** 23;

export const svm = defineProtocol({
  title: "Linear SVM for each class",
  needs: "features",
  metric: mAP,
  options: z.strictObject({
    costs: z
      .array(z.number().positive())
      .min(1)
      .default(COSTS)
      .describe("strengths of the loss to choose from, for each class: |weights|² / 2 + cost · Σ squared hinge loss"),
    maxIterations: z.int().positive().default(500).describe("of conjugate gradients, for each fit"),
  }),
  /**
   * A class with two labels is cross-validated in two folds. One with a single label, or without any other class beside it,
   * gets the cost 1. `heldOut` is the mean over the other classes of the best average precision; NaN if there is none.
   */
  async fit({ features, truths, rows, classes, signal }: Training<ClassTruth>, { costs, maxIterations }) {
    const all = features as Tensor;
    const x = scope(() => keep(inputsOf(all.indexSelect(0, integers(rows, all.device))))); // (N, D + 1)
    const solver = squaredHinge(x);
    const fits: OneVsRest[] = [];
    try {
      const atOnce = Math.max(1, Math.floor(AT_ONCE / (rows.length * costs.length * FOLDS))); // classes
      for (let from = 0; from < classes; from += atOnce) {
        await eventLoopTurn();
        if (signal?.aborted) throw new InterruptedError("Interrupted while measuring; nothing was written.");
        const some = Array.from({ length: Math.min(atOnce, classes - from) }, (_, i) =>
          Uint8Array.from(rows, (row) => Number(isOf(truths[row] as ClassTruth, from + i))),
        );
        fits.push(scope(() => fitOneVsRest({ x, solver, members: some, costs, maxIterations })));
      }
      const weights = scope(() => keep(cat(fits.map((one) => one.weights)))); // (C, D + 1)
      return {
        heldOut: mean(fits.flatMap(({ choices }) => choices.flatMap(({ precision }) => precision ?? []))),
        async predict({ features: test }) {
          const values = scope(() => decide(weights, inputsOf(test as Tensor))) as Float32Array; // (n, C)
          return Array.from({ length: values.length / classes }, (_, i) =>
            values.subarray(i * classes, (i + 1) * classes),
          );
        },
        dispose: () => dispose(weights),
      };
    } finally {
      dispose(x, ...fits.map(({ weights }) => weights));
      solver.dispose();
    }
  },
  score: (values: Float32Array, truth: ClassTruth): Decisions => ({ values, truth }),
  /** Mean over the classes that some image has. */
  reduce: meanAveragePrecision,
  /** A random ranking's precision is a class's share of the images, at any recall: with equal classes this. */
  guess: (classes) => 1 / classes,
});

function meanAveragePrecision(scores: ArrayLike<Decisions>): number {
  const classes = scores.length ? (scores[0] as Decisions).values.length : 0;
  const values = new Float32Array(scores.length);
  const relevant = new Uint8Array(scores.length);
  const precisions = Array.from({ length: classes }, (_, label) => {
    for (let i = 0; i < scores.length; i++) {
      const one = scores[i] as Decisions;
      values[i] = one.values[label] as number;
      relevant[i] = Number(isOf(one.truth, label));
    }
    return averagePrecision(values, relevant, { interpolated: true });
  });
  return mean(precisions.filter((precision) => !Number.isNaN(precision)));
}

const isOf = (truth: ClassTruth, label: number) =>
  typeof truth === "number" ? truth === label : truth.includes(label);

/** Features (N, D) divided by their length plus 1e-5, and a column of ones: (N, D + 1). */
function inputsOf(features: Tensor): Tensor {
  const lengths = features.pow(2).sum(1, true).sqrt().add(1e-5);
  return cat([features.div(lengths), ones([features.size(0), 1], { device: features.device })], 1);
}

/** Weights (P, D + 1) and inputs (N, D + 1) to decision values (N, P), row by row. @throws SelfsightError if not finite */
function decide(weights: Tensor, inputs: Tensor) {
  const values = noGrad(() => inputs.matmul(weights.transpose(0, 1)));
  if (allFinite(values)) return values.data();
  throw new SelfsightError("The SVM's decision values are not finite: a cost is too large. Give smaller costs.");
}
