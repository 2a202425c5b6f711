/** `preview`: what a task shows the network, before an hour is spent on it; and whether it leaks its answer. */
import { z } from "zod";
import { subset } from "../data/images.ts";
import { openImages } from "../data/open.ts";
import { imagesToLearnFrom } from "../data/splits.ts";
import { parseOptions } from "../options.ts";
import { taskEntry } from "../tasks/index.ts";
import { type AuditRow, audit } from "./audit.ts";
import { loadState, prefixed } from "./checkpoint.ts";
import { withCleanup } from "./cleanup.ts";
import { replaceFile } from "./log.ts";
import { pretrainOptions, type TrainingConfig } from "./options.ts";
import { chooseCompute } from "./precision.ts";
import { type DecodeHooks, decodeImages, firstEncoder, prepareTraining } from "./prepare.ts";
import { fillIn } from "./pretrain.ts";
import { readConfig, runFiles } from "./run.ts";
import { sampleSheet } from "./samples.ts";

const shared = pretrainOptions.pick({
  images: true,
  split: true,
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
  run: z.string().optional().describe("run folder: its task, model and settings, and its guesses"),
  out: z.string().default("preview.png").describe("the picture; an older one is replaced"),
  count: z.int().min(1).max(256).default(16).describe("images to show"),
  audit: z
    .boolean()
    .default(false)
    .describe("train probes that see next to nothing: can the task be done by a shortcut?"),
  minutes: z.number().positive().default(1).describe("of training for each of the audit's three probes"),
});
export type PreviewOptions = z.input<typeof previewOptions>;

export interface PreviewResult {
  /** The picture. */
  file: string;
  /** Empty unless asked for. */
  audit: AuditRow[];
}

export interface PreviewHooks extends DecodeHooks {
  onDownload?(line: string): void;
  /** A probe is about to be trained. */
  onProbe?(view: string): void;
}

/** Images to choose from: enough for what a task estimates from them, and for a probe to learn. */
const [FOR_SHEET, FOR_AUDIT] = [256, 5000];

/**
 * Writes a sheet of what the network sees, with the right answers and its guesses: those of a run, or of a network untrained.
 * @throws UsageError as `pretrain`
 */
export function preview(options: PreviewOptions, hooks: PreviewHooks = {}): Promise<PreviewResult> {
  return withCleanup(async (cleanup) => {
    const { run: folder, out, count, audit: audited, minutes, ...given } = parseOptions(previewOptions, options);
    const config: TrainingConfig =
      folder === undefined ? settings(given) : { ...fillIn(readConfig(folder)), images: given.images };
    const compute = await chooseCompute(config);
    const encoder = firstEncoder(config);
    cleanup.push(() => encoder.dispose());
    const collection = await openImages(config.images, { say: hooks.onDownload });
    const { set } = imagesToLearnFrom(collection, config.split);
    const images = await decodeImages(spread(set, Math.max(FOR_SHEET, count)), config, hooks);
    cleanup.push(() => images.store.close());
    const { run, modules } = await prepareTraining(
      { config: { ...config, batchSize: 1 }, compute, encoder, images },
      cleanup,
    );
    if (folder !== undefined) {
      const ignore = (name: string) => name.startsWith("optimizer.");
      loadState(runFiles(folder).checkpoint, prefixed(modules), { ignore });
    }
    replaceFile(out, await sampleSheet(run, count));
    const rows = audited
      ? await audit({ set: spread(set, FOR_AUDIT), task: taskEntry(config.task), config, minutes }, hooks)
      : [];
    return { file: out, audit: rows };
  });
}

const settings = (given: z.output<typeof shared>) => fillIn(parseOptions(pretrainOptions, given));

function spread<Set extends Parameters<typeof subset>[0]>(set: Set, most: number) {
  const count = Math.min(most, set.length);
  return subset(
    set,
    Int32Array.from({ length: count }, (_, i) => Math.floor((i * set.length) / count)),
  );
}
