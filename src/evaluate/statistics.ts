/**
 * Percentile bootstrap: how far would the result move with other test images and other draws of training labels? Both
 * are resampled, with replacement. Efron & Tibshirani 1993, chapters 13 and 16.
 */
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { quantileSorted } from "simple-statistics";
import { randomAt } from "../random.ts";

export interface BootstrapOptions {
  resamples?: number;
  seed?: number;
}

/** 95 %. */
const TAIL = 0.025;

/**
 * Mean of marks with its 95 % interval.
 * @param marks draws × test images: 1 for right, 0 for wrong
 */
export function bootstrapMean(
  marks: readonly Uint8Array[],
  options: BootstrapOptions = {},
): { value: number; low: number; high: number } {
  const values = marks.map((draw) => Float64Array.from(draw));
  const [low, high] = interval(values, options);
  return { value: mean(values), low, high };
}

/**
 * Mean difference a − b with its 95 % interval. Image by image and draw by draw, so that what is hard for both does
 * not widen the interval.
 * @throws RangeError when the two were not measured on the same images and draws
 */
export function pairedBootstrap(
  a: readonly Uint8Array[],
  b: readonly Uint8Array[],
  options: BootstrapOptions = {},
): { difference: number; low: number; high: number } {
  if (a.length !== b.length || a.some((draw, i) => draw.length !== b[i]?.length)) {
    throw new RangeError(`expected the same draws and images, got ${sizes(a)} and ${sizes(b)}`);
  }
  const values = a.map((draw, i) => Float64Array.from(draw, (mark, j) => mark - (b[i]?.[j] ?? 0)));
  const [low, high] = interval(values, options);
  return { difference: mean(values), low, high };
}

function interval(
  values: readonly Float64Array[],
  { resamples = 2000, seed = 0 }: BootstrapOptions,
): [low: number, high: number] {
  const draws = values.length;
  const images = values[0]?.length ?? 0;
  if (!draws || !images) throw new RangeError(`expected at least one draw and one image, got ${draws} and ${images}`);
  const random = randomAt(seed, draws, images);
  const means = Float64Array.from({ length: resamples }, () => {
    // The draws' average per image first: then a resample is one pass over the images.
    const chosen = Array.from({ length: draws }, () => values[uniformInt(random, 0, draws - 1)] as Float64Array);
    let sum = 0;
    for (let i = 0; i < images; i++) {
      const image = uniformInt(random, 0, images - 1);
      for (const draw of chosen) sum += draw[image] as number;
    }
    return sum / (draws * images);
  });
  means.sort();
  return [quantileSorted(means as unknown as number[], TAIL), quantileSorted(means as unknown as number[], 1 - TAIL)];
}

function mean(values: readonly Float64Array[]): number {
  return values.reduce((sum, draw) => sum + draw.reduce((a, b) => a + b, 0) / draw.length, 0) / values.length;
}

function sizes(marks: readonly Uint8Array[]): string {
  return `${marks.length} × ${marks[0]?.length ?? 0}`;
}
