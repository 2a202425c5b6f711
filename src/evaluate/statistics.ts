/**
 * Percentile bootstrap: how much would the result change with other test images and other draws of training labels? Both
 * are resampled independently (the pigeonhole bootstrap: Owen, Annals of Applied Statistics 2007,
 * https://arxiv.org/abs/0712.1111). It counts the variance of single answers up to three times: where draws disagree about
 * single images, its intervals are too wide. With few images, percentile intervals are too narrow, like normal intervals next
 * to Student's: they are widened by the same amount (Hesterberg 2015, section 5.3, https://arxiv.org/abs/1411.5279).
 */
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";
import { errorFunction, probit, quantileSorted } from "simple-statistics";
import { SelfsightError } from "../errors.ts";
import { randomAt } from "../random.ts";

export interface BootstrapOptions {
  seed?: number;
  resamples?: number;
  /** Fraction of the resampled means that lie within the interval. */
  level?: number;
  /** The draws come from this many trainings, the same number from each, grouped by training. Trainings are resampled first. */
  trainings?: number;
  /** (N): the class of each test image. With labels, the mean of the classes' accuracies; without, the accuracy over all images. */
  labels?: ArrayLike<number>;
}

export interface Interval {
  value: number;
  /** 95 % interval. */
  low: number;
  high: number;
}

/** One array of N per draw: 1 where the test image was classified correctly, else 0. */
export type Correct = readonly ArrayLike<number>[];

/**
 * Accuracy over all draws with its 95 % interval. If all answers are the same, the interval has zero width: a bootstrap
 * cannot see what never happened.
 * @throws SelfsightError for no draws, no images, or draws with different numbers of images
 */
export function bootstrapMean(correct: Correct, options: BootstrapOptions = {}): Interval {
  checkShape(correct);
  return bootstrap(correct, options);
}

/**
 * Difference of two accuracies, a − b, with its 95 % interval. Both get the same resampled images and draws, so that
 * what is hard for both does not widen the interval.
 * @throws SelfsightError if the two were not measured on the same images and draws
 */
export function pairedBootstrap(
  a: Correct,
  b: Correct,
  options: BootstrapOptions = {},
): { difference: number; low: number; high: number } {
  if (checkShape(a) !== checkShape(b) || a.length !== b.length) {
    throw new SelfsightError(
      `Only what was measured on the same images and draws can be paired: ${a.length} draws of ${a[0]?.length} images ` +
        `came with ${b.length} of ${b[0]?.length}.`,
    );
  }
  const differences = a.map((correct, draw) => Int8Array.from(correct, (one, i) => one - (b[draw]?.[i] ?? 0)));
  const { value, low, high } = bootstrap(differences, options);
  return { difference: value, low, high };
}

function bootstrap(correct: Correct, options: BootstrapOptions): Interval {
  const images = correct[0]?.length ?? 0;
  const classes = classesOf(images, options.labels);
  const scores = new Float64Array(images);
  return resample({ draws: correct.length, images }, options, (draws, chosen) => {
    addUp(correct, draws, scores); // sum over the draws first: then a resample is one pass over the images
    return classMean(scores, chosen, classes) / correct.length;
  });
}

/**
 * A statistic of some draws and images, with its interval over resamples of both.
 * @param statistic function of draw indices and image indices, where both may repeat
 */
export function resample(
  { draws: count, images }: { draws: number; images: number },
  { seed = 0, resamples = 2000, level = 0.95, trainings = 1 }: BootstrapOptions,
  statistic: (draws: readonly number[], images: Int32Array) => number,
): Interval {
  const random = randomAt(seed, count, images);
  const chosen = Int32Array.from({ length: images }, (_, i) => i);
  const each = count / trainings;
  if (!Number.isInteger(each)) throw new SelfsightError(`${count} draws are not as many of ${trainings} each.`);
  const value = statistic([...Array(count).keys()], chosen);
  const values = Float64Array.from({ length: resamples }, () => {
    const runs = Array.from({ length: trainings }, () => (trainings > 1 ? below(random, trainings) : 0));
    const draws = runs.flatMap((run) => Array.from({ length: each }, () => run * each + below(random, each)));
    for (let i = 0; i < images; i++) chosen[i] = below(random, images);
    return statistic(draws, chosen);
  });
  const sorted = Array.from(values.sort());
  const tail = expandedTail((1 - level) / 2, images);
  return { value, low: quantileSorted(sorted, tail), high: quantileSorted(sorted, 1 - tail) };
}

/** Fraction of the resamples to cut off at each end, so that an interval over `n` images has its nominal coverage. */
export function expandedTail(tail: number, n: number): number {
  if (n < 2) return 0;
  const reach = Math.sqrt(n / (n - 1)) * studentQuantile(1 - tail, n - 1);
  return (1 - errorFunction(reach / Math.SQRT2)) / 2;
}

/** Student's quantile by the Cornish-Fisher expansion; within 1 % from 4 degrees of freedom on (Abramowitz & Stegun 26.7.5). */
function studentQuantile(p: number, freedom: number): number {
  const z = probit(p);
  const terms = [
    z,
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
  ];
  return terms.reduce((sum, term, power) => sum + term / freedom ** power, 0);
}

/**
 * How often chance alone gives a difference as large as a − b in either direction: the signs of the images' differences
 * are flipped at random (the paired randomization test; Dror et al., ACL 2018, section 3.2, https://aclanthology.org/P18-1128).
 * It is valid for few images, where a bootstrap is not, but ignores the variance between draws.
 * @returns a p-value; below 1 / (flips + 1) it is an approximation
 */
export function signFlipTest(
  a: Correct,
  b: Correct,
  { seed = 0, flips = 4999 }: { seed?: number; flips?: number } = {},
): number {
  const images = checkShape(a);
  const sums = Array.from({ length: images }, (_, i) =>
    a.reduce((sum, correct, draw) => sum + (correct[i] as number) - (b[draw]?.[i] as number), 0),
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
    if (Math.abs(total) >= observed) asLarge++;
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

/** Counts each image's right answers over the given draws into `scores`. */
function addUp(correct: Correct, draws: Iterable<number>, scores: Float64Array): void {
  scores.fill(0);
  for (const draw of draws) {
    const row = correct[draw] as ArrayLike<number>;
    for (let i = 0; i < scores.length; i++) scores[i] = (scores[i] as number) + (row[i] as number);
  }
}

interface Classes {
  /** The class of each image (N). */
  readonly of: Int32Array;
  readonly count: number;
}

/** Without labels, all images are in one class. */
function classesOf(images: number, labels: ArrayLike<number> | undefined): Classes {
  if (!labels) return { of: new Int32Array(images), count: 1 };
  if (labels.length !== images) throw new SelfsightError(`${labels.length} labels came for ${images} test images.`);
  const of = Int32Array.from(labels);
  return { of, count: of.reduce((most, label) => Math.max(most, label), 0) + 1 };
}

/** The mean of the classes' mean scores over the chosen images; a class with no chosen image does not count. */
function classMean(scores: Float64Array, chosen: Int32Array, { of, count }: Classes): number {
  const sums = new Float64Array(count);
  const sizes = new Int32Array(count);
  for (let i = 0; i < chosen.length; i++) {
    const image = chosen[i] as number;
    const label = of[image] as number;
    sums[label] = (sums[label] as number) + (scores[image] as number);
    sizes[label] = (sizes[label] as number) + 1;
  }
  let total = 0;
  let present = 0;
  for (let label = 0; label < count; label++) {
    if (sizes[label] === 0) continue;
    total += (sums[label] as number) / (sizes[label] as number);
    present++;
  }
  return total / present;
}

/** An index in [0, count). No index is likelier than another by more than count / 2^32. */
function below(random: RandomGenerator, count: number): number {
  return Math.floor(((random.next() >>> 0) / 2 ** 32) * count);
}

/** The number of images. @throws SelfsightError for none, or if the draws differ in it */
function checkShape(correct: Correct): number {
  const images = correct[0]?.length ?? 0;
  if (images === 0) throw new SelfsightError("An accuracy needs at least one draw of labels and one test image.");
  const other = correct.find(({ length }) => length !== images);
  if (other) throw new SelfsightError(`Draws of different numbers of test images: ${images} and ${other.length}.`);
  return images;
}
