/**
 * Decides which images to train on and which to test on. If a collection has splits, their names decide. If it has none,
 * each image's content alone decides: adding, removing, renaming or moving images does not move the others, and copies of
 * an image are always on the same side.
 */
import { UsageError } from "../errors.ts";
import { digestsOf, type ReadHooks } from "./digest.ts";
import { type ImageCollection, type ImageSet, selectSplits, subset } from "./images.ts";
import { TESTS } from "./parts.ts";
import { sidesOf } from "./sides.ts";

export interface LearnOptions {
  /** The splits to use, unchanged. */
  split?: string | undefined;
  /** Only labelled images, for a task that learns from labels. */
  labelled?: boolean;
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
}

/**
 * Images to pre-train on: the splits that `split` names, unchanged, by default all but validation and test. If labelled
 * images have no such splits, only those that {@link labelledParts} trains on.
 * @throws UsageError for a missing split, and if labels are wanted but there are none
 */
export async function imagesToLearnFrom(
  collection: ImageCollection,
  { split, labelled: wantsLabels = false }: LearnOptions = {},
  hooks: ReadHooks = {},
): Promise<ImagesToLearnFrom> {
  const names = split ?? learnable(collection).join("+");
  const all = selectSplits(collection, names);
  const used = [...names.split("+"), ...testParts(collection)];
  const unused = split === undefined ? Object.keys(collection.splits).filter((name) => !used.includes(name)) : [];
  const { set, heldBack } =
    split !== undefined || testParts(collection).length || (all.classes?.length ?? 0) < 2
      ? { set: all, heldBack: 0 }
      : await withoutTests(all, hooks);
  if (!wantsLabels) return { set, parts: names, heldBack, unlabelled: 0, unused };
  const known = labelled(set);
  return { set: known, parts: names, heldBack, unlabelled: set.length - known.length, unused };
}

/**
 * All images except the labelled ones that {@link labelledParts} tests on, and those without a label that are copies of these
 * or of their groups. The cut sees the labelled images alone, as there.
 */
async function withoutTests(all: ImageSet, hooks: ReadHooks): Promise<{ set: ImageSet; heldBack: number }> {
  const digests = await digestsOf(all, hooks);
  const known = rowsOf(all, (i) => all.label(i) >= 0);
  const sides = sidesOf(
    subset(all, known),
    Array.from(known, (i) => digests[i] as string),
  );
  const tested = known.filter((_, k) => sides[k] === "test");
  if (tested.length === known.length) return { set: all, heldBack: 0 }; // too few labelled images to hold some back
  const contents = new Set(Array.from(tested, (i) => digests[i] || undefined));
  const groups = new Set(Array.from(tested, (i) => all.group(i)));
  const kept = rowsOf(all, (i) => !contents.has(digests[i]) && !groups.has(all.group(i)));
  return { set: kept.length === all.length ? all : subset(all, kept), heldBack: all.length - kept.length };
}

/** Names of the splits to train on, with labels, and to test on. */
export interface PartNames {
  trainSplit?: string | undefined;
  testSplit?: string | undefined;
}

/**
 * Labelled images to train on and to test on: by default the splits train and validation+test, as far as they exist.
 * Without these, about 70 % and 30 % of the images, by their content; groups stay together.
 * Images without a label are left out.
 * @throws UsageError for images without labels, splits that are missing or named on both sides, and too few images
 */
export async function labelledParts(
  collection: ImageCollection,
  { trainSplit, testSplit }: PartNames,
  hooks: ReadHooks = {},
): Promise<{ train: ImageSet; test: ImageSet; classes: readonly string[] }> {
  const trains = trainSplit?.split("+") ?? learnable(collection).filter((name) => collection.splits[name]?.classes);
  const tests = testSplit?.split("+") ?? testParts(collection).filter((name) => !trains.includes(name));
  const both = trains.filter((name) => tests.includes(name));
  if (both.length) {
    throw new UsageError(
      `${both.join(", ")} cannot be both learned from and tested on. Name other parts with --train-split or --test-split.`,
    );
  }
  const others = Object.keys(collection.splits).filter((name) => !tests.includes(name));
  const known = labelled(selectSplits(collection, (trains.length ? trains : others.length ? others : tests).join("+")));
  const [train, test] = tests.length
    ? [known, labelled(selectSplits(collection, tests.join("+")))]
    : await cutByContent(known, hooks);
  return { train, test, classes: train.classes ?? [] };
}

async function cutByContent(set: ImageSet, hooks: ReadHooks): Promise<[train: ImageSet, test: ImageSet]> {
  const sides = sidesOf(set, await digestsOf(set, hooks));
  const [train, test] = (["train", "test"] as const).map((side) => rowsOf(set, (i) => sides[i] === side));
  if (train?.length && test?.length)
    return [subset(set, train, `${set.name} (part)`), subset(set, test, `${set.name} (rest)`)];
  throw new UsageError(
    `${set.name} has ${set.length} labelled images: too few to cut them into a part to learn from and a part to test on. ` +
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

function rowsOf(set: ImageSet, wanted: (i: number) => boolean): Int32Array {
  return Int32Array.from({ length: set.length }, (_, i) => i).filter(wanted);
}
