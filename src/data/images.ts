/** What a collection of images is: sets by split, whatever the format. Nothing is decoded here. */
import { createHash } from "node:crypto";
import { UsageError, unknownName } from "../errors.ts";
import { randomAt, shuffle } from "../random.ts";

/** An image as it is stored: a file's bytes, or pixels (height × width × 3 bytes RGB). */
export type ImageData = { encoded: Uint8Array } | { pixels: Uint8Array; width: number; height: number };

export interface ImageSet {
  readonly name: string;
  readonly length: number;
  /** Class names, where the images are labelled. */
  readonly classes?: readonly string[];
  /** 0 to classes - 1, or -1 for an image without a label. */
  label(i: number): number;
  /** A name to show: the path inside its folder, or file#row. */
  id(i: number): string;
  /** Images of one group must stay on one side of a split. */
  group(i: number): string | number;
  read(i: number): Promise<ImageData>;
  /** Changes when the images do: names, sizes and dates. The key of whatever is cached. */
  readonly fingerprint: string;
}

export interface ImageCollection {
  readonly name: string;
  /** By name: train, validation, test, unlabelled; or just all. */
  readonly splits: Readonly<Record<string, ImageSet>>;
}

/** Some images of a set, in the order of `indices`. */
export function subset(set: ImageSet, indices: ArrayLike<number>, name = set.name): ImageSet {
  const at = (i: number) => indices[i] ?? -1;
  return {
    name,
    length: indices.length,
    ...(set.classes && { classes: set.classes }),
    label: (i) => set.label(at(i)),
    id: (i) => set.id(at(i)),
    group: (i) => set.group(at(i)),
    read: (i) => set.read(at(i)),
    fingerprint: hash([set.fingerprint, Array.from(indices).join()]),
  };
}

/** Several sets as one. Labels are kept where all labelled parts have the same classes. */
export function concatenate(sets: readonly ImageSet[]): ImageSet {
  const [only] = sets;
  if (only && sets.length === 1) return only;
  const starts: number[] = [];
  let length = 0;
  for (const set of sets) {
    starts.push(length);
    length += set.length;
  }
  const find = (i: number): [ImageSet, number] => {
    const k = starts.findLastIndex((start) => start <= i);
    return [sets[k] as ImageSet, i - (starts[k] ?? 0)];
  };
  const classes = sets.find((set) => set.classes)?.classes;
  const same = sets.every((set) => !set.classes || String(set.classes) === String(classes));
  return {
    name: sets.map((set) => set.name).join("+"),
    length,
    ...(same && classes && { classes }),
    label: (i) => {
      const [set, at] = find(i);
      return same ? set.label(at) : -1;
    },
    id: (i) => {
      const [set, at] = find(i);
      return `${set.name}/${set.id(at)}`;
    },
    group: (i) => {
      const [set, at] = find(i);
      const group = set.group(at);
      return typeof group === "number" ? `${set.name}/${group}` : group;
    },
    read: (i) => {
      const [set, at] = find(i);
      return set.read(at);
    },
    fingerprint: hash(sets.map((set) => set.fingerprint)),
  };
}

/** The splits named in `train+unlabelled`, as one set. @throws UsageError for a split that is not there */
export function selectSplits(collection: ImageCollection, names: string): ImageSet {
  return concatenate(
    names.split("+").map((name) => {
      const set = Object.hasOwn(collection.splits, name) ? collection.splits[name] : undefined;
      if (!set) throw unknownName(`split of ${collection.name}`, name, Object.keys(collection.splits));
      return set;
    }),
  );
}

/**
 * Two parts, the first with about `fraction` of the images of every class. Groups stay together.
 * @throws UsageError when a part would be empty
 */
export function splitByGroup(set: ImageSet, fraction: number, seed: number): [ImageSet, ImageSet] {
  // Groups by class (of their first image), so that every class is on both sides.
  const groups = new Map<string, { label: number; members: number[] }>();
  for (let i = 0; i < set.length; i++) {
    const key = String(set.group(i));
    const group = groups.get(key);
    if (group) group.members.push(i);
    else groups.set(key, { label: set.label(i), members: [i] });
  }
  const random = randomAt(seed);
  const parts: [number[], number[]] = [[], []];
  const labels = new Set([...groups.values()].map(({ label }) => label));
  for (const label of [...labels].sort((a, b) => a - b)) {
    const shuffled = shuffle(
      [...groups.values()].filter((group) => group.label === label),
      random,
    );
    const cut = Math.min(Math.max(1, Math.round(shuffled.length * fraction)), Math.max(1, shuffled.length - 1));
    for (const [position, { members }] of shuffled.entries()) parts[position < cut ? 0 : 1].push(...members);
  }
  if (!parts[0].length || !parts[1].length) {
    throw new UsageError(`${set.name} has too few images to split: ${set.length} in ${groups.size} groups.`);
  }
  const ordered = parts.map((part) => Int32Array.from(part).sort()) as [Int32Array, Int32Array];
  return [subset(set, ordered[0], `${set.name} (part)`), subset(set, ordered[1], `${set.name} (rest)`)];
}

export function hash(parts: readonly string[]): string {
  const digest = createHash("sha256");
  for (const part of parts) digest.update(part).update("\n");
  return digest.digest("hex").slice(0, 32);
}
