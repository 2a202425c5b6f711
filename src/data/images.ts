/** Collections of images, independent of the format: one set for each split. Nothing is decoded here. */
import { createHash } from "node:crypto";
import { UsageError, unknownName } from "../errors.ts";
import { randomAt, shuffle } from "../random.ts";
import type { Objects } from "./objects.ts";

/** An image as it is stored: a file's bytes, or pixels (height × width × 3 bytes RGB). */
export type ImageData = { encoded: Uint8Array } | { pixels: Uint8Array; width: number; height: number };

export interface ImageSet {
  readonly name: string;
  readonly length: number;
  /** Class names, if the images are labelled. */
  readonly classes?: readonly string[];
  /** 0 to classes - 1, or -1 for an image without a label. Of several labels, the first. */
  label(i: number): number;
  /** All labels of an image; only a set in which some image has several has this. */
  labelsOf?(i: number): readonly number[];
  /** Name to show, unique in the collection: the path inside its folder, or file#row. */
  id(i: number): string;
  /** Images of one group must stay on one side of a split. */
  group(i: number): string | number;
  read(i: number): Promise<ImageData>;
  /** Where the objects are, for sets that say so; undefined for an image that they say nothing about. */
  objects?(i: number): Promise<Objects | undefined>;
  /** Changes when the images' names, sizes or dates change. The key for caches. */
  readonly fingerprint: string;
}

export interface ImageCollection {
  readonly name: string;
  /** By name: train, validation, test, unlabelled, or the folders' own names; `all` if nothing is split. */
  readonly splits: Readonly<Record<string, ImageSet>>;
  /** Notes for the user, one sentence each: what was left out, and how names were interpreted. */
  readonly notes?: readonly string[];
}

/** The label of each image (N), of several the first; −1 for an image without one. */
export const firstLabels = (set: ImageSet): Int32Array =>
  Int32Array.from({ length: set.length }, (_, i) => set.label(i));

/** The number of a collection's images, and a hash of their names, parts, labels and groups: which of their contents changed, it does not see. */
export function collectionIdentity({ splits }: ImageCollection): string {
  const digest = createHash("sha256");
  const firsts = new Map<string, string>();
  let count = 0;
  for (const [part, set] of Object.entries(splits).sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (let i = 0; i < set.length; i++) {
      const labels = allLabels(set, i).map((label) => set.classes?.[label] ?? label);
      const group = groupAmong(set.group(i), part);
      const first = firsts.get(group);
      if (first === undefined) firsts.set(group, set.id(i));
      digest.update(`${JSON.stringify([part, set.id(i), labels, ...(first === undefined ? [] : [first])])}\n`);
    }
    count += set.length;
  }
  return `${count} ${digest.digest("hex").slice(0, 32)}`;
}

/** A set's group among those of several sets: numbers are unique only within their set, texts everywhere. */
const groupAmong = (group: string | number, part: string | number): string =>
  typeof group === "number" ? `${part}/${group}` : group;

/** All labels of an image, one or several; none for an image without a label. */
export function allLabels(set: ImageSet, i: number): readonly number[] {
  if (set.labelsOf) return set.labelsOf(i);
  const label = set.label(i);
  return label < 0 ? [] : [label];
}

/** @throws UsageError for a set in which some image has several labels. @param who needs one label for each: begins the sentence */
export function refuseSeveral(set: ImageSet, who: string): void {
  if (!set.labelsOf) return;
  const at = Array.from({ length: set.length }, (_, i) => i).find((i) => allLabels(set, i).length > 1);
  if (at === undefined) return;
  const names = allLabels(set, at).map((label) => set.classes?.[label] ?? label);
  throw new UsageError(
    `${who} needs one label for each image, and ${set.id(at)} has several: ${names.join(", ")}. Measure such images by ` +
      "evaluate --protocol svm --labels-per-class all; if each has only one, keep one line for each image in the table of labels.",
  );
}

/** Some images of a set, in the order of `indices`. */
export function subset(set: ImageSet, indices: ArrayLike<number>, name = set.name): ImageSet {
  const at = (i: number) => {
    const index = indices[i];
    if (index === undefined) throw new RangeError(`image ${i} of ${indices.length}`);
    return index;
  };
  return {
    name,
    length: indices.length,
    ...(set.classes && { classes: set.classes }),
    label: (i) => set.label(at(i)),
    ...(set.labelsOf && { labelsOf: (i: number) => allLabels(set, at(i)) }),
    id: (i) => set.id(at(i)),
    group: (i) => set.group(at(i)),
    read: (i) => set.read(at(i)),
    ...(set.objects && { objects: async (i) => set.objects?.(at(i)) }),
    fingerprint: hash([set.fingerprint, Array.from(indices).join()]),
  };
}

/** The rows that are wanted, in order. */
export function rowsOf({ length }: { readonly length: number }, wanted: (row: number) => boolean): Int32Array {
  return Int32Array.from({ length }, (_, row) => row).filter(wanted);
}

/** Random stream of the draw, next to the seed. */
const DRAW = 11;

/**
 * `count` images of a set, drawn by the seed, in the set's order. With the same seed, a smaller draw lies within each larger one.
 * @throws UsageError if there are not so many
 */
export function drawImages(set: ImageSet, count: number, seed: number): ImageSet {
  if (count > set.length)
    throw new UsageError(
      `There are ${set.length} images to learn from; --train-images asks for ${count}. Ask for fewer.`,
    );
  const order = shuffle(
    Int32Array.from({ length: set.length }, (_, i) => i),
    randomAt(seed, DRAW),
  );
  return subset(set, order.slice(0, count).sort());
}

/** At most `most` positions, spread evenly over 0 to length − 1. */
export function evenly(most: number, length: number): Int32Array {
  const count = Math.min(most, length);
  return Int32Array.from({ length: count }, (_, i) => Math.floor((i * length) / count));
}

/** At most `most` images, spread evenly over the set. */
export const spreadOver = (set: ImageSet, most: number): ImageSet =>
  set.length <= most ? set : subset(set, evenly(most, set.length));

/** Several sets as one. Labels are kept if all labelled sets have the same classes. */
export function concatenate(sets: readonly ImageSet[], name = sets.map((set) => set.name).join("+")): ImageSet {
  const starts: number[] = [];
  let length = 0;
  for (const set of sets) {
    starts.push(length);
    length += set.length;
  }
  /** Calls `question` with the set that holds image i, and the image's index in it. */
  const ask = <Answer>(i: number, question: (set: ImageSet, at: number) => Answer): Answer => {
    const part = i < length ? starts.findLastIndex((start) => start <= i) : -1;
    const set = sets[part];
    if (!set) throw new RangeError(`image ${i} of ${length}`);
    return question(set, i - (starts[part] ?? 0));
  };
  const classes = sets.find((set) => set.classes)?.classes;
  const same = sets.every((set) => !set.classes || String(set.classes) === String(classes));
  return {
    name,
    length,
    ...(same && classes && { classes }),
    label: (i) => ask(i, (set, at) => (same ? set.label(at) : -1)),
    ...(same && sets.some((set) => set.labelsOf) && { labelsOf: (i: number) => ask(i, allLabels) }),
    id: (i) => ask(i, (set, at) => set.id(at)),
    group: (i) => ask(i, (set, at) => groupAmong(set.group(at), set.fingerprint)),
    read: (i) => ask(i, (set, at) => set.read(at)),
    ...(sets.some((set) => set.objects) && { objects: async (i) => ask(i, (set, at) => set.objects?.(at)) }),
    fingerprint: hash(sets.map((set) => set.fingerprint)),
  };
}

/** The splits named, like `train+unlabelled`, as one set. @throws UsageError for a split that is missing or named twice */
export function selectSplits(collection: ImageCollection, names: string): ImageSet {
  const wanted = names.split("+");
  const twice = wanted.find((name, i) => wanted.indexOf(name) < i);
  if (twice !== undefined) throw new UsageError(`"${names}" names the split ${twice} twice. Name each split once.`);
  const sets = wanted.map((name) => {
    const set = Object.hasOwn(collection.splits, name) ? collection.splits[name] : undefined;
    if (!set) throw unknownName(`split of ${collection.name}`, name, Object.keys(collection.splits));
    return set;
  });
  return concatenate(sets);
}

/**
 * Splits a set in two, the first with about `fraction` of the images of every class. Groups stay together, and count for
 * the class of their first image.
 * @throws UsageError when one of the two would be empty
 */
export function splitByGroup(set: ImageSet, fraction: number, seed: number): [ImageSet, ImageSet] {
  const random = randomAt(seed);
  const parts: [number[], number[]] = [[], []];
  for (const groups of groupsByLabel(set)) {
    shuffle(groups, random);
    // At least one group on each side, if a class has two.
    const last = Math.max(1, groups.length - 1);
    const cut = Math.min(Math.max(1, Math.round(groups.length * fraction)), last);
    for (const [position, members] of groups.entries()) for (const i of members) parts[position < cut ? 0 : 1].push(i);
  }
  if (!parts[0].length || !parts[1].length) {
    throw new UsageError(`${set.name} cannot be split: ${set.length} images are too few, or all of one group.`);
  }
  const [first, second] = [Int32Array.from(parts[0]).sort(), Int32Array.from(parts[1]).sort()];
  return [subset(set, first, `${set.name} (part)`), subset(set, second, `${set.name} (rest)`)];
}

/** For each label, in ascending order: the members of each group. */
function groupsByLabel(set: ImageSet): number[][][] {
  const groups = new Map<string | number, number[]>();
  for (let i = 0; i < set.length; i++) {
    const members = groups.get(set.group(i));
    if (members) members.push(i);
    else groups.set(set.group(i), [i]);
  }
  const byLabel = new Map<number, number[][]>();
  for (const members of groups.values()) {
    const label = set.label(members[0] ?? -1);
    const list = byLabel.get(label);
    if (list) list.push(members);
    else byLabel.set(label, [members]);
  }
  return [...byLabel].sort(([a], [b]) => a - b).map(([, list]) => list);
}

/** 128-bit hash in hexadecimal. */
export function hash(parts: readonly string[]): string {
  const digest = createHash("sha256");
  for (const part of parts) digest.update(part).update("\n");
  return digest.digest("hex").slice(0, 32);
}
