/** Intervals and p-values of a protocol's results: fast for a mean of numbers; any other metric is recomputed each time. */
import { randomAt } from "../random.ts";
import { mean } from "./protocol.ts";
import {
  type BootstrapOptions,
  bootstrapMean,
  type Correct,
  type Interval,
  pairedBootstrap,
  resample,
  signFlipTest,
} from "./statistics.ts";

/** Draws × test images. */
export type Scores = readonly (readonly unknown[])[];
type Reduce = (scores: ArrayLike<never>) => number;

/** Sign flips or swaps of pairs. Swaps give p-values of at least 1 / (FLIPS + 1). */
const FLIPS = 4999;

/** The metric over all draws, with its interval. */
export function intervalOf(scores: Scores, reduce: Reduce, options: BootstrapOptions = {}): Interval {
  if (isMean(reduce)) return bootstrapMean(scores as Correct, options);
  return resample(shapeOf(scores), options, (draws, images) => overDraws(scores, reduce, draws, images));
}

/** The difference a − b of two metrics on the same images and draws, with its interval. */
export function pairedInterval(a: Scores, b: Scores, reduce: Reduce, options: BootstrapOptions = {}): Interval {
  if (isMean(reduce)) {
    const { difference, ...bounds } = pairedBootstrap(a as Correct, b as Correct, options);
    return { value: difference, ...bounds };
  }
  return resample(
    shapeOf(a),
    options,
    (draws, images) => overDraws(a, reduce, draws, images) - overDraws(b, reduce, draws, images),
  );
}

/** How often chance alone gives a difference as large as a − b: each image's results are swapped between the two at random. */
export function pValue(a: Scores, b: Scores, reduce: Reduce, seed: number): number {
  if (isMean(reduce)) return signFlipTest(a as Correct, b as Correct, { seed, flips: FLIPS });
  const { draws, images } = shapeOf(a);
  const random = randomAt(seed, images, FLIPS);
  const difference = (swapped: readonly boolean[]) => {
    const side = (own: Scores, other: Scores) =>
      own.map((scores, draw) => scores.map((score, i) => (swapped[i] ? other[draw]?.[i] : score)));
    const [first, second] = [side(a, b), side(b, a)];
    const every = Int32Array.from({ length: images }, (_, i) => i);
    const all = [...Array(draws).keys()];
    return Math.abs(overDraws(first, reduce, all, every) - overDraws(second, reduce, all, every));
  };
  const observed = difference([]) - 1e-12;
  let asLarge = 0;
  for (let flip = 0; flip < FLIPS; flip++) {
    if (difference(Array.from({ length: images }, () => (random.next() & 1) === 1)) >= observed) asLarge++;
  }
  return (asLarge + 1) / (FLIPS + 1);
}

const isMean = (reduce: Reduce) => reduce === mean;

const shapeOf = (scores: Scores) => ({ draws: scores.length, images: scores[0]?.length ?? 0 });

function overDraws(scores: Scores, reduce: Reduce, draws: readonly number[], images: Int32Array): number {
  return mean(draws.map((draw) => reduce(Array.from(images, (i) => scores[draw]?.[i] as never))));
}
