/** Intervals and p-values of means over draws of training labels and test images. The variance is that of variance.ts. */
import jstat from "jstat";
import { errorFunction } from "simple-statistics";
import { SelfsightError } from "../errors.ts";
import { randomAt } from "../random.ts";
import { checkShape, estimateMean, type Rows } from "./variance.ts";

export interface IntervalOptions {
  /** Probability that the interval covers the true value. */
  level?: number;
  /** The rows come from this many trainings, the same number from each, one training after the other. */
  trainings?: number;
}

export interface Interval {
  value: number;
  /** 95 % interval. */
  low: number;
  high: number;
}

/**
 * The mean of all values with its 95 % interval, by Student's t.
 * @throws SelfsightError for no draws, no images, or draws with different numbers of images
 */
export function meanInterval(rows: Rows, { level = 0.95, trainings = 1 }: IntervalOptions = {}): Interval {
  const { mean, variance, freedom } = estimateMean(rows, trainings);
  const half = variance > 0 ? studentQuantile((1 + level) / 2, freedom) * Math.sqrt(variance) : 0;
  return { value: mean, low: mean - half, high: mean + half };
}

/**
 * The mean of values between 0 and 1 with its 95 % interval: Wilson's, for as many independent answers as would have the
 * variance that was found (Korn & Graubard, Survey Methodology 1998). It stays within 0 and 1, and has a width even if all
 * answers are right.
 * @throws SelfsightError as {@link meanInterval}
 */
export function fractionInterval(rows: Rows, { level = 0.95, trainings = 1 }: IntervalOptions = {}): Interval {
  const { mean: p, variance, freedom } = estimateMean(rows, trainings);
  const size = variance > 0 ? (p * (1 - p)) / variance : checkShape(rows);
  const t = studentQuantile((1 + level) / 2, freedom);
  const middle = (p + t ** 2 / (2 * size)) / (1 + t ** 2 / size);
  const half = (t * Math.sqrt((p * (1 - p)) / size + t ** 2 / (4 * size ** 2))) / (1 + t ** 2 / size);
  // Rounding must not push an end past the value at 0 or 1.
  return { value: p, low: Math.max(0, Math.min(p, middle - half)), high: Math.min(1, Math.max(p, middle + half)) };
}

/** a − b, value by value. @throws SelfsightError if the two were not measured on the same images and draws */
export function subtract(a: Rows, b: Rows): Float64Array[] {
  if (checkShape(a) !== checkShape(b) || a.length !== b.length) {
    throw new SelfsightError(
      `Only what was measured on the same images and draws can be paired: ${a.length} draws of ${a[0]?.length} images ` +
        `came with ${b.length} of ${b[0]?.length}.`,
    );
  }
  return a.map((row, draw) => Float64Array.from(row, (one, i) => one - (b[draw]?.[i] ?? 0)));
}

/** The difference of two means, a − b, with its 95 % interval. What is hard for both does not widen it. */
export function pairedInterval(a: Rows, b: Rows, options: IntervalOptions = {}): Interval {
  return meanInterval(subtract(a, b), options);
}

/** The value that Student's t with that many degrees of freedom is below with probability p. */
export function studentQuantile(p: number, freedom: number): number {
  return jstat.studentt.inv(p, Math.min(freedom, 1e6));
}

/**
 * How often chance alone gives a mean as far from 0 in either direction: the signs of the images' means are flipped at random
 * (the paired randomization test; Dror et al., ACL 2018, section 3.2, https://aclanthology.org/P18-1128). It is valid for few
 * images, where Student's t is not, but ignores the variance between draws.
 * @param differences (draws × images)
 * @returns a p-value; below 1 / (flips + 1) it is an approximation
 */
export function signFlipTest(
  differences: Rows,
  { seed = 0, flips = 4999 }: { seed?: number; flips?: number } = {},
): number {
  const images = checkShape(differences);
  const sums = Array.from({ length: images }, (_, i) =>
    differences.reduce((sum, row) => sum + (row[i] as number), 0),
  ).filter((sum) => sum !== 0);
  const observed = Math.abs(sums.reduce((total, sum) => total + sum, 0));
  const random = randomAt(seed, images, flips);
  let asLarge = 0;
  for (let flip = 0; flip < flips; flip++) {
    let total = 0;
    let bits = 0;
    for (let i = 0; i < sums.length; i++) {
      if (i % 32 === 0) bits = random.next();
      total += bits & (1 << (i % 32)) ? (sums[i] as number) : -(sums[i] as number);
    }
    if (Math.abs(total) >= observed * (1 - 1e-12)) asLarge++;
  }
  const p = (asLarge + 1) / (flips + 1);
  return asLarge > 0 || sums.length === 0 ? p : Math.min(p, unseenTail(sums, observed));
}

/**
 * The p-value if no flip reached the observed sum: from a normal distribution with the flips' variance, but never below the
 * probability of the observed assignment alone. Without it, many comparisons could never all be significant.
 */
function unseenTail(sums: readonly number[], observed: number): number {
  const deviation = Math.sqrt(sums.reduce((total, sum) => total + sum ** 2, 0));
  const normal = 1 - errorFunction(observed / deviation / Math.SQRT2);
  return Math.max(normal, 2 ** (1 - sums.length), Number.MIN_VALUE);
}

/**
 * Holm's correction (Scandinavian Journal of Statistics 1979): raises the p-values of several comparisons so that each can
 * be read as if it were the only one.
 */
export function holm(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((i, j) => (values[i] as number) - (values[j] as number));
  const adjusted = new Array<number>(values.length).fill(1);
  let least = 0;
  for (const [rank, i] of order.entries()) {
    least = Math.max(least, Math.min(1, (values.length - rank) * (values[i] as number)));
    adjusted[i] = least;
  }
  return adjusted;
}
