/** Every trained encoder against its baselines. */
import type { Difference, ResultRow } from "./result.ts";
import { bootstrapMean, holm, pairedBootstrap, signFlipTest } from "./statistics.ts";
import type { Subject, SubjectKind } from "./subjects.ts";

/** A row, and what it was computed from. */
export interface Measured {
  row: ResultRow;
  /** 1 where a test image was classified rightly: draws × test images. */
  correct: Uint8Array[];
  /** Accuracy on training labels that were held out. */
  heldOut: number;
}

/** What is the same for all comparisons of an evaluation. */
export interface Common {
  seed: number;
  /** Accuracy of guessing. */
  chance: number;
  /** Test images that a run has seen, by its name. */
  seen: ReadonlyMap<string, number | undefined>;
}

/**
 * For each protocol and number of labels: each encoder's layer that was best on held-out labels, against each baseline's. Behind
 * them, runs of one recipe together against their baselines together: whether the recipe helps, and not one training of it.
 */
export function compare(measured: readonly Measured[], subjects: readonly Subject[], common: Common): Difference[] {
  const best = new Map<string, Measured>();
  for (const one of measured) {
    const before = best.get(keyOf(one.row, one.row.encoder));
    if (!before || one.heldOut > before.heldOut) best.set(keyOf(one.row, one.row.encoder), one);
  }
  const trained = subjects.filter(({ baselines }) => baselines.length);
  const recipes = [...new Set(trained.map(({ recipe }) => recipe))].filter((recipe) => recipe !== undefined);
  const alike = recipes.map((recipe) => trained.filter((one) => one.recipe === recipe));
  const groups = [...trained.map((one) => [one]), ...alike.filter(({ length }) => length > 1)];
  const kinds = new Map(subjects.map(({ name, kind }) => [name, kind]));
  const conditions = new Map(measured.map(({ row }) => [keyOf(row, ""), row]));
  const differences = groups.flatMap((group) =>
    [...conditions.values()].flatMap((condition) => {
      const found = (names: readonly string[]) => names.map((name) => best.get(keyOf(condition, name)) as Measured);
      const ours = found(group.map(({ name }) => name));
      return (group[0] as Subject).baselines.map((first, i) => ({
        ...differenceOf(ours, found(group.map(({ baselines }) => baselines[i] as string)), common),
        baselineKind: kinds.get(first) as SubjectKind,
      }));
    }),
  );
  const adjusted = holm(differences.map(({ p }) => p));
  return differences.map((one, i) => ({ ...one, p: adjusted[i] as number, comparisons: differences.length }));
}

/** As many trainings as baselines, pair by pair. */
function differenceOf(
  ours: readonly Measured[],
  theirs: readonly Measured[],
  { seed, chance, seen }: Common,
): Omit<Difference, "comparisons" | "baselineKind"> {
  const { layer: _, value: __, ...shared } = (ours[0] as Measured).row;
  const [a, b] = [together(ours), together(theirs)];
  const options = { seed, trainings: ours.length };
  const bounds = pairedBootstrap(a.correct, b.correct, options);
  const p = signFlipTest(a.correct, b.correct, { seed });
  return {
    ...shared,
    encoder: a.name,
    layer: a.layer,
    value: a.value,
    valueLow: bootstrapMean(a.correct, options).low,
    baseline: b.name,
    baselineLayer: b.layer,
    baselineValue: b.value,
    ...bounds,
    p,
    chance,
    draws: a.correct.length,
    seen: mostSeen(ours.map(({ row }) => seen.get(row.encoder))),
  };
}

function mostSeen(counts: readonly (number | undefined)[]): number | null {
  return counts.includes(undefined) ? null : Math.max(...(counts as number[]));
}

function together(several: readonly Measured[]) {
  const names = new Set(several.map(({ row }) => row.encoder));
  const [name] = names;
  return {
    name: names.size > 1 ? `${name} and ${names.size - 1} more` : `${name}`,
    layer: [...new Set(several.map(({ row }) => row.layer))].join(", "),
    value: several.reduce((sum, { row }) => sum + row.value, 0) / several.length,
    correct: several.flatMap(({ correct }) => correct),
  };
}

const keyOf = ({ protocol, labelsPerClass }: ResultRow, encoder: string) =>
  JSON.stringify([protocol, labelsPerClass, encoder]);
