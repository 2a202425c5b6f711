/** Does a task leak its answer? Probes that see next to nothing are trained on it, and tested on other images. */
import type { ImageSet } from "../data/images.ts";
import { subset } from "../data/images.ts";
import type { Shortcut, Task } from "../tasks/task.ts";
import { noGrad } from "../torch/autograd.ts";
import { manualSeed } from "../torch/random.ts";
import { scope } from "../torch/scope.ts";
import { readBatch, stepsPerEpoch, type TrainingImages, toViews } from "./batches.ts";
import { withCleanup } from "./cleanup.ts";
import { type TrainingRun, train } from "./loop.ts";
import type { TrainingConfig } from "./options.ts";
import { type DecodeHooks, decodeImages, prepareTraining } from "./prepare.ts";
import { Probe, views } from "./probes.ts";

/** How well a task can be done by one view of its images. */
export interface AuditRow {
  shortcut: Shortcut;
  /** What the probe sees. */
  view: string;
  metric: string;
  /** On images that the probe was not trained on, with a 95 % interval over batches. */
  value: number;
  low: number;
  high: number;
  chance: number;
  /** What a probe that sees less gets, at best; chance for the first ones. */
  known: number;
  /** The whole interval is more than a twentieth of the way from `known` to a perfect answer. */
  leaks: boolean;
  /** The option that closes the leak; undefined where the task has none. */
  remedy: string | undefined;
}

/** One image of so many is tested on. */
const TESTED = 5;
const SUSPICIOUS = 1 / 20;
/** At least so many, or their spread tells little. */
const BATCHES = 30;

/**
 * Trains a probe for each shortcut.
 * @param set images to train and test on
 * @param minutes of training, for each probe
 */
export async function audit(
  { set, task, config, minutes }: { set: ImageSet; task: Task; config: TrainingConfig; minutes: number },
  { onProbe, ...hooks }: DecodeHooks & { onProbe?(view: string): void } = {},
): Promise<AuditRow[]> {
  const rows = Array.from({ length: set.length }, (_, i) => i);
  const parts = [rows.filter((i) => i % TESTED !== 0), rows.filter((i) => i % TESTED === 0)];
  return withCleanup(async (cleanup) => {
    const open = async (indices: number[]) => {
      const images = await decodeImages(subset(set, indices), config, hooks);
      cleanup.push(() => images.store.close());
      return images;
    };
    const [seen, unseen] = [await open(parts[0] as number[]), await open(parts[1] as number[])];
    const result: AuditRow[] = [];
    for (const shortcut of Object.keys(views) as Shortcut[]) {
      if (hooks.signal?.aborted) break;
      onProbe?.(views[shortcut].title);
      const batchSize = Math.min(config.batchSize, seen.store.length);
      const own = {
        ...config,
        batchSize,
        minutes,
        epochs: undefined,
        optimizer: "adamw",
        learningRate: 0.001,
      } as const;
      const row = await probe(shortcut, own, { seen, unseen });
      result.push(judge({ ...row, remedy: task.remedies?.[shortcut] }, shortcut === "border" ? result : []));
    }
    return result;
  });
}

/** Compares with chance, and with the probes that see less. */
function judge(row: Omit<AuditRow, "known" | "leaks">, lesser: readonly AuditRow[]): AuditRow {
  const { metric, low, high, chance } = row;
  const values = [chance, ...lesser.map(({ value }) => value)];
  if (metric === "accuracy") {
    const known = Math.max(...values);
    return { ...row, known, leaks: low - known > SUSPICIOUS * (1 - known) };
  }
  const known = Math.min(...values);
  return { ...row, known, leaks: known - high > SUSPICIOUS * known };
}

interface Parts {
  seen: TrainingImages;
  unseen: TrainingImages;
}

type Measured = Omit<AuditRow, "known" | "leaks" | "remedy">;

/** Trains a probe, and tests it. */
function probe(shortcut: Shortcut, config: TrainingConfig, { seen, unseen }: Parts): Promise<Measured> {
  return withCleanup(async (cleanup) => {
    manualSeed(config.seed);
    const encoder = new Probe(shortcut);
    cleanup.push(() => encoder.dispose());
    const compute = { device: "cpu", precision: "f32" } as const;
    const { run, modules } = await prepareTraining({ config, compute, encoder, images: seen }, cleanup);
    for await (const _ of train(run));
    for (const module of Object.values(modules)) module.eval();
    const { metric, value: chance } = run.task.chance;
    const { mean, margin } = interval(await testValues(run, unseen, metric));
    const view = views[shortcut].title;
    return { shortcut, view, metric, value: mean, low: mean - margin, high: mean + margin, chance };
  });
}

/** The task's measure on each batch of images that were not trained on. */
async function testValues(run: TrainingRun, images: TrainingImages, metric: string): Promise<number[]> {
  const { length } = images.store;
  const size = Math.max(1, Math.min(run.config.batchSize, Math.floor(length / BATCHES)));
  const values: number[] = [];
  for (let step = 0; step < Math.max(BATCHES, stepsPerEpoch(length, size)); step++) {
    const indices = Int32Array.from({ length: size }, (_, i) => (step * size + i) % length);
    const raw = await readBatch(images, length, indices);
    values.push(
      scope(() =>
        noGrad(() => {
          manualSeed(step);
          const { metrics } = run.task.step(...toViews(raw, images, run, step));
          return metrics[metric]?.item() ?? Number.NaN;
        }),
      ),
    );
  }
  return values;
}

/** Mean and half of its 95 % interval, by the batches' standard error. */
function interval(values: readonly number[]): { mean: number; margin: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
  return { mean, margin: 1.96 * Math.sqrt(variance / values.length) };
}
