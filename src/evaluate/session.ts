/** Everything that measuring needs, opened and checked once: what is measured, the images to learn from and to test on. */
import { firstLabels, type ImageSet } from "../data/images.ts";
import { labelledParts } from "../data/splits.ts";
import { UsageError } from "../errors.ts";
import { counting, type Hooks } from "../run/events.ts";
import { openGiven } from "../run/images.ts";
import { type Compute, chooseCompute } from "../torch/compute.ts";
import type { ClassCounts } from "./compare.ts";
import { byClass, classCounts } from "./draws.ts";
import { fairParts } from "./leaks.ts";
import { nearNotes } from "./near-notes.ts";
import type { EvaluateConfig } from "./options.ts";
import { type DecodedParts, decodedParts, partNotes } from "./parts.ts";
import {
  plainRepresentations,
  type Representation,
  representationsOf,
  weightsRepresentation,
} from "./representations.ts";

export interface Session {
  /** Trained encoders with the same networks untrained, weights from elsewhere, and features without any training. */
  readonly representations: readonly Representation[];
  readonly train: ImageSet;
  readonly test: ImageSet;
  readonly classes: readonly string[];
  /** How many images each class has, among those to test on and to learn from. */
  readonly classCounts: ClassCounts;
  /** Number of test images that each run has seen without labels, by its id. */
  readonly seen: ReadonlyMap<string, number | undefined>;
  /** Hash of the test images' contents, labels and groups: what was measured on the same ones can be compared in pairs. */
  readonly tested: string;
  readonly compute: Compute;
  /** What a reader should know, one sentence each. Opening images adds to it. */
  readonly notes: string[];
  /** Those of the notes that are about the images: what was left out, which are copies or nearly. */
  readonly aboutImages: string[];
  /** The images decoded at the size that a representation takes; each size is decoded once. */
  partsFor(representation: Representation): Promise<DecodedParts>;
  close(): Promise<unknown>;
}

/**
 * @throws UsageError for images without labels, weights that do not fit their model, test images whose labels a run has learned,
 *   and folders that are not finished runs
 */
export async function openSession(config: EvaluateConfig, hooks: Hooks = {}): Promise<Session> {
  const compute = await chooseCompute(config);
  const representations: Representation[] = [];
  for (const run of config.runs) representations.push(...representationsOf(run, representations));
  const size = sizeForWeights(config, representations[0] as Representation);
  for (const text of config.weights ?? []) representations.push(weightsRepresentation(text, size, representations));
  representations.push(...plainRepresentations(Math.min(...representations.map(({ imageSize }) => imageSize))));

  const collection = await openGiven(config, hooks);
  const reading = { onRead: counting(hooks, "read"), signal: hooks.signal };
  const { classes, cut, notes: said, ...named } = await labelledParts(collection, config, reading);
  const learners = representations.flatMap(({ learner }) => learner ?? []);
  const { train, test, seen, tested, notes: left } = await fairParts(named, learners, config.seenLabels, reading);
  refuseSingles(train);
  const aboutImages = [...(collection.notes ?? []), ...said, ...left];
  const notes = [...aboutImages, ...representations.flatMap(({ note }) => note ?? [])];
  const parts = decodedParts({ train, test }, hooks);
  let told = false;
  return {
    ...{ representations, train, test, classes, seen, tested, compute, notes, aboutImages },
    classCounts: { tested: classCounts(firstLabels(test)), learned: classCounts(firstLabels(train)) },
    async partsFor({ imageSize }) {
      const opened = await parts.open(imageSize);
      if (!told) {
        told = true;
        const found = [...partNotes(opened, classes), ...(cut ? [] : await nearNotes(opened))];
        notes.push(...found);
        aboutImages.push(...found);
      }
      return opened;
    },
    close: () => parts.close(),
  };
}

/** Side of the images that weights from elsewhere are shown. @throws UsageError for one that has no effect */
function sizeForWeights(
  { weights, weightsSize }: Pick<EvaluateConfig, "weights" | "weightsSize">,
  run: { imageSize: number },
): number {
  if (weightsSize !== undefined && !weights?.length)
    throw new UsageError("--weights-size has no effect without --weights. Leave it out, or give --weights MODEL=FILE.");
  return weightsSize ?? run.imageSize;
}

/** Looks at weights from elsewhere before any run is there. @throws UsageError as {@link openSession} */
export function checkWeights(given: Pick<EvaluateConfig, "weights" | "weightsSize">, run: { imageSize: number }): void {
  const found: Representation[] = [];
  const size = sizeForWeights(given, run);
  for (const text of given.weights ?? []) found.push(weightsRepresentation(text, size, found));
}

/** @throws UsageError if no class has two images to learn from: layers and penalties are chosen on held-out training labels */
export function refuseSingles(train: ImageSet): void {
  if (byClass(firstLabels(train)).some(({ length }) => length > 1)) return;
  throw new UsageError(
    `${train.name} has no class with two labelled images to learn from: none could be held out to choose a layer by.`,
  );
}
