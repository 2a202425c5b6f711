/**
 * Means over cells that differ in their seeds, or also in settings, with 95 % intervals. Three things could have come out
 * differently: the test images, the draws of training labels, and the training. The images' part follows from the scores of
 * each; the draws' is what a cell's own interval has beyond that; the trainings' is how much cells differ that have all but
 * their seed in common, together for the whole study, as two or three seeds of one cell say next to nothing.
 */
import { mean } from "../../evaluate/protocol.ts";
import { holm, studentInterval, studentPValue } from "../../evaluate/statistics.ts";
import { type MeanEstimate, satterthwaite } from "../../evaluate/variance.ts";
import { improvement } from "../../metric.ts";
import type { CellResult } from "../grid/cell.ts";
import { type Grid, groupBy } from "./grid.ts";

/** A number of each cell. */
export interface Measure {
  value(cell: CellResult): number;
  /** Of each test image. */
  images(cell: CellResult): ArrayLike<number>;
  /** Its own 95 % interval, which allows for images and draws. */
  interval(cell: CellResult): { low: number; high: number };
  /** The part of its variance that comes from draws of labels. Default: what its interval has beyond the images. */
  draws?(cell: CellResult): number;
}

/** By how much an encoder is better than the same network untrained. */
export const gain: Measure = {
  value: ({ difference }) => difference.difference,
  images: ({ difference, perImage: { trained, untrained } }) =>
    Float64Array.from(trained, (score, i) => improvement(difference.metric, score, untrained[i] as number)),
  interval: ({ difference }) => difference,
  draws(cell) {
    const { images } = cell.difference.shares; // of the whole variance, whose other part is the draws'
    return images > 0 ? Math.max(0, (1 / images - 1) * varianceOfMean(gain.images(cell))) : beyondImages(cell, gain);
  },
};

/** The metric of an encoder. */
export const performance: Measure = {
  value: ({ difference }) => difference.value,
  images: ({ perImage }) => perImage.trained,
  interval: (cell) => rowInterval(cell, cell.difference.id, cell.difference.layer, cell.difference.value),
};

/**
 * The same to be compared with that of other networks: with a sign, so that a higher number is better, and without what other
 * draws of labels would change for all networks. What they change for this one is half of what they change in its difference
 * to the untrained network, as that is one of two.
 */
export const quality: Measure = {
  value: ({ difference }) => improvement(difference.metric, difference.value, 0),
  images: ({ difference, perImage }) =>
    Float64Array.from(perImage.trained, (score) => improvement(difference.metric, score, 0)),
  interval: performance.interval,
  draws: (cell) => drawVariance(cell, gain) / 2,
};

/** The metric of the untrained network. */
export const start: Measure = {
  value: ({ difference }) => difference.baselineValue,
  images: ({ perImage }) => perImage.untrained,
  interval(cell) {
    const { baselineId, baselineLayer, baselineValue } = cell.difference;
    return rowInterval(cell, baselineId, baselineLayer, baselineValue);
  },
};

/** The interval of what the difference was computed from: a value without a width if its row is missing. */
function rowInterval(
  { rows, difference: { protocol, labelsPerClass } }: CellResult,
  id: string,
  layer: string,
  value: number,
): { low: number; high: number } {
  const row = rows.find(
    (one) => one.id === id && one.layer === layer && one.protocol === protocol && one.labelsPerClass === labelsPerClass,
  );
  return row ?? { low: value, high: value };
}

/** The variance between trainings that differ in their seed alone. */
export interface Spread {
  variance: number;
  /** Degrees of freedom; 0 if no cell was trained twice. */
  freedom: number;
}

/** Without what other test images would change, which the images' scores tell. */
export function spreadOf(cells: readonly CellResult[], grid: Grid, measure: Measure): Spread {
  const groups = groupBy(cells, grid.placeOf);
  let [squares, ofImages, freedom] = [0, 0, 0];
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    const values = group.map(measure.value);
    const middle = mean(values);
    squares += values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
    freedom += group.length - 1;
    // What the trainings differ in on single images.
    const rows = group.map(measure.images);
    const together = meanRow(rows);
    const rest = rows.map((row, i) =>
      Float64Array.from(row, (value, image) => value - (together[image] as number) - (values[i] as number) + middle),
    );
    const n = together.length;
    ofImages +=
      rest.reduce((sum, row) => sum + row.reduce((total, value) => total + value ** 2, 0), 0) / Math.max(1, n - 1) / n;
  }
  return freedom ? { variance: Math.max(0, (squares - ofImages) / freedom), freedom } : { variance: 0, freedom: 0 };
}

export interface Estimate {
  value: number;
  low: number;
  high: number;
  /** Probability of a mean as far from 0 by chance alone; not corrected for other comparisons. */
  p: number;
  /** Scores of each test image, averaged over the cells. */
  images: Float64Array;
  /** Variance of the value from other trainings and draws: what resampling the images does not show. */
  luck: number;
  /** Degrees of freedom of `luck`. */
  freedom: number;
}

/** The mean over some cells, each network in each setting once, however many seeds it has. @throws TypeError for none */
export function estimate(cells: readonly CellResult[], measure: Measure, spread: Spread): Estimate {
  const weights = seedWeights(cells);
  const average = (of: (cell: CellResult) => number) =>
    cells.reduce((sum, cell, i) => sum + (weights[i] as number) * of(cell), 0);
  const images = meanRow(cells.map(measure.images), weights);
  const value = average(measure.value);
  const draws = average((cell) => drawVariance(cell, measure));
  const trainings = spread.variance * weights.reduce((sum, weight) => sum + weight ** 2, 0);
  const parts = [
    { variance: trainings, freedom: spread.freedom },
    { variance: draws, freedom: average((cell) => Math.max(1, cell.difference.draws - 1)) },
  ];
  const common = { value, images, luck: trainings + draws, freedom: satterthwaite(total(parts), parts) };
  const [lone] = cells;
  const all = [...parts, { variance: varianceOfMean(images), freedom: Math.max(1, images.length - 1) }];
  const tested = student(value, all);
  if (cells.length > 1 || spread.freedom || !lone) return { ...common, ...tested };
  const { low, high } = measure.interval(lone);
  return { ...common, low, high, p: tested.p };
}

/** Sum to 1. Cells that differ in their seed alone share a weight. */
function seedWeights(cells: readonly CellResult[]): number[] {
  const keys = cells.map(({ factors }) => JSON.stringify({ ...factors, seed: undefined }));
  const groups = groupBy(keys, (key) => key);
  return keys.map((key) => 1 / groups.size / (groups.get(key)?.length as number));
}

/** The p-value of a gain. A lone cell has that of its own test, too, which is valid for few images. */
export const testedGain = (cells: readonly CellResult[], { p }: Pick<Estimate, "p">): number =>
  Math.max(p, cells.length === 1 ? (cells[0] as CellResult).difference.p : 0);

/** The difference of two means on the same images, a − b, with its interval. */
export function contrast(a: Estimate, b: Estimate): Pick<Estimate, "value" | "low" | "high" | "p"> {
  const images = Float64Array.from(a.images, (score, i) => score - (b.images[i] as number));
  const value = a.value - b.value;
  return {
    value,
    ...student(value, [
      { variance: varianceOfMean(images), freedom: Math.max(1, images.length - 1) },
      { variance: a.luck, freedom: a.freedom },
      { variance: b.luck, freedom: b.freedom },
    ]),
  };
}

/** Which of several p-values are below 0.05 when corrected for their number. */
export const significant = (values: readonly number[]): boolean[] => holm(values).map((p) => p < 0.05);

type Part = Pick<MeanEstimate, "variance" | "freedom">;

/** The interval and the p-value of a value whose variance is the sum of these. */
function student(value: number, parts: readonly Part[]): { low: number; high: number; p: number } {
  const variance = total(parts);
  const estimate = { mean: value, variance, freedom: satterthwaite(variance, parts) };
  const { low, high } = studentInterval(estimate);
  return { low, high, p: studentPValue(estimate) };
}

const total = (parts: readonly Part[]): number => parts.reduce((sum, part) => sum + part.variance, 0);

const drawVariance = (cell: CellResult, measure: Measure): number =>
  measure.draws?.(cell) ?? beyondImages(cell, measure);

/** The variance that a cell's own interval has beyond that of the test images. */
function beyondImages(cell: CellResult, measure: Measure): number {
  const { low, high } = measure.interval(cell);
  return Math.max(0, ((high - low) / 2 / 1.96) ** 2 - varianceOfMean(measure.images(cell)));
}

function varianceOfMean(values: ArrayLike<number>): number {
  const n = values.length;
  if (n < 2) return 0;
  const list = Array.from(values);
  const middle = mean(list);
  return list.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (n - 1) / n;
}

/** @param weights sum to 1; default: the same for all */
function meanRow(rows: readonly ArrayLike<number>[], weights = rows.map(() => 1 / rows.length)): Float64Array {
  return Float64Array.from(rows[0] ?? [], (_, i) =>
    rows.reduce((sum, row, k) => sum + (weights[k] as number) * (row[i] as number), 0),
  );
}
