/**
 * Decides which images to train on and which to test on. If a collection has splits, their names decide. If it has none,
 * each image's content alone decides. Copies, near-duplicates and images of one group hang together, and are on the same side.
 * Renaming or moving images moves none to the other side. Adding or removing some moves none either, except those that hang
 * together with them: two clusters that a new image joins become one, on one side.
 */
import { UsageError } from "../errors.ts";
import { type Contents, contentsOf, type ReadHooks } from "./digest.ts";
import { drawImages, type ImageCollection, type ImageSet, rowsOf, selectSplits, subset } from "./images.ts";
import { plural } from "./names.ts";
import { nearPairs } from "./near-duplicates.ts";
import { TESTS } from "./parts.ts";
import { type Side, sidesOf } from "./sides.ts";

export interface LearnOptions {
  /** The splits to use, unchanged unless `holdBack` says otherwise. */
  split?: string | undefined;
  /** Also of the splits that are named, leaves out what {@link labelledParts} tests on if it is given the same splits to learn from. */
  holdBack?: boolean;
  /** Only labelled images, for a task that learns from labels. */
  labelled?: boolean;
  /** So many of the images that remain, drawn by a seed; by default all. */
  draw?: { count: number; seed: number } | undefined;
}

/** Images to learn from, and how many were left out for each reason. */
export interface ImagesToLearnFrom {
  set: ImageSet;
  /** The splits it comes from, joined by +. */
  parts: string;
  /** Number of images held back for tests. */
  heldBack: number;
  /** Number of images left out for lack of a label, if only labelled ones are wanted. */
  unlabelled: number;
  /** Splits used neither for training nor for tests: `split` may name them. */
  unused: readonly string[];
  /** For the user, one sentence each. */
  notes: readonly string[];
}

/**
 * Images to pre-train on: the splits that `split` names, by default all but validation and test. If labelled images have no
 * such splits, only those that {@link labelledParts} trains on, unless `split` names what to use.
 * @throws UsageError for a missing split, if labels are wanted but there are none, and for a draw of more images than there are
 */
export async function imagesToLearnFrom(
  collection: ImageCollection,
  { split, holdBack = split === undefined, labelled: wantsLabels = false, draw }: LearnOptions = {},
  hooks: ReadHooks = {},
): Promise<ImagesToLearnFrom> {
  const names = split ?? learnable(collection).join("+");
  const all = selectSplits(collection, names);
  const chosen = names.split("+");
  const tests = testParts(collection).filter((name) => !chosen.includes(name)); // without other parts, these are learned from
  const used = [...chosen, ...tests];
  const unused = split === undefined ? Object.keys(collection.splits).filter((name) => !used.includes(name)) : [];
  const { set, heldBack, notes } =
    !holdBack || tests.length || (all.classes?.length ?? 0) < 2
      ? { set: all, heldBack: 0, notes: [] }
      : await withoutTests(all, hooks);
  const usable = wantsLabels ? labelled(set) : set;
  const drawn = draw ? drawImages(usable, draw.count, draw.seed) : usable;
  return { set: drawn, parts: names, heldBack, unlabelled: set.length - usable.length, unused, notes };
}

/**
 * All images except the labelled ones that {@link labelledParts} tests on, and those without a label that are copies or
 * near-duplicates of these, or of their groups. The cut sees the labelled images alone, as there.
 */
async function withoutTests(
  all: ImageSet,
  hooks: ReadHooks,
): Promise<Pick<ImagesToLearnFrom, "set" | "heldBack" | "notes">> {
  const { digests, looks } = await contentsOf(all, hooks);
  const known = rowsOf(all, (i) => all.label(i) >= 0);
  const own = { digests: Array.from(known, (i) => digests[i] as string), looks: looks.pick(known) };
  const sides = sidesOf(subset(all, known), own);
  const tested = known.filter((_, k) => sides.of[k] === "test");
  if (tested.length === known.length) return { set: all, heldBack: 0, notes: [] }; // too few labelled images to hold some back
  const held = heldWith(all, tested, { digests, looks });
  const kept = rowsOf(all, (i) => !held.has(i));
  const set = held.size ? subset(all, kept) : all;
  return { set, heldBack: held.size, notes: nearNotes(sides.near) };
}

/** These images, and all without a label that must not be learned from either. */
function heldWith(all: ImageSet, tested: Int32Array, { digests, looks }: Contents): Set<number> {
  const held = new Set(tested);
  const contents = new Set(Array.from(tested, (i) => digests[i] || undefined));
  const groups = new Set(Array.from(tested, (i) => all.group(i)));
  const open = (i: number) => all.label(i) < 0 && !held.has(i);
  for (let i = 0; i < all.length; i++)
    if (open(i) && (contents.has(digests[i]) || groups.has(all.group(i)))) held.add(i);
  const isTest = new Set(tested);
  nearPairs(
    looks,
    (i, j) => (isTest.has(i) && open(j)) || (isTest.has(j) && open(i)),
    (i, j) => held.add(isTest.has(i) ? j : i),
  );
  return held;
}

/** @param near number of labelled images with near-duplicates */
function nearNotes(near: number): string[] {
  return near
    ? [`${plural(near, "labelled image")} nearly match others: each is learned or tested together with those.`]
    : [];
}

/** Names of the splits to train on, with labels, and to test on. */
export interface PartNames {
  trainSplit?: string | undefined;
  testSplit?: string | undefined;
}

export interface LabelledParts {
  train: ImageSet;
  test: ImageSet;
  classes: readonly string[];
  /** Whether the collection has no such parts, and was cut by content: then no image nearly matches one of the other part. */
  cut: boolean;
  /** For the user, one sentence each. */
  notes: readonly string[];
}

/**
 * Labelled images to train on and to test on: by default the splits train and validation+test, as far as they exist.
 * Without these, about 70 % and 30 % of the images, by their content; groups stay together, and copies and near-duplicates
 * are groups too.
 * Images without a label are left out.
 * @throws UsageError for images without labels, splits that are missing or named on both sides, too few images, a group on both
 *   sides, and test images that are all of one group
 */
export async function labelledParts(
  collection: ImageCollection,
  { trainSplit, testSplit }: PartNames,
  hooks: ReadHooks = {},
): Promise<LabelledParts> {
  const trains = trainSplit?.split("+") ?? learnable(collection).filter((name) => collection.splits[name]?.classes);
  const tests = testSplit?.split("+") ?? testParts(collection).filter((name) => !trains.includes(name));
  const both = trains.filter((name) => tests.includes(name));
  if (both.length) {
    throw new UsageError(
      `${both.join(", ")} cannot be both learned from and tested on. Name other parts with --train-split or --test-split.`,
    );
  }
  const others = Object.keys(collection.splits).filter((name) => !tests.includes(name));
  const learned = trains.length ? trains : others.length ? others : tests;
  const known = labelled(selectSplits(collection, learned.join("+")));
  if (!tests.length) return { ...(await cutByContent(known, hooks)), classes: known.classes ?? [], cut: true };
  const test = labelled(selectSplits(collection, tests.join("+")));
  refuseLoneGroup(test);
  refuseSharedGroups(collection, learned, tests);
  return { train: known, test, classes: known.classes ?? [], cut: false, notes: [] };
}

/** A group that is learned from must not be tested on, whatever the parts are called. */
function refuseSharedGroups({ splits }: ImageCollection, trains: readonly string[], tests: readonly string[]): void {
  const imageOf = (parts: readonly string[]) => {
    const found = new Map<string, string>();
    for (const set of parts.flatMap((part) => splits[part] ?? []))
      for (let i = 0; i < set.length; i++) {
        const group = set.group(i);
        if (typeof group === "string" && set.label(i) >= 0) found.set(group, set.id(i)); // numbers are unique only within their set
      }
    return found;
  };
  const learned = imageOf(trains);
  for (const [group, tested] of imageOf(tests)) {
    const other = learned.get(group);
    if (other === undefined) continue;
    throw new UsageError(
      `${tested} would be tested on and ${other} learned from, but both are of ${group}. ` +
        "Put them on one side of --train-split and --test-split, or leave out --group.",
    );
  }
}

/** Other images of one group say nothing of other groups. */
function refuseLoneGroup(test: ImageSet): void {
  const [group, ...more] = new Set(Array.from({ length: test.length }, (_, i) => test.group(i)));
  if (test.length < 2 || more.length) return;
  throw new UsageError(
    `All ${test.length} test images are of one group, ${group}: they say nothing of other groups. ` +
      "Test on several groups, or leave out --group.",
  );
}

async function cutByContent(set: ImageSet, hooks: ReadHooks): Promise<Pick<LabelledParts, "train" | "test" | "notes">> {
  const sides = sidesOf(set, await contentsOf(set, hooks));
  const rows = (side: Side) => rowsOf(set, (i) => sides.of[i] === side);
  const [train, test] = [rows("train"), rows("test")];
  const tested = new Set(Array.from(test, (i) => sides.cluster[i]));
  if (train.length && (tested.size > 1 || test.length === 1)) {
    const grouped = { ...set, group: (i: number) => sides.cluster[i] as number };
    return {
      train: subset(grouped, train, `${set.name} (part)`),
      test: subset(grouped, test, `${set.name} (rest)`),
      notes: nearNotes(sides.near),
    };
  }
  const apart = sides.clusters < set.length;
  const together = apart ? ` (${sides.clusters} apart from copies, near-duplicates and groups)` : "";
  throw new UsageError(
    `${set.name} has ${set.length} labelled images${together}: too few to cut them into a part to learn from and a part to test on. ` +
      "Add images, or put them into sub-folders train and test.",
  );
}

/** Splits to train on: train and unlabelled, else all that are not for tests, else all. */
function learnable(collection: ImageCollection): string[] {
  const usual = present(collection, ["train", "unlabelled"]);
  if (usual.length) return usual;
  const others = Object.keys(collection.splits).filter((name) => !TESTS.includes(name));
  return others.length ? others : Object.keys(collection.splits);
}

function present({ splits }: ImageCollection, names: readonly string[]): string[] {
  return names.filter((name) => Object.hasOwn(splits, name));
}

/** Splits to test on. A split without labels, as in competitions, cannot test anything. */
const testParts = (collection: ImageCollection) =>
  present(collection, TESTS).filter((name) => collection.splits[name]?.classes);

/** The images that have a label. @throws UsageError if there are none, or of one class only */
function labelled(set: ImageSet): ImageSet {
  const rows = rowsOf(set, (i) => set.label(i) >= 0);
  const [only, ...more] = set.classes ?? [];
  if (only !== undefined && !more.length)
    throw new UsageError(`${set.name} has labels of one class alone, ${only}: measuring needs two classes at least.`);
  if (only === undefined || !rows.length) {
    throw new UsageError(
      `${set.name} has no labels to measure or learn by: expected one sub-folder for each class, at least two classes, or a file with labels.`,
    );
  }
  return rows.length === set.length ? set : subset(set, rows);
}
