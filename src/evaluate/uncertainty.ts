/** Turns a protocol's scores into numbers whose mean is its metric: then every metric has the same intervals and p-values. */
import { randomAt, shuffle } from "../random.ts";
import { mean } from "./protocol.ts";
import { fractionInterval, type Interval, type IntervalOptions, meanInterval } from "./statistics.ts";
import type { Rows } from "./variance.ts";

/** Draws × test images. */
export type Scores = readonly (readonly unknown[])[];
type Reduce = (scores: ArrayLike<never>) => number;

/** Groups of images that are left out in turn, for a metric that is not a mean. */
const GROUPS = 100;

/**
 * For each draw, numbers whose mean is the metric: the scores themselves if the metric is their mean. Else the pseudo-values of
 * a jackknife over groups of images (Efron & Stein, Annals of Statistics 1981): G · all − (G − 1) · all but one group, for G
 * groups cut at random, the same for every draw, representation and seed.
 */
export function valuesOf(scores: Scores, reduce: Reduce): Rows {
  if (isMean(reduce)) return scores as readonly (readonly number[])[];
  const images = scores[0]?.length ?? 0;
  const order = shuffle(
    Array.from({ length: images }, (_, i) => i),
    randomAt(0, images, GROUPS),
  );
  const count = Math.min(GROUPS, images);
  const groupOf = new Int32Array(images);
  for (const [place, image] of order.entries()) groupOf[image] = place % count;
  return scores.map((row) => {
    const all = reduce(row as readonly never[]);
    return Float64Array.from({ length: count }, (_, group) => {
      const others = row.filter((_, i) => groupOf[i] !== group);
      return others.length ? count * all - (count - 1) * reduce(others as readonly unknown[] as readonly never[]) : all;
    });
  });
}

/** The metric over all draws, with its interval. @param values of {@link valuesOf} */
export function intervalOf(scores: Scores, values: Rows, reduce: Reduce, options: IntervalOptions = {}): Interval {
  if (isMean(reduce)) return (isFraction(values) ? fractionInterval : meanInterval)(values, options);
  // The pseudo-values' mean corrects the metric's bias: the interval is put around the metric itself.
  const { value: corrected, low, high } = meanInterval(values, options);
  const value = mean(scores.map((row) => reduce(row as readonly never[])));
  return { value, low: low + value - corrected, high: high + value - corrected };
}

const isMean = (reduce: Reduce) => reduce === mean;

const isFraction = (rows: Rows) => rows.every((row) => Array.from(row).every((value) => value >= 0 && value <= 1));
