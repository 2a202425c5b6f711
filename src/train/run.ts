/** The run folder: what is in it, when it may be written to, and the encoder that comes out of it. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { parse, stringify } from "yaml";
import { MEAN, STD } from "../augment/normalise.ts";
import { onDisk, SelfsightError, UsageError } from "../errors.ts";
import { createEncoder } from "../models/index.ts";
import type { Encoder } from "../models/model.ts";
import { parseOptions } from "../options.ts";
import { firstNotFinite } from "../torch/nn/finite.ts";
import { loadState, saveState } from "./checkpoint.ts";
import { replaceFile, writeJson } from "./log.ts";
import { type PretrainConfig, type PretrainOptions, pretrainOptions, type TrainingConfig } from "./options.ts";

/** Paths inside a run folder. */
export const runFiles = (folder: string) => ({
  config: join(folder, "config.yaml"),
  environment: join(folder, "env.json"),
  status: join(folder, "status.json"),
  checkpoint: join(folder, "checkpoints", "last.safetensors"),
  encoder: join(folder, "encoder.safetensors"),
  encoderConfig: join(folder, "config.json"),
  samples: join(folder, "samples"),
  skipped: join(folder, "skipped.json"),
  learned: join(folder, "learned.jsonl"),
});

/** Where a run goes when nothing else is said: runs/<images>-<task>-<model>. */
export function defaultRunFolder({ images, task, model }: { images: string; task: string; model: string }): string {
  const name = basename(images).replace(/[^\w.-]+/g, "_") || "images";
  return join("runs", `${name}-${task}-${model}`);
}

/**
 * Checks that a run folder can be made, or gone on with, before anything is decoded or computed.
 * @throws UsageError when it exists and is not to be resumed, or is to be resumed and has no checkpoint
 */
export function checkRunFolder(folder: string, resume: boolean): void {
  const saved = existsSync(runFiles(folder).checkpoint);
  if (existsSync(folder) && !statSync(folder).isDirectory())
    throw new UsageError(`${folder} is a file. Choose another folder with --out.`);
  if (resume && !saved) {
    const begun = existsSync(runFiles(folder).config) ? " Delete it, and start anew without --resume." : "";
    throw new UsageError(`There is nothing to resume in ${folder}: it has no checkpoints/last.safetensors.${begun}`);
  }
  if (resume || !existsSync(folder) || !readdirSync(folder).length) return;
  const remedy = saved ? "Go on with it by --resume" : "Delete it";
  throw new UsageError(`${folder} exists and is never overwritten. ${remedy}, or choose another folder with --out.`);
}

/** Makes the run folder where it is new, and writes down the configuration. @throws SelfsightError when that cannot be */
export function claimRunFolder(folder: string, config: TrainingConfig): void {
  const files = runFiles(folder);
  onDisk(`${folder} cannot be made`, () => {
    mkdirSync(dirname(files.checkpoint), { recursive: true });
    mkdirSync(files.samples, { recursive: true });
  });
  replaceFile(files.config, stringify({ ...config, resume: false }));
}

/** Settings that do not change what is computed, and how long to train, may differ when a run is resumed. */
const mayChange = new Set(["images", "out", "resume", "device", "threads", "saveMinutes", "epochs", "minutes"]);

/**
 * The options to go on with: those given, and for the others what the run began with.
 * @throws UsageError for one that would change what is computed
 */
export function resumedOptions(folder: string, given: PretrainOptions): PretrainOptions {
  const { epochs, minutes, ...rest } = readConfig(folder);
  const before: Readonly<Record<string, unknown>> = rest;
  const duration = given.epochs === undefined && given.minutes === undefined ? { epochs, minutes } : {};
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const now = { ...before, ...duration, ...said, taskOptions: { ...rest.taskOptions, ...given.taskOptions } };
  const changed = Object.entries(now).filter(
    ([key, value]) => !mayChange.has(key) && JSON.stringify(value) !== JSON.stringify(before[key]),
  );
  if (!changed.length) return { ...now, images: given.images };
  const list = changed.map(([key, value]) => `${key} was ${JSON.stringify(before[key])}, is ${JSON.stringify(value)}`);
  throw new UsageError(
    `${folder} cannot be resumed with other settings: ${list.join("; ")}. Leave them out, or start anew with another --out.`,
  );
}

/** The configuration of a run. @throws UsageError when the folder is none of a run */
export function readConfig(folder: string): PretrainConfig {
  const { config } = runFiles(folder);
  if (!existsSync(config)) throw new UsageError(`${folder} is not a run folder: it has no config.yaml.`);
  try {
    return parseOptions(pretrainOptions, parse(readFileSync(config, "utf8")) as object);
  } catch (cause) {
    throw new SelfsightError(`${config} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** @throws SelfsightError for weights that are NaN or infinite: nothing made from them means anything */
function requireFinite(encoder: Encoder, what: string): void {
  const weight = firstNotFinite(encoder);
  if (weight === undefined) return;
  throw new SelfsightError(
    `${what}: its weight ${weight} holds NaN or infinity. The training went wrong, or the file is damaged. Train anew, ` +
      "with a lower --learning-rate if it happens again.",
  );
}

/** Writes the encoder as PyTorch users expect it: torchvision's names without a head, and timm's config beside it. */
export function saveEncoder(folder: string, encoder: Encoder, config: PretrainConfig): void {
  const files = runFiles(folder);
  requireFinite(encoder, `The encoder of ${folder} is not saved`);
  saveState(files.encoder, encoder.state());
  const { imageSize, model, width, stem } = config;
  const description = {
    architecture: model,
    num_classes: 0,
    num_features: encoder.outDim,
    pretrained_cfg: {
      input_size: [3, imageSize, imageSize],
      mean: MEAN,
      std: STD,
      interpolation: "bilinear",
      crop_pct: 1,
    },
    selfsight: { width, ...(stem && { stem }), task: config.task },
  };
  writeJson(files.encoderConfig, description);
}

/** The configuration of a run that has got as far as an encoder. @throws UsageError for one that has not */
export function finishedConfig(folder: string): PretrainConfig {
  const config = readConfig(folder);
  if (existsSync(runFiles(folder).encoder)) return config;
  throw new UsageError(
    `${folder} has no encoder.safetensors yet: the run was not finished. selfsight pretrain … --resume goes on with it.`,
  );
}

/** The trained encoder of a run, which the caller disposes. @throws UsageError for a run that has not got that far */
export function loadEncoder(folder: string): { encoder: Encoder; config: PretrainConfig } {
  const config = finishedConfig(folder);
  const encoder = createEncoder(config);
  try {
    loadState(runFiles(folder).encoder, encoder.state());
    requireFinite(encoder, `The encoder of ${folder} cannot be used`);
    return { encoder, config };
  } catch (error) {
    encoder.dispose();
    throw error;
  }
}
