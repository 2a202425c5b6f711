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

/** How many images each class has (C). */
export const classCounts = (labels: ArrayLike<number>): number[] => byClass(labels).map(({ length }) => length);

/** Counts (C) as parts of their sum; zeros where there is nothing to count. */
export function sharesOf(counts: readonly number[]): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (all ? count / all : 0));
}

/** `count` rows of each class (all of a class that has fewer), in random order, for draw number `draw`. */
export function drawLabels(labels: ArrayLike<number>, count: LabelCount, seed: number, draw: number): number[] {
  const most = count === "all" ? labels.length : count;
  return byClass(labels).flatMap((rows, label) => shuffle([...rows], randomAt(seed, draw, label)).slice(0, most));
}

/**
 * Splits rows into some to fit on and some to choose by: the first of each class, about the fraction `part` of it, at least one if
 * it has two. Groups are held out whole: of those that hold more than that fraction, the smallest. Each class keeps a group to fit
 * on, so that nothing is held out of a class that is a single group.
 * @param groups the number of each image's group, by its row; by default each is alone
 */
export function holdOut(
  rows: readonly number[],
  labels: ArrayLike<number>,
  part: number,
  groups?: ArrayLike<number>,
): { fit: number[]; choose: number[] } {
  const classes = byClass(rows.map((row) => labels[row] ?? -1)).map((own) => own.map((i) => rows[i] as number));
  const groupOf = (row: number) => groups?.[row] ?? row;
  /** By group: how many images of each class it has. */
  const sizes = new Map<number, Map<number, number>>();
  for (const [label, own] of classes.entries()) {
    for (const group of own.map(groupOf)) {
      const size = sizes.get(group) ?? new Map<number, number>();
      sizes.set(group, size.set(label, 1 + (size.get(label) ?? 0)));
    }
  }
  const left = classes.map(({ length }) => length);
  const held = new Set<number>();
  for (const [label, own] of classes.entries()) {
    const wanted = own.length < 2 ? 0 : Math.max(1, Math.round(own.length * part));
    const size = (group: number) => Math.max(wanted, sizes.get(group)?.get(label) ?? 0);
    for (const group of [...new Set(own.map(groupOf))].sort((a, b) => size(a) - size(b))) {
      if (own.length - (left[label] as number) >= wanted) break;
      const taken = [...(sizes.get(group) ?? [])];
      if (held.has(group) || taken.some(([other, count]) => count >= (left[other] as number))) continue;
      held.add(group);
      for (const [other, count] of taken) left[other] = (left[other] as number) - count;
    }
  }
  const isHeld = (row: number) => held.has(groupOf(row));
  return { choose: classes.flat().filter(isHeld), fit: classes.flat().filter((row) => !isHeld(row)) };
}
