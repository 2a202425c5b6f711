/**
 * Means over cells that differ in their seeds, or also in settings, with 95 % intervals. Three things could have come out
 * differently: the test images, the draws of training labels, and the training. The images' part follows from the scores of
 * each; the draws' is what a cell's own interval has beyond that; the trainings' is how much networks differ that have all but
 * their seed in common, together for the whole study, as two or three seeds of one cell say next to nothing. Many cells are
 * compared with one untrained network: its luck is counted once.
 */
import { isBelowGuessing } from "../../evaluate/compare.ts";
import { mean } from "../../evaluate/protocol.ts";
import { holm, studentInterval, studentPValue, unlessFewDiffer } from "../../evaluate/statistics.ts";
import { freedomOf, type Part } from "../../evaluate/variance.ts";
import { improvement } from "../../metric.ts";
import type { CellResult } from "../grid/cell.ts";
import { type Grid, groupBy, startOf } from "./grid.ts";

/** A number of each cell. */
export interface Measure {
  /** Whose luck is in it. */
  of: readonly (keyof Spread)[];
  value(cell: CellResult): number;
  /** Of each test image. */
  images(cell: CellResult): ArrayLike<number>;
  /** Its own 95 % interval, which allows for images and draws. */
  interval(cell: CellResult): { low: number; high: number };
  /** Its variance from draws of labels, beyond that from the test images. */
  draws(cell: CellResult): number;
}

/** By how much an encoder is better than the same network untrained. */
export const gain: Measure = {
  of: ["trained", "untrained"],
  value: ({ difference }) => difference.difference,
  images: ({ difference, perImage: { trained, untrained } }) =>
    Float64Array.from(trained, (score, i) => improvement(difference.metric, score, untrained[i] as number)),
  interval: ({ difference }) => difference,
  draws: ({ drawVariance }) => drawVariance.gain,
};

/** The metric of an encoder. */
export const performance: Measure = {
  of: ["trained"],
  value: ({ difference }) => difference.value,
  images: ({ perImage }) => perImage.trained,
  interval: (cell) => rowInterval(cell, cell.difference.id, cell.difference.layer, cell.difference.value),
  draws: ({ drawVariance }) => drawVariance.trained,
};

/**
 * The same to be compared with that of other networks: with a sign, so that a higher number is better, and without what other
 * draws of labels would change for all networks. What they change for this one is half of what they change in its difference
 * to the untrained network, as that is one of two.
 */
export const quality: Measure = {
  of: ["trained"],
  value: ({ difference }) => improvement(difference.metric, difference.value, 0),
  images: ({ difference, perImage }) =>
    Float64Array.from(perImage.trained, (score) => improvement(difference.metric, score, 0)),
  interval: performance.interval,
  draws: ({ drawVariance }) => drawVariance.gain / 2,
};

/** The metric of the untrained network. */
export const start: Measure = {
  of: ["untrained"],
  value: ({ difference }) => difference.baselineValue,
  images: ({ perImage }) => perImage.untrained,
  interval(cell) {
    const { baselineId, baselineLayer, baselineValue } = cell.difference;
    return rowInterval(cell, baselineId, baselineLayer, baselineValue);
  },
  draws: ({ drawVariance }) => drawVariance.untrained,
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

/** The variance of the metric between networks that differ in their seed alone: freedom 0 if there are no two such. */
export interface Spread {
  trained: Chance;
  /** Each network counts once, however many cells are compared with it. */
  untrained: Chance;
}

/** What a source of chance adds to a variance. */
interface Chance extends Part {
  /** Its mean square, with what other images would change for each: where a few are alike by chance, it leaves nothing else. */
  square: number;
}

export function spreadOf(cells: readonly CellResult[], grid: Grid): Spread {
  const sample = (own: readonly CellResult[], measure: Measure): Sample => ({
    value: mean(own.map(measure.value)),
    images: meanRow(own.map(measure.images)),
  });
  const starts = [...groupBy(cells, startOf).values()];
  const places = groupBy(starts, ([one]) => startOf({ factors: { ...(one as CellResult).factors, seed: 0 } }));
  return {
    trained: seedVariance(
      [...groupBy(cells, grid.placeOf).values()].map((own) => own.map((cell) => sample([cell], performance))),
    ),
    untrained: seedVariance([...places.values()].map((own) => own.map((alike) => sample(alike, start)))),
  };
}

type Sample = Pick<Estimate, "value" | "images">;

/** Within groups; the images' scores tell what other images would change. */
function seedVariance(groups: readonly (readonly Sample[])[]): Chance {
  let [squares, ofImages, freedom] = [0, 0, 0];
  for (const group of groups) {
    if (group.length < 2) continue;
    const middle = mean(group.map(({ value }) => value));
    squares += group.reduce((sum, { value }) => sum + (value - middle) ** 2, 0);
    freedom += group.length - 1;
    // What the networks differ in on single images.
    const together = meanRow(group.map(({ images }) => images));
    const n = together.length;
    for (const { value, images } of group) {
      const rest = images.map((score, i) => score - (together[i] as number) - value + middle);
      ofImages += rest.reduce((sum, one) => sum + one ** 2, 0) / Math.max(1, n - 1) / n;
    }
  }
  const each = Math.max(1, freedom);
  return { variance: Math.max(0, (squares - ofImages) / each), square: squares / each, freedom };
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
  /** What `luck` consists of. */
  sources: { trained: Source; untrained: Source; draws: Chance };
}

/** Networks that differ in their seed alone. */
interface Source {
  /** Of one network. */
  spread: Chance;
  /** How much each counts. */
  weights: ReadonlyMap<string, number>;
}

/** The mean over some cells, each network in each setting once, however many seeds it has. @throws TypeError for none */
export function estimate(cells: readonly CellResult[], measure: Measure, spread: Spread): Estimate {
  const weights = seedWeights(cells);
  const average = (of: (cell: CellResult) => number) =>
    cells.reduce((sum, cell, i) => sum + (weights[i] as number) * of(cell), 0);
  const images = meanRow(cells.map(measure.images), weights);
  const value = average(measure.value);
  const source = (kind: keyof Spread, network: (cell: CellResult) => string): Source => {
    const own = new Map<string, number>();
    const counted = measure.of.includes(kind) ? cells : [];
    for (const [i, cell] of counted.entries())
      own.set(network(cell), (own.get(network(cell)) ?? 0) + (weights[i] as number));
    return { spread: spread[kind], weights: own };
  };
  const sources = {
    trained: source("trained", ({ name }) => name),
    untrained: source("untrained", startOf),
    draws: chance(
      average(measure.draws),
      average(({ difference }) => difference.draws - 1),
    ),
  };
  const parts = [partOf(sources.trained), partOf(sources.untrained), sources.draws];
  const luck = total(parts);
  const common = { value, images, luck, freedom: freedomOfAll(luck, parts), sources };
  const tested = student(value, images, parts);
  const [lone] = cells;
  if (cells.length > 1 || measure.of.some((kind) => spread[kind].freedom) || !lone) return { ...common, ...tested };
  const { low, high } = measure.interval(lone);
  return { ...common, low, high, p: tested.p };
}

/** Of the mean over these networks, or of its difference to another mean: what both have in common cancels. */
function partOf({ spread, weights }: Source, other?: Source): Chance {
  const networks = [...new Set([...weights.keys(), ...(other?.weights.keys() ?? [])])];
  const squares = networks.map((one) => ((weights.get(one) ?? 0) - (other?.weights.get(one) ?? 0)) ** 2);
  const times = squares.reduce((sum, one) => sum + one, 0);
  return { variance: times * spread.variance, square: times * spread.square, freedom: spread.freedom };
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

/** Whether these cells gain, and none of the gains says anything. */
export const isIdleGain = (cells: readonly CellResult[]): boolean =>
  mean(cells.map(gain.value)) > 0 && cells.every(({ difference }) => isBelowGuessing(difference));

/** The difference of two means on the same images, a − b, with its interval. */
export function contrast(a: Estimate, b: Estimate): Pick<Estimate, "value" | "low" | "high" | "p"> {
  const images = Float64Array.from(a.images, (score, i) => score - (b.images[i] as number));
  const value = a.value - b.value;
  const [one, other] = [a.sources, b.sources];
  const ofNetworks = [partOf(one.trained, other.trained), partOf(one.untrained, other.untrained)];
  return { value, ...student(value, images, [...ofNetworks, one.draws, other.draws]) };
}

/** Which of several p-values are below 0.05 when corrected for their number. */
export const significant = (values: readonly number[]): boolean[] => holm(values).map((p) => p < 0.05);

/**
 * The interval and the p-value of a mean over images that these parts of its variance are added to. Where groups of images differ in
 * size, their values depend on one another, so that few that differ are not seen.
 */
function student(
  value: number,
  images: Float64Array,
  others: readonly Chance[],
): { low: number; high: number; p: number } {
  const parts = [...others, chance(varianceOfMean(images), images.length - 1)];
  const variance = total(parts);
  const estimate = { mean: value, variance, freedom: freedomOfAll(variance, parts) };
  const { low, high } = studentInterval(estimate);
  return { low, high, p: unlessFewDiffer(studentPValue(estimate), images) };
}

const chance = (variance: number, freedom: number): Chance => ({
  ...{ variance, square: variance },
  freedom: Math.max(1, freedom),
});

const freedomOfAll = (variance: number, parts: readonly Chance[]): number =>
  freedomOf(
    variance,
    parts.map(({ square, freedom }) => ({ variance: square, freedom })),
    parts,
  );

const total = (parts: readonly Part[]): number => parts.reduce((sum, part) => sum + part.variance, 0);

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
