/** Which logistic fits are done together, and in which space, by memory and time. */
import { copiesHeld } from "../torch/optim/batch-lbfgs.ts";
import type { Tensor } from "../torch/tensor.ts";
import { LOGITS } from "./cross-entropies.ts";
import { isWide } from "./principal-axes.ts";

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
 * Numbers in memory while a batch is fitted:
 * - of each part: its rows with a column of ones, its one-hot classes, its axes, and its features if the axes need them;
 * - of one part at a time: its features before that, and what its axes are found with;
 * - what L-BFGS keeps of the weights, and the logits of one term.
 */
export function numbersHeld(fits: readonly Fit[], classes: number): number {
  const parts = [...new Set(fits.map(({ part }) => part))].map(
    ({ rows, features }) => [rows.length, features.size(1)] as const,
  );
  const axes = axesOf(fits, classes);
  const width = 1 + (axes ?? Math.max(...parts.map(([, columns]) => columns)));
  const kept = parts.map(([rows, columns]) => {
    const features = axes && isWide(rows, columns) ? rows * columns : 0;
    return rows * (width + classes) + features + 2 * (axes ?? 0) ** 2; // axes of rows are in f64
  });
  const making = parts.map(([rows, columns]) => {
    if (!axes) return rows * columns;
    return rows * (columns + width) + (isWide(rows, columns) ? 2 * rows * columns : 0) + 8 * axes ** 2; // in f64
  });
  const weights = fits.length * classes * width * copiesHeld(historyOf(axes));
  const most = Math.max(...parts.map(([rows]) => rows));
  const logits = LOGIT_COPIES * Math.min(LOGITS, most * fits.length * classes);
  return kept.reduce((sum, one) => sum + one, 0) + Math.max(...making) + weights + logits;
}

/** Past moves that L-BFGS keeps: in the axes the Hessian's diagonal tells most of what they would. */
export const historyOf = (axes: number | undefined): number => (axes ? 5 : 10);

/** So many axes are found in about a second. */
const SOON = 1100;
/** More take so long that nobody could interrupt it. */
const MOST_AXES = 2048;
/** Between the two, axes are looked for if axes² ≤ this · classes · max(N, D). */
const WORTH = 96;

/**
 * How many principal axes the parts are turned into before they are fitted, min(N, D); undefined if looking for them takes longer than
 * they save. There a fit needs a fraction of the iterations, and fewer numbers where there are fewer rows than features: with a
 * penalty the best weights are a combination of the rows. The weights found are the same.
 */
export function axesOf(fits: readonly Fit[], classes: number): number | undefined {
  const sizes = fits.map(({ part: { rows, features } }) => [rows.length, features.size(1)] as const);
  const axes = Math.max(...sizes.map(([rows, columns]) => (isWide(rows, columns) ? rows : columns)));
  const pays = axes <= MOST_AXES && axes ** 2 <= WORTH * classes * Math.max(...sizes.flat());
  return axes <= SOON || pays ? axes : undefined;
}
