/**
 * Which images are learned from and which are tested on. Where a collection has parts of its own, their names decide.
 * Where it has none, each image's content decides, and nothing else does: images that are added, removed, renamed or
 * moved leave the others where they are, and copies of one image are always on the same side.
 */
import { createHash } from "node:crypto";
import { UsageError } from "../errors.ts";
import { digestsOf, type ReadHooks } from "./digest.ts";
import { type ImageCollection, type ImageSet, selectSplits, subset } from "./images.ts";

const TESTS = ["validation", "test"];
/** About this fraction of a labelled collection without parts is learned from. */
const LEARNED = 0.7;

export interface LearnOptions {
  /** The parts to use, as they are. */
  split?: string | undefined;
  /** Only labelled images, for a task that learns from labels. */
  labelled?: boolean;
}

/** Images to learn from, and how many were left out for what reason. */
export interface ImagesToLearnFrom {
  set: ImageSet;
  /** Left for tests. */
  heldBack: number;
  /** Left out because they have no label, where only labelled ones are wanted. */
  unlabelled: number;
  /** Parts that are neither learned from nor for tests: `split` may name them. */
  unused: readonly string[];
}

/**
 * Images to pre-train on: what `split` names, as it is, else all but validation and test. Of labelled images without
 * such parts, only those that {@link labelledParts} learns from.
 * @throws UsageError for a split that is not there, and where labels are wanted and there are none
 */
export async function imagesToLearnFrom(
  collection: ImageCollection,
  { split, labelled: wantsLabels = false }: LearnOptions = {},
  hooks: ReadHooks = {},
): Promise<ImagesToLearnFrom> {
  const names = split ?? learnable(collection).join("+");
  const all = selectSplits(collection, names);
  const used = [...names.split("+"), ...TESTS];
  const unused = split === undefined ? Object.keys(collection.splits).filter((name) => !used.includes(name)) : [];
  const { set, heldBack } =
    split !== undefined || hasTests(collection) || !all.classes
      ? { set: all, heldBack: 0 }
      : await withoutTests(all, hooks);
  if (!wantsLabels) return { set, heldBack, unlabelled: 0, unused };
  const known = labelled(set);
  return { set: known, heldBack, unlabelled: set.length - known.length, unused };
}

/** Everything but the test part of the labelled images, and copies of it among those without a label. */
async function withoutTests(all: ImageSet, hooks: ReadHooks): Promise<{ set: ImageSet; heldBack: number }> {
  const digests = await digestsOf(all, hooks);
  const tested = new Set<string>();
  for (const [i, side] of sidesOf(all, digests).entries()) {
    if (side === "test" && all.label(i) >= 0) tested.add(digests[i] as string);
  }
  const kept = rowsOf(all, (i) => !tested.has(digests[i] as string));
  if (!kept.some((i) => all.label(i) >= 0)) return { set: all, heldBack: 0 }; // too few labels to test on some of them
  return { set: kept.length === all.length ? all : subset(all, kept), heldBack: all.length - kept.length };
}

/** Names of the parts to learn labels from and to test on. */
export interface PartNames {
  trainSplit?: string | undefined;
  testSplit?: string | undefined;
}

/**
 * Labelled images to learn from and to test on: the parts train and validation+test, where there are some of them and
 * no others are named. Without any, about 70 % and 30 % of each class, by the images' content; groups stay together.
 * Images without a label are left out.
 * @throws UsageError for images without labels, parts that are not there or named on both sides, and too few images
 */
export async function labelledParts(
  collection: ImageCollection,
  { trainSplit, testSplit }: PartNames,
  hooks: ReadHooks = {},
): Promise<{ train: ImageSet; test: ImageSet; classes: readonly string[] }> {
  const trains = trainSplit?.split("+") ?? learnable(collection).filter((name) => collection.splits[name]?.classes);
  const tests = testSplit?.split("+") ?? present(collection, TESTS).filter((name) => !trains.includes(name));
  const both = trains.filter((name) => tests.includes(name));
  if (both.length) {
    throw new UsageError(
      `${both.join(", ")} cannot be both learned from and tested on. Name other parts with --train-split or --test-split.`,
    );
  }
  const known = labelled(selectSplits(collection, (trains.length ? trains : Object.keys(collection.splits)).join("+")));
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

/**
 * The side of each image. It follows from the content alone; images of a named group follow from the group's name.
 * Copies of a test image are test images too, in whatever group they are.
 */
function sidesOf(set: ImageSet, digests: readonly string[]): ("train" | "test")[] {
  const sizes = new Map<string | number, number>();
  for (let i = 0; i < set.length; i++) sizes.set(set.group(i), (sizes.get(set.group(i)) ?? 0) + 1);
  const sides = digests.map((digest, i) => {
    const group = set.group(i);
    if (digest === "") return "train"; // it cannot be read: whoever decodes it says so
    return sideOf((sizes.get(group) ?? 1) > 1 ? String(group) : digest);
  });
  const tested = new Set(digests.filter((_, i) => sides[i] === "test"));
  return sides.map((side, i) => (tested.has(digests[i] as string) ? "test" : side));
}

function sideOf(key: string): "train" | "test" {
  const number = createHash("sha256").update(`side ${key}`).digest().readUInt32BE() / 2 ** 32;
  return number < LEARNED ? "train" : "test";
}

/** Everything but what is for tests; where there is nothing else, everything. */
function learnable(collection: ImageCollection): string[] {
  const usual = present(collection, ["train", "unlabelled"]);
  if (usual.length) return usual;
  const others = Object.keys(collection.splits).filter((name) => !TESTS.includes(name));
  return others.length ? others : Object.keys(collection.splits);
}

function present({ splits }: ImageCollection, names: readonly string[]): string[] {
  return names.filter((name) => Object.hasOwn(splits, name));
}

const hasTests = (collection: ImageCollection) => present(collection, TESTS).length > 0;

/** The images that have a label. @throws UsageError when there are none, or of one class only */
function labelled(set: ImageSet): ImageSet {
  const rows = rowsOf(set, (i) => set.label(i) >= 0);
  if (!set.classes || set.classes.length < 2 || !rows.length) {
    throw new UsageError(
      `${set.name} has no labels to measure or learn by: expected one sub-folder for each class, at least two classes, or a file with labels.`,
    );
  }
  return rows.length === set.length ? set : subset(set, rows);
}

function rowsOf(set: ImageSet, wanted: (i: number) => boolean): Int32Array {
  return Int32Array.from({ length: set.length }, (_, i) => i).filter(wanted);
}
