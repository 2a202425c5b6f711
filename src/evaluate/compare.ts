/** Every trained encoder against its baselines. */
import type { Difference, ResultRow } from "./result.ts";
import { pairedBootstrap } from "./statistics.ts";
import type { Subject } from "./subjects.ts";

/** A row, and what it was computed from. */
export interface Measured {
  row: ResultRow;
  /** 1 where a test image was classified rightly: draws × test images. */
  correct: Uint8Array[];
  /** Accuracy on training labels that were held out. */
  heldOut: number;
}

/**
 * For each protocol and number of labels: each encoder's layer that was best on held-out labels, against each baseline's. Behind
 * them, runs of one recipe together against their baselines together: whether the recipe helps, and not one training of it.
 */
export function compare(measured: readonly Measured[], subjects: readonly Subject[], seed: number): Difference[] {
  const best = new Map<string, Measured>();
  for (const one of measured) {
    const before = best.get(keyOf(one.row, one.row.encoder));
    if (!before || one.heldOut > before.heldOut) best.set(keyOf(one.row, one.row.encoder), one);
  }
  const trained = subjects.filter(({ baselines }) => baselines.length);
  const recipes = [...new Set(trained.map(({ recipe }) => recipe))].filter((recipe) => recipe !== undefined);
  const alike = recipes.map((recipe) => trained.filter((one) => one.recipe === recipe));
  const groups = [...trained.map((one) => [one]), ...alike.filter(({ length }) => length > 1)];
  const conditions = new Map(measured.map(({ row }) => [keyOf(row, ""), row]));
  return groups.flatMap((group) =>
    [...conditions.values()].flatMap((condition) => {
      const found = (names: readonly string[]) => names.map((name) => best.get(keyOf(condition, name)) as Measured);
      const ours = found(group.map(({ name }) => name));
      return (group[0] as Subject).baselines.map((_, i) =>
        differenceOf(ours, found(group.map(({ baselines }) => baselines[i] as string)), seed),
      );
    }),
  );
}

/** As many trainings as baselines, pair by pair. */
function differenceOf(ours: readonly Measured[], theirs: readonly Measured[], seed: number): Difference {
  const { layer: _, value: __, ...shared } = (ours[0] as Measured).row;
  const [a, b] = [together(ours), together(theirs)];
  const bounds = pairedBootstrap(a.correct, b.correct, { seed, trainings: ours.length });
  const against = { baseline: b.name, baselineLayer: b.layer, baselineValue: b.value };
  return { ...shared, encoder: a.name, layer: a.layer, value: a.value, ...against, ...bounds, draws: a.correct.length };
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
