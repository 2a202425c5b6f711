/** Compares every trained encoder with its baselines. */
import { improvement } from "../metric.ts";
import { sharesOf } from "./draws.ts";
import type { Protocol } from "./protocol.ts";
import type { Representation } from "./representations.ts";
import type { Difference, ResultRow } from "./result.ts";
import { holm, pValue, studentInterval, subtract } from "./statistics.ts";
import { answersOf, flippedOf, intervalOf } from "./uncertainty.ts";
import { estimateMean, type Rows } from "./variance.ts";

/** A row, and the data it was computed from. */
export interface Measured {
  row: ResultRow;
  protocol: Protocol;
  /** Draws × test images. */
  scores: unknown[][];
  /** The group of each test image; undefined if each is alone. */
  groups?: Int32Array | undefined;
  /** For each draw, independent numbers whose mean is the metric (`valuesOf`): for each test image, or for each group. */
  values: Rows;
  /** Draws × test images, where predictions are classes. */
  predictions?: number[][];
  /** The metric on held-out training images. */
  heldOut: number;
}

/** Whether a layer did better on held-out training labels than one before it. With nothing held out, the last is taken. */
export const isBetterLayer = ({ row, heldOut }: Measured, before: Measured): boolean =>
  Number.isNaN(heldOut) || improvement(row.metric, heldOut, before.heldOut) > 0;

/** How many images each class has (C), among those to test on and to learn from. */
export interface ClassCounts {
  readonly tested: readonly number[];
  readonly learned: readonly number[];
}

/** Values shared by all comparisons of an evaluation. */
export interface Common {
  /** Number of classes, and of each one's images: they determine the score of guessing. */
  classes: number;
  classCounts: ClassCounts;
  /** Number of test images that each run has seen, by its id. */
  seen: ReadonlyMap<string, number | undefined>;
}

/**
 * For each protocol and number of labels: each encoder's layer that was best on held-out labels, against each baseline's. Then
 * all runs of one recipe against all their baselines: whether the recipe helps, not just one training of it. Every p-value is
 * that of its comparison alone: {@link correctFamilies} corrects those that a reader reads together.
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
    if (!before || isBetterLayer(one, before)) best.set(key, one);
  }
  const trained = representations.filter(({ baselines }) => baselines.length);
  const recipes = [...new Set(trained.map(({ recipe }) => recipe))].filter((recipe) => recipe !== undefined);
  const alike = recipes.map((recipe) => trained.filter((one) => one.recipe === recipe));
  const groups = [...trained.map((one) => [one]), ...alike.filter(({ length }) => length > 1)];
  const conditions = new Map(measured.map(({ row }) => [keyOf(row, ""), row]));
  return groups.flatMap((group) =>
    [...conditions.values()].flatMap((condition) => {
      const found = (ids: readonly string[]) => ids.flatMap((id) => best.get(keyOf(condition, id)) ?? []);
      const ours = found(group.map(({ id }) => id));
      return (group[0] as Representation).baselines.flatMap((_, i) => {
        const theirs = found(group.map(({ baselines }) => baselines[i] as string));
        const baseline = representations.find(({ id }) => id === group[0]?.baselines[i]);
        if (!baseline || !ours.length || theirs.length < ours.length) return []; // pixels have no encoder to train
        return [{ ...differenceOf(ours, theirs, common), baselineRole: baseline.role }];
      });
    }),
  );
}

/**
 * Corrects the p-values of comparisons that are read together. A family is those with the same kind of baseline: they answer one
 * question, such as "is training better than none?". With any number of them, a family in which nothing helps says that
 * something did in at most one case in twenty.
 */
export function correctFamilies<One extends Pick<Difference, "p" | "comparisons" | "baselineKind">>(
  differences: readonly One[],
): One[] {
  const result = [...differences];
  for (const kind of new Set(differences.map(({ baselineKind }) => baselineKind))) {
    const family = differences.flatMap(({ baselineKind }, i) => (baselineKind === kind ? [i] : []));
    const adjusted = holm(family.map((i) => (differences[i] as One).p));
    for (const [k, i] of family.entries())
      result[i] = { ...(differences[i] as One), p: adjusted[k] as number, comparisons: family.length };
  }
  return result;
}

/** Whether a baseline does worse than guessing, and the encoder is not clearly better than that: then a gain says nothing. */
export const isBelowGuessing = ({
  metric,
  baselineValue,
  valueLow,
  chance,
}: Pick<Difference, "metric" | "baselineValue" | "valueLow" | "chance">): boolean =>
  improvement(metric, baselineValue, chance) < 0 && improvement(metric, valueLow, chance) <= 0;

/** Compares trainings with the same number of baselines, pair by pair. */
function differenceOf(
  ours: readonly Measured[],
  theirs: readonly Measured[],
  { classes, classCounts, seen }: Common,
): Omit<Difference, "baselineRole"> {
  const { protocol, row } = ours[0] as Measured;
  const { id, metric, labelsPerClass, labelPercent, n, groups, draws } = row;
  const baseline = (theirs[0] as Measured).row;
  const [a, b] = [together(ours), together(theirs)];
  const trainings = ours.length;
  const learned = classCounts.learned.map((count) =>
    labelsPerClass === "all" ? count : Math.min(count, labelsPerClass),
  );
  // Subtract so that an interval above zero is a gain, whether higher or lower values are better.
  const differences = metric.better === "higher" ? subtract(a.values, b.values) : subtract(b.values, a.values);
  const difference = improvement(metric, a.value, b.value);
  // The mean itself differs from it only by rounding and a jackknife's correction of the bias.
  const estimate = { ...estimateMean(differences, trainings), mean: difference };
  const { low, high } = studentInterval(estimate);
  return {
    ...{ id, encoder: a.label, layer: a.layer, value: a.value },
    ...{ baselineId: baseline.id, baseline: b.label, baselineLayer: b.layer, baselineValue: b.value },
    baselineKind: baseline.kind,
    protocol: row.protocol,
    ...{ metric, labelsPerClass, n, trainings, draws, difference, low, high },
    ...(labelPercent !== undefined && { labelPercent }),
    ...(groups !== undefined && { groups }),
    ...{ p: pValue(subtract(a.flipped, b.flipped), estimate), comparisons: 1, shares: estimate.shares },
    valueLow: intervalOf(a.scores, a.values, protocol.reduce, { trainings, answers: answersOf(row) }).low,
    chance: protocol.guess(classes, a.scores[0], { tested: sharesOf(classCounts.tested), learned: sharesOf(learned) }),
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
    values: several.flatMap(({ values }) => values),
    flipped: several.flatMap(({ scores, values, protocol, groups }) =>
      flippedOf(scores, values, protocol.reduce, groups),
    ),
  };
}

const keyOf = ({ protocol, labelsPerClass }: ResultRow, id: string) => JSON.stringify([protocol, labelsPerClass, id]);
