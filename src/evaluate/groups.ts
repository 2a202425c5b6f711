/** Images that hang together, such as those of one patient: together they are learned from, held out, and one piece of evidence. */
import { evenly, rowsOf } from "../data/images.ts";

/**
 * The number of each image's group (N): 0 to G − 1, in the order of their first images. Undefined if each is alone.
 * @param keys the same for two images of one group (N)
 */
export function groupNumbers(keys: ArrayLike<string | number>): Int32Array | undefined {
  const numbers = new Map<string | number, number>();
  const groups = Int32Array.from(keys as ArrayLike<never>, (key) => {
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
  return numbers.size < keys.length ? groups : undefined;
}

/** The groups of some images, counted anew; undefined if each is alone among these. @param rows their positions in `groups` */
export const groupsOf = (
  rows: readonly number[],
  groups: ArrayLike<string | number> | undefined,
): Int32Array | undefined => groups && groupNumbers(rows.map((row) => groups[row] as string | number));

/** The labels that images of two groups have. @param groups by default each image is alone */
export function inSeveralGroups(labels: ArrayLike<number>, groups?: Int32Array): Set<number> {
  const first = new Map<number, number>();
  const several = new Set<number>();
  for (let i = 0; i < labels.length; i++) {
    const [label, group] = [labels[i] as number, groups?.[i] ?? i];
    if ((first.get(label) ?? group) !== group) several.add(label);
    else first.set(label, group);
  }
  return several;
}

/** Rows that are held out at most. */
const HELD_OUT = 2000;

/**
 * Up to 2,000 rows, spread evenly over those whose label a row of another group has too: leave-one-out can find it there.
 * @param labels negative for none
 */
export function rowsToHoldOut(labels: ArrayLike<number>, groups?: Int32Array): number[] {
  const several = inSeveralGroups(labels, groups);
  const known = rowsOf(labels, (i) => (labels[i] as number) >= 0 && several.has(labels[i] as number));
  return Array.from(evenly(HELD_OUT, known.length), (i) => known[i] as number);
}

/** How many groups there are. @param groups of {@link groupNumbers} */
export const groupCount = (groups: Int32Array): number => 1 + groups.reduce((most, group) => Math.max(most, group), -1);
