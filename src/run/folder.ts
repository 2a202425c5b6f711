/** The run folder: its files, when it may be written to, and the encoder that comes out of it. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { onDisk, SelfsightError, UsageError } from "../errors.ts";
import { readJson, replaceFile, writeJson } from "../files.ts";
import type { Guess, Metric } from "../metric.ts";
import { createEncoder } from "../models/index.ts";
import type { Encoder } from "../models/model.ts";
import { OptionsError, parseOptions } from "../options.ts";
import { makeFolder, removeEmpty } from "../setup/folders.ts";
import { type Holder, isSign, lockHolder, takeLock } from "../setup/lock.ts";
import { shellWord } from "../setup/terminal.ts";
import { firstNotFinite } from "../torch/nn/finite.ts";
import { manualSeed } from "../torch/random.ts";
import { loadState, saveState } from "./checkpoint.ts";
import { encoderConfig, encoderMetadata } from "./description.ts";
import type { Position } from "./events.ts";
import { loadWeights } from "./foreign-weights.ts";
import { type PretrainConfig, type PretrainOptions, pretrainOptions, type TrainingConfig } from "./options.ts";

/** Paths inside a run folder. */
export const runFiles = (folder: string) => ({
  config: join(folder, "config.yaml"),
  environment: join(folder, "env.json"),
  status: join(folder, "status.json"),
  checkpoints: join(folder, "checkpoints"),
  checkpoint: join(folder, "checkpoints", "last.safetensors"),
  encoder: join(folder, "encoder.safetensors"),
  initial: join(folder, "initial.safetensors"),
  encoderConfig: join(folder, "config.json"),
  samples: join(folder, "samples"),
  skipped: join(folder, "skipped.json"),
  learned: join(folder, "learned.jsonl"),
  convolutions: join(folder, "convolutions.json"),
  metrics: join(folder, "metrics.jsonl"),
  log: join(folder, "train.log"),
  evaluations: join(folder, "evals"),
});

/** Contents of status.json: the run's state, its task's metric and the score of guessing. */
export interface RunStatus extends Position {
  state: "training" | "done" | "interrupted" | "failed";
  metric: Metric;
  guess: Guess;
  lossUnit?: string | undefined;
}

/** Whether a run has come to its end. That it has saved an encoder is not enough: one may be saved before. */
export function isDone(folder: string): boolean {
  const { status, encoder } = runFiles(folder);
  return existsSync(encoder) && readJson<Partial<RunStatus> | null>(status, {})?.state === "done";
}

/**
 * Clears away what keeps a run that was stopped at any point from going on: an encoder that may be of an earlier end, a folder
 * without a checkpoint, which counts as another's, and the lock of a process on another machine or in a container that has ended,
 * which counts as a living one's. The caller knows that no other process trains there. Returns whether there is something to resume.
 */
export function clearToGoOn(folder: string): boolean {
  const { encoder, checkpoint } = runFiles(folder);
  const resume = existsSync(checkpoint);
  rmSync(resume ? encoder : folder, { recursive: true, force: true });
  for (let holder = lockHolder(lockOf(folder)); holder && !holder.alive; holder = lockHolder(lockOf(folder)))
    rmSync(holder.sign, { force: true });
  return resume;
}

/** A process that trains in a run folder holds this lock. */
export const lockOf = (folder: string): string => join(folder, "lock");

/** Most characters of the images' name in a run folder's name: file systems allow 255 bytes in all. */
const NAME_LENGTH = 50;

/** Run folder by default: runs/<images>-<task>-<model>; never a hidden folder. */
export const defaultRunFolder = ({ images, task, model }: { images: string; task: string; model: string }): string =>
  join("runs", `${nameForFolder(images)}-${task}-${model}`);

/** The images' name as the part of a folder's name: every file system takes it. */
export function nameForFolder(images: string): string {
  const name = basename(resolve(images))
    .normalize("NFC")
    .replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, "_")
    .replace(/^\.+/, "");
  return [...name].slice(0, NAME_LENGTH).join("") || "images";
}

/**
 * Checks that a run folder can be created or resumed, before anything is decoded or computed.
 * @throws UsageError if it exists and is not to be resumed, has no checkpoint to resume from, or is in use
 */
export function checkRunFolder(folder: string, resume: boolean): void {
  const stats = onDisk(`${folder} cannot be made`, () => statSync(folder, { throwIfNoEntry: false }));
  if (stats && !stats.isDirectory()) throw new UsageError(`${folder} is a file. Choose another folder with --out.`);
  const holder = stats && onDisk(`${folder} cannot be read`, () => lockHolder(lockOf(folder)));
  if (holder) throw inUse(folder, holder);
  checkState(folder, resume);
}

/** @throws UsageError if there is no run to resume, or a new run would overwrite something */
function checkState(folder: string, resume: boolean): void {
  const { checkpoint, config } = runFiles(folder);
  const saved = existsSync(checkpoint);
  if (resume && !saved) {
    const begun = existsSync(config) ? " Delete it, and start anew without --resume." : "";
    throw new UsageError(`There is nothing to resume in ${folder}: it has no checkpoints/last.safetensors.${begun}`);
  }
  if (resume || !existsSync(folder)) return;
  const names = onDisk(`${folder} cannot be read`, () => readdirSync(folder));
  if (names.every((name) => isSign(lockOf(folder), name))) return;
  const remedy = saved ? "Go on with it by --resume" : "Delete it";
  throw new UsageError(`${folder} exists and is never overwritten. ${remedy}, or choose another folder with --out.`);
}

/**
 * Locks the run folder for this process, creating it if needed. Returns a function that releases it, and that removes a folder
 * created here if it is still empty.
 * @throws UsageError as {@link checkRunFolder}, if something has changed since; SelfsightError if it cannot be created
 */
export async function holdRunFolder(folder: string, resume: boolean): Promise<() => void> {
  const made = onDisk(`${folder} cannot be made`, () => makeFolder(folder));
  try {
    const release = await takeLock(lockOf(folder)).catch((error) =>
      onDisk(`${folder} cannot be written to`, () => {
        throw error;
      }),
    );
    if (typeof release !== "function") throw inUse(folder, release);
    try {
      checkState(folder, resume);
    } catch (error) {
      release();
      throw error;
    }
    const giveBack = () => {
      process.off("exit", giveBack);
      release();
      removeEmpty(made);
    };
    process.on("exit", giveBack);
    return giveBack;
  } catch (error) {
    removeEmpty(made);
    throw error;
  }
}

export function inUse(folder: string, { pid, host, sign, alive }: Holder): UsageError {
  return new UsageError(
    alive
      ? `${folder} is in use: process ${pid} works there. Wait until it is done, stop it, or choose another folder with --out.`
      : `${folder} is in use by process ${pid} of the machine or container "${host}". If that one is no longer running, ` +
          `delete ${sign}; else wait, or choose another folder with --out.`,
  );
}

/** Creates the run folder if needed, and writes the configuration. @throws SelfsightError if that fails */
export function claimRunFolder(folder: string, config: TrainingConfig): void {
  const files = runFiles(folder);
  onDisk(`${folder} cannot be made`, () => {
    makeFolder(dirname(files.checkpoint));
    makeFolder(files.samples);
  });
  replaceFile(files.config, stringify({ ...config, resume: false }));
}

/** Settings that are saved as what `auto` meant. Who says `auto` when the run goes on leaves them to it. */
const savedResolved = new Set(["preset", "crop"]);

/** Settings that may differ when a run is resumed: those that do not change what is computed, and how long to train. */
const mayChange = new Set([
  ...["images", "labels", "out", "resume", "device", "threads", "saveMinutes", "keepCheckpoints", "epochs", "minutes"],
]);

/**
 * The options to resume with: those given, and for the others what the run started with.
 * @throws UsageError for an option that would change what is computed
 */
export function resumedOptions(folder: string, given: PretrainOptions): PretrainOptions {
  const { epochs, minutes, ...rest } = readConfig(folder);
  const before: Readonly<Record<string, unknown>> = rest;
  const duration = given.epochs === undefined && given.minutes === undefined ? { epochs, minutes } : {};
  const says = ([key, value]: [string, unknown]) =>
    value !== undefined && !(value === "auto" && savedResolved.has(key));
  const said = Object.fromEntries(Object.entries(given).filter(says));
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

function noRun(folder: string): string {
  const order = "evaluate, attention and embed take run folders first, then the images.";
  return existsSync(folder)
    ? `${folder} is not a run folder: it has no config.yaml. ${order}`
    : `There is no run folder ${folder}. ${order} Make one: npx selfsight pretrain path/to/photos --out ${shellWord(folder)}`;
}

/** The configuration of a run. @throws UsageError if the folder is not a run folder; SelfsightError for a damaged file */
export function readConfig(folder: string): PretrainConfig {
  const { config } = runFiles(folder);
  if (!existsSync(config)) throw new UsageError(noRun(folder));
  const text = onDisk(`${config} cannot be read`, () => readFileSync(config, "utf8"));
  try {
    // Runs from before the presets have the papers' settings.
    return parseOptions(pretrainOptions, { preset: "paper", ...(parse(text) as object) }, "setting");
  } catch (cause) {
    const { message } = cause as Error;
    const reason = cause instanceof OptionsError ? message : message.split(/:?\n/)[0]; // yaml appends the source line with a marker
    throw new SelfsightError(`${config} cannot be used: ${reason}\nFix it, or train anew with another --out.`, {
      cause,
    });
  }
}

/** @throws SelfsightError for weights that are NaN or infinite: no result from them would mean anything */
function requireFinite(encoder: Encoder, what: string): void {
  const weight = firstNotFinite(encoder);
  if (weight === undefined) return;
  throw new SelfsightError(
    `${what}: its weight ${weight} holds NaN or infinity. The training went wrong, or the file is damaged. Train anew, ` +
      "with a lower --learning-rate if it happens again.",
  );
}

/** Writes the encoder as PyTorch users expect it: torchvision's or timm's names without a head, with a config as timm has them beside it. */
export function saveEncoder(folder: string, encoder: Encoder, config: PretrainConfig): void {
  const files = runFiles(folder);
  requireFinite(encoder, `The encoder of ${folder} is not saved`);
  saveState(files.encoder, encoder.state(), encoderMetadata(config));
  writeJson(files.encoderConfig, encoderConfig(config, encoder.outDim));
}

/**
 * The encoder that a run of this configuration starts with: random, or with the weights it was told to begin with. Of these a run
 * keeps a copy, which counts once it is there. The caller disposes it.
 * @throws UsageError for weights of another network
 */
export function initialEncoder(
  config: Pick<PretrainConfig, "model" | "width" | "stem" | "seed" | "init">,
  folder: string,
): Encoder {
  manualSeed(config.seed);
  const encoder = createEncoder(config);
  if (config.init === undefined) return encoder;
  const { initial } = runFiles(folder);
  try {
    loadWeights(existsSync(initial) ? initial : config.init, encoder, config.model);
    return encoder;
  } catch (error) {
    encoder.dispose();
    throw error;
  }
}

/** The configuration of a run that has saved an encoder. @throws UsageError if it has not */
export function finishedConfig(folder: string): PretrainConfig {
  const config = readConfig(folder);
  if (existsSync(runFiles(folder).encoder)) return config;
  throw new UsageError(
    `${folder} has no encoder.safetensors yet: the run was not finished. npx selfsight pretrain … --resume goes on with it.`,
  );
}

/**
 * The trained encoder of a run, or one that it kept on the way. The caller disposes it.
 * @throws UsageError if the run has not saved one
 */
export function loadEncoder(
  folder: string,
  file = runFiles(folder).encoder,
): { encoder: Encoder; config: PretrainConfig } {
  const config = finishedConfig(folder);
  const encoder = createEncoder(config);
  try {
    loadState(file, encoder.state());
    requireFinite(encoder, `The encoder of ${folder} cannot be used`);
    return { encoder, config };
  } catch (error) {
    encoder.dispose();
    throw error;
  }
}
