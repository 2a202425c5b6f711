/** Means over images of what is measured of maps, with 95 % intervals, and paired differences between encoders. */
import type { LayerMeasures } from "../inspect/attention/measure-maps.ts";
import type { Measure } from "../inspect/attention/measures.ts";
import { groupsOf } from "./groups.ts";
import { mean } from "./protocol.ts";
import { holm, type Interval, pValue, studentInterval } from "./statistics.ts";
import { flippedOf, intervalOf, valuesOf } from "./uncertainty.ts";
import { estimateMean } from "./variance.ts";

/** The mean of one measure of one encoder's layer, over the images that have it. */
export interface MapNumber extends Interval {
  encoder: string;
  layer: string;
  measure: Measure;
  /** Number of images. */
  n: number;
}

/** How much larger one encoder's mean is than another's, on the same images. */
export interface MapDifference extends Interval {
  encoder: string;
  baseline: string;
  layer: string;
  /** The baseline's, if it has no layer of that name: the last. */
  baselineLayer: string;
  measure: Measure;
  /** Number of images that both have the measure of. */
  n: number;
  /** Probability of such a difference by chance alone, corrected for all comparisons (Holm). */
  p: number;
  comparisons: number;
}

/** An interval says nothing with fewer images. */
const FEWEST = 2;

/**
 * Leaves out measures that fewer than two images have, or groups of these.
 * @param groups each image's group (N), of `measureMaps`; by default each image is alone
 */
export function mapNumbers(layers: readonly LayerMeasures[], groups?: ArrayLike<string | number>): MapNumber[] {
  return layers.flatMap(({ label, layer, values }) =>
    measuresOf(values).flatMap(([measure, column]): MapNumber[] => {
      const rows = Array.from(column, (_, i) => i).filter((i) => !Number.isNaN(column[i]));
      const known = rows.map((i) => column[i] as number);
      const values = valuesOf([known], mean, groupsOf(rows, groups));
      if ((values[0]?.length ?? 0) < FEWEST) return [];
      return [{ encoder: label, layer, measure, ...intervalOf([known], values, mean), n: known.length }];
    }),
  );
}

/** What to compare: fewer comparisons leave each of them more certain. Default: all. */
export interface MapComparisons {
  measures?: readonly Measure[] | undefined;
  /** Whether these two are compared in this measure, by their labels. */
  pair?: ((encoder: string, baseline: string, measure: Measure) => boolean) | undefined;
  /** Each image's group (N), of `measureMaps`; by default each image is alone. */
  groups?: ArrayLike<string | number> | undefined;
}

/** Every encoder against each that comes after it, image by image; layer by layer where they share names, else their last layers. */
export function mapDifferences(
  layers: readonly LayerMeasures[],
  { measures, pair = () => true, groups }: MapComparisons = {},
): MapDifference[] {
  const labels = [...new Set(layers.map(({ label }) => label))];
  const of = (label: string) => layers.filter((one) => one.label === label);
  const pairs = labels.flatMap((label, i) => {
    return labels.slice(i + 1).flatMap((other) => layerPairs(of(label), of(other)));
  });
  const differences = pairs.flatMap(([ours, theirs]) =>
    measuresOf(ours.values)
      .filter(([measure]) => (measures?.includes(measure) ?? true) && pair(ours.label, theirs.label, measure))
      .flatMap(([measure]) => difference(ours, theirs, measure, groups) ?? []),
  );
  const adjusted = holm(differences.map(({ p }) => p));
  return differences.map((one, i) => ({ ...one, p: adjusted[i] as number, comparisons: differences.length }));
}

function layerPairs(
  ours: readonly LayerMeasures[],
  theirs: readonly LayerMeasures[],
): [LayerMeasures, LayerMeasures][] {
  const shared = ours.flatMap((one): [LayerMeasures, LayerMeasures][] => {
    const other = theirs.find(({ layer }) => layer === one.layer);
    return other ? [[one, other]] : [];
  });
  const [last, otherLast] = [ours.at(-1), theirs.at(-1)];
  return shared.length || !last || !otherLast ? shared : [[last, otherLast]];
}

function difference(
  ours: LayerMeasures,
  theirs: LayerMeasures,
  measure: Measure,
  groups: ArrayLike<string | number> | undefined,
): Omit<MapDifference, "comparisons"> | undefined {
  const [a, b] = [ours.values[measure], theirs.values[measure]];
  if (!a || !b) return undefined;
  const rows = Array.from(a, (_, i) => i).filter((i) => !Number.isNaN(a[i]) && !Number.isNaN(b[i]));
  const scores = [rows.map((i) => (a[i] as number) - (b[i] as number))];
  const own = groupsOf(rows, groups);
  const values = valuesOf(scores, mean, own);
  if ((values[0]?.length ?? 0) < FEWEST) return undefined;
  const estimate = estimateMean(values);
  return {
    encoder: ours.label,
    baseline: theirs.label,
    layer: ours.layer,
    baselineLayer: theirs.layer,
    measure,
    ...studentInterval(estimate),
    p: pValue(flippedOf(scores, values, mean, own), estimate),
    n: rows.length,
  };
}

const measuresOf = (values: LayerMeasures["values"]) => Object.entries(values) as [Measure, Float64Array][];
