/** Which logistic fits are done together, and in which space, by memory and time. */
import { copiesHeld } from "../torch/optim/batch-lbfgs.ts";
import type { Tensor } from "../torch/tensor.ts";
import { LOGITS } from "./cross-entropies.ts";

/** Some rows of features (M, D), f32, and the class of each of the M. */
export interface Labelled {
  readonly features: Tensor;
  readonly rows: readonly number[];
  readonly labels: ArrayLike<number>;
}

/** One fit: some rows, and penalty / 2 · |weights|² added to their mean cross-entropy. The bias is not penalised. */
export interface Fit {
  readonly part: Labelled;
  readonly penalty: number;
}

/** Numbers that a batch of fits may hold beside what its first fit needs alone: 256 MiB. */
const MOST = 2 ** 26;
/** Of the logits' size: these, their log-probabilities, probabilities, errors and two products. */
const LOGIT_COPIES = 6;

/** Cuts the fits into batches, each of which holds at most so many numbers more than its first fit alone. */
export function batchesOf(fits: readonly Fit[], classes: number, most = MOST): Fit[][] {
  const batches: Fit[][] = [];
  for (const fit of fits) {
    const last = batches.at(-1);
    if (last && numbersHeld([...last, fit], classes) - numbersHeld(last.slice(0, 1), classes) <= most) last.push(fit);
    else batches.push([fit]);
  }
  return batches;
}

/**
 * Numbers in memory while a batch is fitted: for each part its standardised features, or its coordinates, with a column of ones, and its
 * one-hot classes, and its axes; for one part at a time its features before that; what L-BFGS keeps of the weights; and the logits of
 * one term.
 */
export function numbersHeld(fits: readonly Fit[], classes: number): number {
  const parts = [...new Set(fits.map(({ part }) => part))];
  const dimensions = 1 + Math.max(...parts.map(({ features }) => features.size(1)));
  const turned = axesOf(fits, classes);
  const width = turned ? turned + 1 : dimensions;
  const sizes = parts.map(({ rows }) => rows.length);
  const most = Math.max(...sizes);
  const rows = sizes.reduce((sum, size) => sum + size, 0);
  const first = most * dimensions + (turned ? most * width + 4 * turned ** 2 : 0); // in f64: a matrix and its eigenvectors
  const fewer = turned && most < dimensions - 1 ? rows * dimensions : 0; // rows fewer than features are kept beside coordinates
  const ready = rows * (width + classes) + fewer + parts.length * (turned ?? 0) ** 2;
  const weights = fits.length * classes * width * copiesHeld();
  return first + ready + weights + LOGIT_COPIES * Math.min(LOGITS, most * fits.length * classes);
}

/** Axes are looked for while their matrix has at most so many numbers for each class and row (or feature, if there are more). */
const WORTH = 96;

/**
 * How many principal axes the parts are turned into before they are fitted, min(N, D); undefined if looking for them takes longer than
 * they save. There a fit needs a fraction of the iterations, and fewer numbers where there are fewer rows than features: with a
 * penalty the best weights are a combination of the rows. The weights found are the same.
 */
export function axesOf(fits: readonly Fit[], classes: number): number | undefined {
  const dimensions = Math.max(...fits.map(({ part }) => part.features.size(1)));
  const most = Math.max(...fits.map(({ part }) => part.rows.length));
  const axes = Math.min(most, dimensions);
  return axes ** 2 <= WORTH * classes * Math.max(most, dimensions) ? axes : undefined;
}
