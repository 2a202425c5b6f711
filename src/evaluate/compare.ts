/** Compares every trained encoder with its baselines. */
import { improvement } from "../metric.ts";
import type { Protocol } from "./protocol.ts";
import type { Representation } from "./representations.ts";
import type { Difference, ResultRow } from "./result.ts";
import { holm, meanInterval, signFlipTest, subtract } from "./statistics.ts";
import { intervalOf, valuesOf } from "./uncertainty.ts";
import type { Rows } from "./variance.ts";

/** A row, and the data it was computed from. */
export interface Measured {
  row: ResultRow;
  protocol: Protocol;
  /** Draws × test images. */
  scores: unknown[][];
  /** Draws × test images, where predictions are classes. */
  predictions?: number[][];
  /** The metric on held-out training images. */
  heldOut: number;
}

/** Values shared by all comparisons of an evaluation. */
export interface Common {
  seed: number;
  /** Number of classes: it determines the score of guessing. */
  classes: number;
  /** Number of test images that each run has seen, by its id. */
  seen: ReadonlyMap<string, number | undefined>;
}

/**
 * For each protocol and number of labels: each encoder's layer that was best on held-out labels, against each baseline's. Then
 * all runs of one recipe against all their baselines: whether the recipe helps, not just one training of it.
 */
export function compare(
  measured: readonly Measured[],
  representations: readonly Representation[],
  common: Common,
): Difference[] {
  const best = new Map<string, Measured>();
  for (const one of measured) {
    const key = keyOf(one.row, one.row.id);
    const before = best.get(key);
    if (!before || Number.isNaN(one.heldOut) || improvement(one.row.metric, one.heldOut, before.heldOut) > 0)
      best.set(key, one); // with nothing held out, the last layer
  }
  const trained = representations.filter(({ baselines }) => baselines.length);
  const recipes = [...new Set(trained.map(({ recipe }) => recipe))].filter((recipe) => recipe !== undefined);
  const alike = recipes.map((recipe) => trained.filter((one) => one.recipe === recipe));
  const groups = [...trained.map((one) => [one]), ...alike.filter(({ length }) => length > 1)];
  const conditions = new Map(measured.map(({ row }) => [keyOf(row, ""), row]));
  const differences = groups.flatMap((group) =>
    [...conditions.values()].flatMap((condition) => {
      const found = (ids: readonly string[]) => ids.flatMap((id) => best.get(keyOf(condition, id)) ?? []);
      const ours = found(group.map(({ id }) => id));
      return (group[0] as Representation).baselines.flatMap((_, i) => {
        const theirs = found(group.map(({ baselines }) => baselines[i] as string));
        return ours.length && theirs.length === ours.length ? [differenceOf(ours, theirs, common)] : []; // pixels have no encoder to train
      });
    }),
  );
  const adjusted = holm(differences.map(({ p }) => p));
  return differences.map((one, i) => ({ ...one, p: adjusted[i] as number, comparisons: differences.length }));
}

/** Compares trainings with the same number of baselines, pair by pair. */
function differenceOf(
  ours: readonly Measured[],
  theirs: readonly Measured[],
  { seed, classes, seen }: Common,
): Omit<Difference, "comparisons"> {
  const { protocol, row } = ours[0] as Measured;
  const { id, metric, labelsPerClass, n } = row;
  const baseline = (theirs[0] as Measured).row;
  const [a, b] = [together(ours), together(theirs)];
  const options = { seed, trainings: ours.length };
  const { reduce } = protocol;
  // Subtract so that an interval above zero is a gain, whether higher or lower values are better.
  const [better, worse] = (metric.better === "higher" ? [a, b] : [b, a]).map(({ scores }) =>
    valuesOf(scores, reduce, seed),
  ) as [Rows, Rows];
  const differences = subtract(better, worse);
  const { value, low, high } = meanInterval(differences, options);
  const difference = improvement(metric, a.value, b.value);
  const shift = difference - value; // 0 but for rounding and a jackknife's correction of the bias
  return {
    ...{ id, encoder: a.label, layer: a.layer, value: a.value },
    ...{ baselineId: baseline.id, baseline: b.label, baselineLayer: b.layer, baselineValue: b.value },
    baselineKind: baseline.kind,
    protocol: row.protocol,
    ...{ metric, labelsPerClass, n, difference, low: low + shift, high: high + shift },
    valueLow: intervalOf(a.scores, reduce, options).low,
    p: signFlipTest(differences, { seed }),
    chance: protocol.guess(classes, a.scores[0]),
    draws: a.scores.length,
    seen: mostSeen(ours.map((one) => seen.get(one.row.id))),
  };
}

function mostSeen(counts: readonly (number | undefined)[]): number | null {
  return counts.includes(undefined) ? null : Math.max(...(counts as number[]));
}

function together(several: readonly Measured[]) {
  const labels = new Set(several.map(({ row }) => row.encoder));
  const [label] = labels;
  return {
    label: labels.size > 1 ? `${label} and ${labels.size - 1} more` : `${label}`,
    layer: [...new Set(several.map(({ row }) => row.layer))].join(", "),
    value: several.reduce((sum, { row }) => sum + row.value, 0) / several.length,
    scores: several.flatMap(({ scores }) => scores),
  };
}

const keyOf = ({ protocol, labelsPerClass }: ResultRow, id: string) => JSON.stringify([protocol, labelsPerClass, id]);
