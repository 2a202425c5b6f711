/** Intervals and p-values of means over trainings, draws of training labels and test images. The variance is that of variance.ts. */
import jstat from "jstat";
import { SelfsightError } from "../errors.ts";
import { checkShape, estimateMean, type MeanEstimate, type Rows } from "./variance.ts";

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
  return studentInterval(estimateMean(rows, trainings), level);
}

/** The interval of a mean that was estimated. */
export function studentInterval({ mean, variance, freedom }: Omit<MeanEstimate, "shares">, level = 0.95): Interval {
  const half = variance > 0 ? studentQuantile((1 + level) / 2, freedom) * Math.sqrt(variance) : 0;
  return { value: mean, low: mean - half, high: mean + half };
}

/**
 * The mean of values between 0 and 1 (or of groups of such values, which may lie outside) with its 95 % interval: Wilson's, for as
 * many independent answers as would have the variance that was found (Korn & Graubard, Survey Methodology 1998). It stays within
 * 0 and 1, and has a width even if all answers are right.
 * @throws SelfsightError as {@link meanInterval}
 */
export function fractionInterval(rows: Rows, { level = 0.95, trainings = 1 }: IntervalOptions = {}): Interval {
  return wilson(estimateMean(rows, trainings), checkShape(rows), level);
}

/** Wilson's interval of a fraction that was estimated. @param alike how many answers it counts for if none of them differ */
export function wilson(
  { mean, variance, freedom }: Omit<MeanEstimate, "shares">,
  alike: number,
  level = 0.95,
): Interval {
  const p = Math.max(0, Math.min(1, mean)); // but for rounding
  const size = variance > 0 ? (p * (1 - p)) / variance : alike;
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
  return a.map((row, draw) => weighted(row, 1, b[draw] as ArrayLike<number>, -1));
}

/** u · a + v · b, value by value, of rows that are equally long. A plain loop: label savings ask for millions of values. */
export function weighted(a: ArrayLike<number>, u: number, b: ArrayLike<number>, v: number): Float64Array {
  const sum = new Float64Array(a.length);
  for (let i = 0; i < sum.length; i++) sum[i] = u * (a[i] as number) + v * (b[i] as number);
  return sum;
}

/** The difference of two means, a − b, with its 95 % interval. What is hard for both does not widen it. */
export function pairedInterval(a: Rows, b: Rows, options: IntervalOptions = {}): Interval {
  return meanInterval(subtract(a, b), options);
}

/** The value that Student's t with that many degrees of freedom is below with probability p. */
export function studentQuantile(p: number, freedom: number): number {
  return jstat.studentt.inv(p, Math.min(freedom, 1e6));
}

/** With no more images that differ than this, every assignment of their signs is tried. */
const FEW = 16;

/**
 * How often chance alone gives a mean as far from 0, in either direction: by Student's t, with the same variance and degrees of
 * freedom as the interval. Where few images differ, Student's t is too sure: four that all differ in one direction have no
 * variance at all. There it is the larger of that p-value and {@link signFlipTest}'s. Where more than {@link FEW} differ, Student's
 * t has close to its nominal errors (counted exactly for one draw: bench/README.md), and an exact test costs power
 * (Fagerland, Lydersen & Laake, BMC Medical Research Methodology 2013, https://doi.org/10.1186/1471-2288-13-91).
 * @param differences (draws × images or groups), with their signs to flip
 * @param estimate of their mean
 */
export function pValue(differences: Rows, estimate: MeanEstimate): number {
  const sums = Array.from({ length: checkShape(differences) }, (_, i) =>
    differences.reduce((sum, row) => sum + (row[i] as number), 0),
  );
  return unlessFewDiffer(studentPValue(estimate), sums);
}

/** A p-value by Student's t; where few images differ, no smaller than that of {@link signFlipTest}. @param sums one for each image or group */
export function unlessFewDiffer(student: number, sums: ArrayLike<number>): number {
  const differing = Array.from(sums).filter((sum) => sum !== 0);
  return differing.length > FEW ? student : Math.max(student, signFlipTest(differing));
}

/** The two-sided p-value of a mean against 0, by Student's t. It is 0.05 where the 95 % interval ends at 0. */
export function studentPValue({ mean, variance, freedom }: Omit<MeanEstimate, "shares">): number {
  if (variance === 0) return mean === 0 ? 1 : 0;
  return 2 * jstat.studentt.cdf(-Math.abs(mean) / Math.sqrt(variance), Math.min(freedom, 1e6));
}

/**
 * The paired randomization test (Dror et al., ACL 2018, section 3.2, https://aclanthology.org/P18-1128): the fraction of all
 * assignments of signs whose sum is as far from 0. It knows nothing of the variance between draws and trainings.
 * @param sums one number for each image, of at most about 20
 */
export function signFlipTest(sums: readonly number[]): number {
  const [first = 0, ...others] = sums; // its sign may stay: each assignment and its opposite are equally far from 0
  const least = Math.abs(sums.reduce((total, sum) => total + sum, 0)) * (1 - 1e-12);
  const assignments = 2 ** others.length;
  let asFar = 0;
  for (let signs = 0; signs < assignments; signs++) {
    const total = others.reduce((sum, one, i) => sum + (signs & (1 << i) ? one : -one), first);
    if (Math.abs(total) >= least) asFar++;
  }
  return asFar / assignments;
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

/** The nearest values that never decrease (pool adjacent violators; Barlow et al. 1972). */
export function isotonic(values: readonly number[]): number[] {
  const blocks: { sum: number; size: number }[] = [];
  for (const value of values) {
    let block = { sum: value, size: 1 };
    for (let last = blocks.at(-1); last && last.sum / last.size > block.sum / block.size; last = blocks.at(-1)) {
      blocks.pop();
      block = { sum: block.sum + last.sum, size: block.size + last.size };
    }
    blocks.push(block);
  }
  return blocks.flatMap(({ sum, size }) => new Array<number>(size).fill(sum / size));
}
