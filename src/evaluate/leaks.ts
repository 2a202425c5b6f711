/**
 * Keeps images whose labels were learned out of the test. Images are the same if their content is the same, whatever
 * their names and folders.
 */
import { digestsOf, type ReadHooks } from "../data/digest.ts";
import { allLabels, hash, type ImageSet, rowsOf, subset } from "../data/images.ts";
import { plural, some } from "../data/names.ts";
import { UsageError } from "../errors.ts";
import type { LearnedImage } from "../run/learned.ts";
import { groupNumbers } from "./groups.ts";

/** A run, and the images it learned from by digest; undefined if its folder does not say. */
export interface Learner {
  /** Unique id of its representation. */
  id: string;
  name: string;
  learned: ReadonlyMap<string, LearnedImage> | undefined;
  /** Whether its task learns from labels. */
  usesLabels: boolean;
}

export interface Parts {
  train: ImageSet;
  test: ImageSet;
}

export interface FairParts extends Parts {
  /** Number of test images that each run has seen without labels, by its id. Undefined if unknown. */
  seen: ReadonlyMap<string, number | undefined>;
  /** Hash of what is tested on: contents, labels and groups, in their order. */
  tested: string;
  /** What was left out and why, as sentences. */
  notes: string[];
}

/**
 * Removes test images from the training labels, and handles test images whose labels a run has learned.
 * @throws UsageError for such test images, unless they are to be left out; and if nothing is left to learn from or test on
 */
export async function fairParts(
  { train, test }: Parts,
  learners: readonly Learner[],
  seenLabels: "refuse" | "leave-out",
  hooks: ReadHooks = {},
): Promise<FairParts> {
  const [trainDigests, testDigests] = [await digestsOf(train, hooks), await digestsOf(test, hooks)];
  const notes: string[] = [];
  for (const learner of learners) refuseUnknown(learner, notes);

  const learnedLabel = (i: number) =>
    learners.find(({ learned }) => learned?.get(testDigests[i] as string)?.label !== undefined);
  const spoilt = rowsOf(test, (i) => learnedLabel(i) !== undefined);
  if (spoilt.length) {
    const names = new Set(Array.from(spoilt, (i) => learnedLabel(i)?.name));
    if (seenLabels === "refuse") throw seenWithLabels([...names].join(", "), test, spoilt);
    notes.push(
      `${spoilt.length} of ${test.length} test images are left out: ${[...names].join(", ")} learned their labels.`,
    );
  }
  const fresh = rowsOf(test, (i) => learnedLabel(i) === undefined);
  const kept = firstOfEach(fresh, testDigests);
  if (!kept.length) throw new UsageError(`No test image is left: the runs learned the labels of all ${test.length}.`);

  const tested = new Set(Array.from(kept, (i) => testDigests[i] as string));
  const fit = rowsOf(train, (i) => trainDigests[i] === "" || !tested.has(trainDigests[i] as string));
  if (fit.length < train.length) {
    const copies = train.length - fit.length;
    notes.push(`${copies} training images are copies of test images: their labels are not learned from.`);
  }
  if (!fit.length)
    throw new UsageError(`${train.name} holds only copies of the test images: nothing is left to learn from.`);
  for (const { name, learned } of learners) {
    const known = Array.from(fit).filter((i) => learned?.get(trainDigests[i] as string)?.label !== undefined).length;
    if (!known) continue;
    notes.push(
      `${name} learned the labels of ${known} of ${fit.length} training images: its layers and penalties are not chosen on labels new to it, and may suit it less than those of others.`,
    );
  }
  notes.push(...contradictions(train, fit, trainDigests));
  if (kept.length < fresh.length)
    notes.push(
      `${fresh.length - kept.length} test images are copies of other test images: each image is tested on once.`,
    );

  const seen = new Map(
    learners.map(({ id, learned }) => [
      id,
      learned && Array.from(kept).filter((i) => learned.has(testDigests[i] as string)).length,
    ]),
  );
  const contents = Array.from(kept, (i) => `${testDigests[i]} ${allLabels(test, i).join("+")}`);
  const groups = groupNumbers(Array.from(kept, (i) => test.group(i)));
  const about = hash(groups ? [...contents, groups.join()] : contents);
  return { train: ofRows(train, fit), test: ofRows(test, kept), seen, tested: about, notes };
}

/** A sentence about training images of the same content with different labels; none if there are none. */
function contradictions(train: ImageSet, rows: Int32Array, digests: readonly string[]): string[] {
  const labels = (row: number) =>
    allLabels(train, row)
      .map((label) => train.classes?.[label] ?? "?")
      .sort()
      .join(", ");
  const first = new Map<string, number>();
  const pairs: [number, number][] = [];
  for (const row of rows) {
    const digest = digests[row] as string;
    const before = first.get(digest);
    if (before === undefined && digest !== "") first.set(digest, row);
    else if (before !== undefined && labels(before) !== labels(row)) pairs.push([before, row]);
  }
  if (!pairs.length) return [];
  const name = (row: number) => `${train.id(row)} (${labels(row)})`;
  return [
    `${plural(pairs.length, "training image")} ${pairs.length === 1 ? "has a copy" : "have copies"} with another label: ` +
      `${some(pairs.map(([a, b]) => `${name(a)} and ${name(b)}`))}. One of the two is wrong, or each shows both.`,
  ];
}

/** The first row of each content: a copy is no further evidence. Images that cannot be read are kept; decoding reports them. */
function firstOfEach(rows: Int32Array, digests: readonly string[]): Int32Array {
  const seen = new Set<string>();
  return rows.filter((row) => {
    const digest = digests[row] as string;
    return digest === "" || (!seen.has(digest) && seen.add(digest) !== undefined);
  });
}

function refuseUnknown({ name, learned, usesLabels }: Learner, notes: string[]): void {
  if (learned) return;
  if (usesLabels) {
    throw new UsageError(
      `${name} learned from labels, but its folder has no learned.jsonl that says which images: it may have learned the ` +
        "answers. Train it anew with this version.",
    );
  }
  notes.push(`${name} has no learned.jsonl: nobody knows which of the test images its pre-training saw.`);
}

function seenWithLabels(runs: string, test: ImageSet, spoilt: Int32Array): UsageError {
  const names = some(Array.from(spoilt, (i) => test.id(i)));
  return new UsageError(
    `${runs} learned the labels of ${spoilt.length} of the ${test.length} test images (${names}): ` +
      "testing on them would only show what it remembers. Train it without them, name other test images with --test-split, " +
      "or leave them out of the test with --seen-labels leave-out.",
  );
}

function ofRows(set: ImageSet, rows: Int32Array): ImageSet {
  return rows.length === set.length ? set : subset(set, rows);
}
