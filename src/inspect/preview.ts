/** `preview`: what a task shows the network, before you spend an hour on it; and whether it leaks its answer. */
import { z } from "zod";
import { withCleanup } from "../cleanup.ts";
import { type ImageSet, spreadOver, subset } from "../data/images.ts";
import { decodeSizeFor, openPixels, type PixelStore } from "../data/pixels.ts";
import { imagesToLearnFrom } from "../data/splits.ts";
import { SelfsightError, UsageError } from "../errors.ts";
import { replaceFile } from "../files.ts";
import { parseOptions } from "../options.ts";
import { loadState, prefixed } from "../run/checkpoint.ts";
import { counting, type Hooks } from "../run/events.ts";
import { readConfig, runFiles } from "../run/folder.ts";
import { openGiven } from "../run/images.ts";
import { readSkipped } from "../run/learned.ts";
import { pretrainOptions, type TrainingConfig } from "../run/options.ts";
import { refuseContradictions, resolveConfig, resolveSaved } from "../run/resolve.ts";
import { taskEntry } from "../tasks/index.ts";
import { chooseCompute } from "../torch/compute.ts";
import { type TrainingImages, trainingImages } from "../train/batches.ts";
import {
  decodeImages,
  firstEncoder,
  learnOptions,
  prepareTraining,
  refuseIdleCrops,
  usesLabels,
} from "../train/prepare.ts";
import { sampleSheet } from "../train/samples.ts";
import { type AuditRow, audit } from "./audit.ts";

const shared = pretrainOptions.pick({
  images: true,
  labels: true,
  group: true,
  split: true,
  preset: true,
  task: true,
  taskOptions: true,
  model: true,
  width: true,
  stem: true,
  imageSize: true,
  crop: true,
  minArea: true,
  flip: true,
  seed: true,
  device: true,
  precision: true,
  threads: true,
});

export const previewOptions = z.strictObject({
  ...shared.shape,
  preset: shared.shape.preset.describe(
    "settings: quick, as for runs of up to 15 minutes; paper, as for longer ones; auto: paper, or those of --run",
  ),
  seed: shared.shape.seed.describe("seed of the crops, of what the task draws and of the untrained network"),
  run: z.string().optional().meta({
    description:
      "run folder: its task, model and settings, and its guesses; only device, precision and threads may differ",
    value: "folder",
  }),
  out: z.string().default("preview.png").meta({ description: "the picture; an older one is replaced", value: "file" }),
  count: z.int().min(1).max(256).default(16).describe("images to show"),
  audit: z
    .boolean()
    .default(false)
    .describe("train probes that see next to nothing: can the task be done by a shortcut?"),
  minutes: z.number().positive().default(1).describe("minutes of training for each of the audit's three probes"),
});
export type PreviewOptions = z.input<typeof previewOptions>;

export interface PreviewResult {
  /** Path of the PNG. */
  file: string;
  /** Whose settings are shown. */
  preset: TrainingConfig["preset"];
  /** Empty unless requested. */
  audit: AuditRow[];
}

/** Images to choose from: enough for what a task estimates from them, and to train a probe. */
const [FOR_SHEET, FOR_AUDIT] = [256, 5000];

/**
 * Writes a sheet of what the network sees, with the right answers and its guesses: those of a run, or of an untrained network.
 * @throws UsageError as `pretrain`, and for settings that differ from the run's
 */
export function preview(options: PreviewOptions, hooks: Hooks = {}): Promise<PreviewResult> {
  return withCleanup(async (cleanup) => {
    const { run: folder, out, count, audit: audited, minutes, ...given } = parseOptions(previewOptions, options);
    if (!audited && options.minutes !== undefined)
      throw new UsageError("--minutes has no effect without --audit. Add it, or leave --minutes out.");
    const config = folder === undefined ? settings(given) : settingsOf(folder, options);
    const compute = await chooseCompute(config);
    const encoder = firstEncoder(config);
    cleanup.push(() => encoder.dispose());
    const collection = await openGiven(config, hooks);
    const { set } = await imagesToLearnFrom(collection, learnOptions(config), {
      onRead: counting(hooks, "read"),
      signal: hooks.signal,
    });
    const images =
      folder === undefined
        ? await decodeImages(spreadOver(set, Math.max(FOR_SHEET, count)), config, hooks)
        : await imagesOf(folder, set, config, hooks);
    cleanup.push(() => images.store.close());
    const { run, modules } = await prepareTraining(
      { config: { ...config, batchSize: 1 }, compute, encoder, images },
      cleanup,
    );
    if (folder === undefined) refuseIdleCrops(options, run.task);
    else {
      const ignore = (name: string) => name.startsWith("optimizer.");
      loadState(runFiles(folder).checkpoint, prefixed(modules), { ignore });
    }
    replaceFile(out, await sampleSheet(run, count));
    const rows = audited
      ? await audit(
          { set: spreadOver(set, FOR_AUDIT), task: taskEntry(config.task), config, encoder, length: { minutes } },
          hooks,
        )
      : [];
    return { file: out, preset: config.preset, audit: rows };
  });
}

/** @throws UsageError as `pretrain` */
function settings(given: z.output<typeof shared>): TrainingConfig {
  const config = parseOptions(pretrainOptions, given);
  refuseContradictions(config);
  return resolveConfig(config);
}

/** A run's settings, with the given device, precision and threads. @throws UsageError if any other setting differs */
function settingsOf(folder: string, options: PreviewOptions): TrainingConfig {
  const { run: _, out, count, audit, minutes, images, device, precision, threads, taskOptions, ...others } = options;
  const made = resolveSaved(readConfig(folder));
  const differing = [...differences(others, made), ...differences(taskOptions ?? {}, made.taskOptions)];
  if (differing.length) {
    throw new UsageError(
      `${folder} was made with other settings: ${differing.join("; ")}. Leave them out, or leave out --run.`,
    );
  }
  return {
    ...made,
    images,
    out: folder,
    device: device ?? made.device,
    precision: precision ?? made.precision,
    threads: threads ?? made.threads,
  };
}

function differences(given: object, made: object): string[] {
  const before = new Map<string, unknown>(Object.entries(made));
  const show = (value: unknown) => JSON.stringify(value) ?? "left open";
  return Object.entries(given)
    .filter(([key, value]) => value !== undefined && show(value) !== show(before.get(key)))
    .map(([key, value]) => `${key} was ${show(before.get(key))}, is ${show(value)}`);
}

/**
 * The images that a run learned from, with the same indices: heads may have an output for each. Only requested ones are decoded.
 * @throws SelfsightError from `get` for an image that can no longer be read
 */
async function imagesOf(
  folder: string,
  set: ImageSet,
  { imageSize, task, crop }: TrainingConfig,
  hooks: Hooks,
): Promise<TrainingImages> {
  const size = await decodeSizeFor(set, imageSize, crop);
  const skipped = new Set(readSkipped(folder).map(({ id }) => id));
  const source = Int32Array.from({ length: set.length }, (_, i) => i).filter((i) => !skipped.has(set.id(i)));
  const store: PixelStore = {
    length: source.length,
    size,
    source,
    skipped: [],
    async get(indices) {
      const some = await openPixels(subset(subset(set, source), indices), {
        size,
        onProgress: counting(hooks, "decode"),
        signal: hooks.signal,
      });
      try {
        const [lost] = some.skipped;
        if (!lost) return await some.get(Array.from(indices).map((_, i) => i));
        throw new SelfsightError(
          `${lost.id} cannot be read: ${lost.reason}. If ${folder} learned from it, fix it, or train anew without it.`,
        );
      } finally {
        await some.close();
      }
    },
    close: async () => {},
  };
  return trainingImages(set, store, usesLabels(task));
}
