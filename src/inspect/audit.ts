/** Does a task leak its answer? Trains probes that see next to nothing on it, and tests them on what they have not seen. */

import { withCleanup } from "../cleanup.ts";
import { type ImageSet, rowsOf, subset } from "../data/images.ts";
import { UsageError } from "../errors.ts";
import { bestOf, improvement, type Metric } from "../metric.ts";
import type { Encoder } from "../models/model.ts";
import type { Hooks } from "../run/events.ts";
import type { TrainingConfig } from "../run/options.ts";
import type { Shortcut, Task, TaskInstance } from "../tasks/task.ts";
import { noGrad } from "../torch/autograd.ts";
import { manualSeed } from "../torch/random.ts";
import { scope } from "../torch/scope.ts";
import { batchIndices, imagesUsed, readBatch, stepsPerEpoch, type TrainingImages, toViews } from "../train/batches.ts";
import { type TrainingRun, train } from "../train/loop.ts";
import { decodeImages, prepareTraining } from "../train/prepare.ts";
import { BlindEncoder, views } from "./blind.ts";

/** How well a task can be solved from one view of its images. */
export interface AuditRow {
  shortcut: Shortcut;
  /** What the probe sees. */
  view: string;
  metric: Metric;
  /**
   * On images that the probe was not trained on, or on other crops if each image is its own class; with a 95 % interval over
   * batches.
   */
  value: number;
  low: number;
  high: number;
  chance: number;
  /** The best score of the probes that see less; chance for the first ones. */
  known: number;
  /** True if the whole interval is more than a twentieth of the way from `known` to a perfect answer. */
  leaks: boolean;
  /** The option that closes the leak; undefined if the task has none. */
  remedy: string | undefined;
}

/** One image in this many is for testing, or one group of images. */
const TESTED = 5;
/** At least two images to test on: tasks that compare images need more than one. */
const LEAST = 2 * TESTED;
const SUSPICIOUS = 1 / 20;
/** Fewest batches to test on: the spread of fewer tells little. */
const BATCHES = 30;

interface Audited {
  /** Images to train and test on. */
  set: ImageSet;
  task: Task;
  config: TrainingConfig;
  /** The encoder that the probes replace. */
  encoder: Encoder;
  /** How long each probe trains. */
  length: { minutes: number } | { epochs: number };
}

/** Trains a probe for each shortcut. @throws UsageError for too few images */
export async function audit({ set, task, config, encoder, length }: Audited, hooks: Hooks = {}): Promise<AuditRow[]> {
  if (set.length < LEAST) {
    throw new UsageError(
      `An audit needs ${LEAST} images at least, to train and to test on; there are ${set.length}. Give more, or leave it out.`,
    );
  }
  const parts = auditParts(set);
  return withCleanup(async (cleanup) => {
    const open = async (part: ImageSet) => {
      const images = await decodeImages(part, config, hooks);
      cleanup.push(() => images.store.close());
      return images;
    };
    const [seen, unseen] = [await open(parts.seen), await open(parts.unseen)];
    const result: AuditRow[] = [];
    for (const shortcut of Object.keys(views) as Shortcut[]) {
      if (hooks.signal?.aborted) break;
      hooks.onEvent?.({ type: "working", what: `training a probe that sees only ${views[shortcut].title}` });
      const whole = { minutes: undefined, epochs: undefined, ...length };
      const own = { ...config, ...whole, optimizer: "adamw", learningRate: 0.001 } as const;
      manualSeed(config.seed);
      const row = await probe(new BlindEncoder(shortcut, encoder), own, { seen, unseen });
      result.push(judge({ ...row, remedy: task.remedies?.[shortcut] }, shortcut === "border" ? result : []));
    }
    return result;
  });
}

/** Images to train probes and to test them on. Groups stay together: what a probe knows of a group is no leak. @throws UsageError for one group */
export function auditParts(set: ImageSet): { seen: ImageSet; unseen: ImageSet } {
  const groups = [...new Set(Array.from({ length: set.length }, (_, i) => set.group(i)))];
  const tested = new Set(groups.filter((_, at) => at % TESTED === 0));
  const seen = rowsOf(set, (i) => !tested.has(set.group(i)));
  const unseen = rowsOf(set, (i) => tested.has(set.group(i)));
  if (!seen.length || unseen.length < LEAST / TESTED) {
    throw new UsageError(
      `An audit cannot cut ${set.name} into images to train and to test on: it has ${groups.length === 1 ? "one group" : `${groups.length} groups`}, and groups stay together. Give more, or leave it out.`,
    );
  }
  return { seen: subset(set, seen), unseen: subset(set, unseen) };
}

/** Compares a probe with chance, and with the probes that see less. */
function judge(row: Omit<AuditRow, "known" | "leaks">, lesser: readonly AuditRow[]): AuditRow {
  const { metric, low, high, chance } = row;
  const known = bestOf(metric, [chance, ...lesser.map(({ value }) => value)]);
  const worst = metric.better === "higher" ? low : high; // end of the interval
  const leaks = improvement(metric, worst, known) > SUSPICIOUS * improvement(metric, metric.perfect, known);
  return { ...row, known, leaks };
}

interface Parts {
  seen: TrainingImages;
  unseen: TrainingImages;
}

type Measured = Omit<AuditRow, "known" | "leaks" | "remedy">;

/** Trains a probe, tests it and frees it. */
function probe(encoder: BlindEncoder, config: TrainingConfig, { seen, unseen }: Parts): Promise<Measured> {
  return withCleanup(async (cleanup) => {
    cleanup.push(() => encoder.dispose());
    const compute = { device: "cpu", precision: "f32" } as const;
    // The number of images that the task uses, and so the largest possible batch, is known once the task is created.
    const prepared = await prepareTraining(
      { config: { ...config, batchSize: 1 }, compute, encoder, images: seen },
      cleanup,
    );
    const { run: made, modules } = prepared;
    const run = { ...made, config: withinReach(config, seen, made.task) };
    let trained = 0;
    for await (const { step } of train(run)) trained = step;
    for (const module of Object.values(modules)) module.eval();
    const { metric, guess, instances } = run.task;
    const { mean, margin } = await test(run, instances ? seen : unseen, metric.name, trained);
    const { shortcut } = encoder;
    const view = views[shortcut].title;
    return { shortcut, view, metric, value: mean, low: mean - margin, high: mean + margin, chance: guess.value };
  });
}

/** Limits the batch size to the number of images that the task uses. */
function withinReach(config: TrainingConfig, images: TrainingImages, task: TaskInstance): TrainingConfig {
  return { ...config, batchSize: Math.min(config.batchSize, imagesUsed(images, task)) };
}

/**
 * The task's metric on images: its mean over batches, and half the width of its 95 % interval.
 * @param trained steps done: the random draws of later steps are new to the probe
 */
async function test(
  run: TrainingRun,
  images: TrainingImages,
  metric: string,
  trained: number,
): Promise<{ mean: number; margin: number }> {
  const used = imagesUsed(images, run.task);
  const config = withinReach(run.config, images, run.task); // as large as in training: some metrics compare the images of a batch
  const indicesAt = batchIndices(used, config);
  const values: number[] = [];
  for (let i = 0; i < Math.max(BATCHES, stepsPerEpoch(used, config.batchSize)); i++) {
    const raw = await readBatch(images, used, indicesAt(i));
    values.push(
      scope(() =>
        noGrad(() => {
          manualSeed(i);
          const { metrics } = run.task.step(...toViews(raw, images, run, { step: trained + i, progress: 1 }));
          return metrics[metric]?.item() ?? Number.NaN;
        }),
      ),
    );
  }
  return interval(values, used / config.batchSize);
}

/**
 * Mean and half the width of its 95 % interval, from the standard error over batches.
 * @param once number of batches that cover each image once: repeated images are no further evidence
 */
function interval(values: readonly number[], once: number): { mean: number; margin: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
  return { mean, margin: 1.96 * Math.sqrt(variance / Math.min(values.length, once)) };
}
