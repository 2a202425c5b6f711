/** The images of a study, looked at before anything is trained: how many there are of each kind, and a sample to try cells on. */
import { digestsOf } from "../../data/digest.ts";
import { collectionIdentity, type ImageSet, spreadOver } from "../../data/images.ts";
import { type DecodedStore, refuseUnreadable } from "../../data/pixels.ts";
import { imagesToLearnFrom, labelledParts } from "../../data/splits.ts";
import { chooseVariants, refuseSeveralLabels } from "../../evaluate/evaluate.ts";
import { labelAmounts } from "../../evaluate/label-amounts.ts";
import { refuseSingles } from "../../evaluate/session.ts";
import { counting, type Hooks } from "../../run/events.ts";
import { openGiven } from "../../run/images.ts";
import type { TrainingConfig } from "../../run/options.ts";
import type { TrainingImages } from "../../train/batches.ts";
import { decodeImages, usesLabels } from "../../train/prepare.ts";
import type { StudyConfig } from "./options.ts";

/** Images to try cells on, at least. */
const SAMPLE = 256;

export interface StudyImages {
  /** Which images there are: see `collectionIdentity`. */
  readonly collection: string;
  /** Number of images that a task can learn from. */
  learnable(task: string): Promise<number>;
  /** Number of test images that are copies of images whose labels can be learned. Reads all of both. */
  copies(): Promise<number>;
  /** Number of labelled images to learn from and to test on, and of classes. */
  readonly labelled: number;
  readonly tested: number;
  readonly classes: number;
  /** Some of the images that a task learns from, decoded for this side of the network's input. */
  sample(
    config: Pick<TrainingConfig, "task" | "imageSize" | "crop">,
  ): Promise<TrainingImages & { store: DecodedStore }>;
  close(): Promise<void>;
}

/** @throws UsageError for images that cannot be found, and for labels that cannot be measured by */
export async function openStudyImages(config: StudyConfig, hooks: Hooks): Promise<StudyImages> {
  const collection = await openGiven(config, hooks);
  const reading = { onRead: counting(hooks, "read"), signal: hooks.signal };
  const { train, test, classes } = await labelledParts(collection, config, reading);
  refuseSingles(train);
  const labels = Int32Array.from({ length: train.length }, (_, i) => train.label(i));
  refuseSeveralLabels({ train, test }, chooseVariants(config), labelAmounts(config.labelsPerClass, labels).counts);
  const sets = new Map<boolean, Promise<ImageSet>>();
  const samples = new Map<string, Promise<TrainingImages & { store: DecodedStore }>>();
  let found: Promise<number> | undefined;
  const learned = (labelled: boolean) =>
    remember(sets, labelled, async () => {
      const { set } = await imagesToLearnFrom(collection, { split: config.split, labelled }, reading);
      return set;
    });
  return {
    ...{
      collection: collectionIdentity(collection),
      labelled: train.length,
      tested: test.length,
      classes: classes.length,
    },
    copies: () => {
      found ??= (async () => {
        const known = new Set(await digestsOf(await learned(true), reading));
        return (await digestsOf(test, reading)).filter((digest) => digest !== "" && known.has(digest)).length;
      })();
      return found;
    },
    learnable: async (task) => (await learned(usesLabels(task))).length,
    sample: ({ task, imageSize, crop }) =>
      remember(samples, `${usesLabels(task)} ${imageSize} ${crop === "shifted"}`, async () => {
        const some = spreadOver(await learned(usesLabels(task)), Math.max(SAMPLE, config.batchSize ?? 0));
        // By chance more of the sample than of the whole may be unreadable: training counts them all.
        const decoded = await decodeImages(some, { imageSize, task, crop }, { signal: hooks.signal }, 1);
        if (!decoded.store.length) refuseUnreadable(some, decoded.store.skipped);
        return decoded;
      }),
    async close() {
      for (const sample of await Promise.allSettled(samples.values()))
        if (sample.status === "fulfilled") await sample.value.store.close();
    },
  };
}

function remember<Key, Value>(known: Map<Key, Value>, key: Key, make: () => Value): Value {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}
