/** Which images are learned from and which are tested on: what one command keeps back, no other uses. */
import { UsageError } from "../errors.ts";
import { concatenate, type ImageCollection, type ImageSet, selectSplits, splitByGroup, subset } from "./images.ts";

const TESTS = ["validation", "test"];
/** Of a labelled set without a split for tests: the part to learn from, always the same one. */
const [LEARNED, CUT_SEED] = [0.7, 0];

/**
 * Images to pre-train on: what `split` names, as it is, else all but validation and test. Of labelled images without such
 * splits, only those that {@link labelledParts} learns from: `heldBack` counts the others.
 * @throws UsageError for a split that is not there
 */
export function imagesToLearnFrom(collection: ImageCollection, split?: string): { set: ImageSet; heldBack: number } {
  const all = selectSplits(collection, split ?? learnable(collection).join("+"));
  if (split !== undefined || hasTests(collection) || !all.classes) return { set: all, heldBack: 0 };
  try {
    const { train, test } = labelledParts(collection, {});
    const unlabelled = subset(
      all,
      rowsOf(all, (label) => label < 0),
    );
    return { set: unlabelled.length ? concatenate([train, unlabelled], all.name) : train, heldBack: test.length };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { set: all, heldBack: 0 }; // too few labels for a part to test on
  }
}

/** Names of the parts to learn labels from and to test on. */
export interface PartNames {
  trainSplit?: string | undefined;
  testSplit?: string | undefined;
}

/**
 * Labelled images to learn from and to test on: the splits train and validation+test, where there are some of them and no
 * others are named. Without any, 70 % and 30 %, groups kept together. Images without a label are left out.
 * @throws UsageError for images without labels, splits that are not there or named on both sides
 */
export function labelledParts(
  collection: ImageCollection,
  { trainSplit, testSplit }: PartNames,
): { train: ImageSet; test: ImageSet; classes: readonly string[] } {
  const trains = trainSplit?.split("+") ?? learnable(collection).filter((name) => collection.splits[name]?.classes);
  const tests = testSplit?.split("+") ?? present(collection, TESTS).filter((name) => !trains.includes(name));
  const both = trains.filter((name) => tests.includes(name));
  if (both.length) {
    throw new UsageError(
      `${both.join(", ")} cannot be both learned from and tested on. Name other parts with --train-split or --test-split.`,
    );
  }
  const known = selectSplits(collection, (trains.length ? trains : Object.keys(collection.splits)).join("+"));
  const [train, test] = tests.length
    ? [labelled(known), labelled(selectSplits(collection, tests.join("+")))]
    : splitByGroup(labelled(known), LEARNED, CUT_SEED);
  return { train, test, classes: train.classes ?? [] };
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
  const rows = rowsOf(set, (label) => label >= 0);
  if (!set.classes || set.classes.length < 2 || !rows.length) {
    throw new UsageError(
      `${set.name} has no labels to measure by: expected one sub-folder a class, two classes at least, or a file with labels.`,
    );
  }
  return rows.length === set.length ? set : subset(set, rows);
}

function rowsOf(set: ImageSet, wanted: (label: number) => boolean): Int32Array {
  return Int32Array.from({ length: set.length }, (_, i) => i).filter((i) => wanted(set.label(i)));
}
