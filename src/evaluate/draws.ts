/** Which training labels a measurement may use. Draws are the same for every encoder and layer, so that they can be paired. */
import { randomAt, shuffle } from "../random.ts";

export type LabelCount = number | "all";

/** Row indices per class, in order. */
export function byClass(labels: ArrayLike<number>): number[][] {
  const rows: number[][] = [];
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] ?? -1;
    if (label < 0) continue;
    rows[label] ??= [];
    rows[label].push(i);
  }
  return Array.from(rows, (row) => row ?? []);
}

/** `count` rows of each class (all of a class that has fewer), in random order, for draw number `draw`. */
export function drawLabels(labels: ArrayLike<number>, count: LabelCount, seed: number, draw: number): number[] {
  const most = count === "all" ? labels.length : count;
  return byClass(labels).flatMap((rows, label) => shuffle([...rows], randomAt(seed, draw, label)).slice(0, most));
}

/** Splits rows into some to fit on and some to choose by: the fraction `part` of each class, at least one if it has two. */
export function holdOut(
  rows: readonly number[],
  labels: ArrayLike<number>,
  part: number,
): { fit: number[]; choose: number[] } {
  const classes = byClass(rows.map((row) => labels[row] ?? -1)).map((positions) =>
    positions.map((i) => rows[i] as number),
  );
  const held = (all: number[]) => (all.length < 2 ? 0 : Math.max(1, Math.round(all.length * part)));
  return {
    choose: classes.flatMap((all) => all.slice(0, held(all))),
    fit: classes.flatMap((all) => all.slice(held(all))),
  };
}
