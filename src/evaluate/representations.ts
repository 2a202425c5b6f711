/** What is measured: trained encoders, the same networks untrained, weights from elsewhere, and features without any training. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { PixelStore } from "../data/pixels.ts";
import { UsageError } from "../errors.ts";
import { createEncoder } from "../models/index.ts";
import { type Encoder, requireImageSize } from "../models/model.ts";
import { finishedConfig, initialEncoder, loadEncoder, runFiles } from "../run/folder.ts";
import { loadWeights, runOf, specOf } from "../run/foreign-weights.ts";
import { readLearned } from "../run/learned.ts";
import type { PretrainConfig } from "../run/options.ts";
import { taskEntry } from "../tasks/index.ts";
import type { Compute } from "../torch/compute.ts";
import { encoderFeatures, handcraftedFeatures, type LayerFeatures, pixelFeatures } from "./features.ts";
import type { Learner } from "./leaks.ts";

/** Where a measured set of features comes from. `untrained` is the network as its run began: with random weights, or with those that it was given (`pretrain --init`). */
export type Kind = "pre-trained" | "untrained" | "from-scratch" | "weights" | "pixels" | "handcrafted";

/** One thing to measure: a trained encoder, the same network untrained, or features that nothing is trained for. */
export interface Representation {
  /** Unique in the evaluation. */
  readonly id: string;
  /** A name for people. */
  readonly label: string;
  readonly kind: Kind;
  /** What it is to an encoder that it is compared with, in a word or two: "untrained", "raw pixels". */
  readonly role: string;
  /** Side of its input images, in pixels. */
  readonly imageSize: number;
  /** Ids of what it is compared with. */
  readonly baselines: readonly string[];
  /** The run that trained it. */
  readonly folder?: string;
  /** For a network without training: the label of the run that began with it, the first of several. */
  readonly beginningOf?: string;
  /** Runs of one recipe differ only in their seed. */
  readonly recipe?: string;
  readonly seed?: number;
  /** Identifies its weights: a digest, or the settings that determine them. */
  readonly weights?: string;
  /** What a trained encoder learned from. */
  readonly learner?: Learner;
  /** What a reader should know of it: a sentence. */
  readonly note?: string;
  /** Features of every layer. The caller disposes them. @throws InterruptedError when the signal aborts */
  features(store: PixelStore, compute: Compute, options?: { signal?: AbortSignal | undefined }): Promise<LayerFeatures>;
  /** A new encoder with its weights, for protocols that train it further. The caller disposes it. */
  encoder?(): Encoder;
}

/** What every trained encoder is compared with, whatever it began with: they show whether a network is needed at all. */
const PLAIN = [
  { id: "pixels", label: "pixels 32×32", role: "raw pixels", kind: "pixels", features: pixelFeatures },
  {
    id: "handcrafted",
    label: "HOG + colour histogram",
    role: "HOG + colours",
    kind: "handcrafted",
    features: handcraftedFeatures,
  },
] as const;
const plainIds = PLAIN.map(({ id }) => id);

/**
 * The trained encoder of a run, and the same network with its initial weights, unless that is among the `others`.
 * @throws UsageError for a folder that is not a finished run, and for a training that is already among the others
 */
export function representationsOf(folder: string, others: readonly Representation[]): Representation[] {
  const config = finishedConfig(folder);
  const weights = digestOf(runFiles(folder).encoder, folder, others);
  const label = unique(basename(resolve(folder)), others);
  const { model, width, stem, seed, imageSize, task, init } = config;
  const beginning = init === undefined ? "untrained" : "as it began";
  // These determine the initial weights.
  const start = JSON.stringify({
    model,
    width,
    stem,
    imageSize,
    ...(init === undefined ? { seed } : beganWith(folder)),
  });
  const untrained = others.find((other) => other.weights === start) ?? {
    ...ofEncoder(() => initialEncoder(config, folder)),
    id: `untrained ${label}`,
    beginningOf: label,
    label: `${label}, ${beginning}`,
    role: beginning,
    kind: "untrained",
    imageSize,
    baselines: [],
    seed,
    weights: start,
  };
  const trained: Representation = {
    ...ofEncoder(() => loadEncoder(folder).encoder),
    id: `run ${label}`,
    label,
    role: label,
    kind: "pre-trained",
    imageSize,
    baselines: [untrained.id, ...plainIds],
    folder,
    recipe: recipeOf(config),
    seed,
    weights,
    learner: { id: `run ${label}`, name: label, learned: readLearned(folder), usesLabels: learnsLabels(task) },
    ...(init !== undefined && {
      note: `${label} began with the weights of ${init}. If those are not of a run, nobody knows whether they learned from the test images.`,
    }),
  };
  return others.includes(untrained) ? [trained] : [trained, untrained];
}

/**
 * Weights from elsewhere as an encoder.
 * @param text "MODEL=FILE", or "LABEL:MODEL=FILE"
 * @param imageSize side of its input images, in pixels, which `flag` sets
 * @throws UsageError for another text, an unknown model, a file that does not fit it or is among the `others`, or images that
 *   it cannot take; SelfsightError for a damaged file
 */
export function weightsRepresentation(
  text: string,
  imageSize: number,
  others: readonly Representation[],
  flag = "--weights-size",
): Representation {
  const [, name, model, file] = /^(?:([^:=]+):)?([^:=]+)=(.+)$/s.exec(text) ?? [];
  if (model === undefined || file === undefined) {
    throw new UsageError(
      `--weights: expected MODEL=FILE or LABEL:MODEL=FILE, such as resnet18=weights.safetensors; got "${text}".`,
    );
  }
  const spec = specOf(file, { model });
  const encoder = () => {
    const made = createEncoder(spec);
    try {
      loadWeights(file, made, model);
      requireImageSize(made, imageSize, model, flag);
      return made;
    } catch (error) {
      made.dispose();
      throw error;
    }
  };
  encoder().dispose(); // reports now what is wrong with it
  const label = unique(name ?? model, others);
  const id = `weights ${label}`;
  const learned = readLearned(runOf(file)); // if it is from one of our runs
  return {
    ...ofEncoder(encoder),
    ...{
      id,
      label,
      role: label,
      kind: "weights",
      imageSize,
      baselines: plainIds,
      weights: digestOf(file, file, others),
    },
    ...(learned
      ? { learner: { id, name: label, learned, usesLabels: false } }
      : { note: `${label} has the weights of ${file}: nobody knows whether it learned from the test images.` }),
  };
}

/** What two runs of one recipe have in common: all that determines the weights but the seed. */
function recipeOf(config: PretrainConfig): string {
  const { seed, out, resume, saveMinutes, keepCheckpoints, device, threads, ...recipe } = config;
  return JSON.stringify(recipe);
}

/** The weights that a run was given. @throws UsageError if its copy of them is gone: another file may hold others */
function beganWith(folder: string): { digest: string } {
  const { initial } = runFiles(folder);
  if (existsSync(initial)) return { digest: sha256(initial) };
  throw new UsageError(
    `${folder} has no initial.safetensors, the weights that it began with: without them nobody can say what its training added. ` +
      "Put the file back, or train anew.",
  );
}

const sha256 = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");

/** Digest of a file of weights. @throws UsageError if they are among the `others` */
function digestOf(file: string, name: string, others: readonly Representation[]): string {
  const digest = sha256(file);
  const same = others.find(({ weights }) => weights === digest);
  if (!same) return digest;
  throw new UsageError(
    `${name} holds the same weights as ${same.label}: one training named twice would count as two. Name each once.`,
  );
}

function ofEncoder(encoder: () => Encoder): Pick<Representation, "encoder" | "features"> {
  return {
    encoder,
    async features(store, compute, options) {
      const own = encoder().to({ device: compute.device, memoryFormat: "channels_last" });
      try {
        return await encoderFeatures(own, store, compute, options);
      } finally {
        own.dispose();
      }
    },
  };
}

/** Whether a task learns from labels. A task that is not registered here may have done so. */
function learnsLabels(task: string): boolean {
  try {
    return taskEntry(task).usesLabels ?? false;
  } catch {
    return true;
  }
}

/**
 * Raw pixels, and descriptors made by hand.
 * @param imageSize that of the other encoders, so that images need not be decoded again
 */
export function plainRepresentations(imageSize: number): Representation[] {
  return PLAIN.map((one) => ({ ...one, imageSize: Math.max(32, imageSize), baselines: [] }));
}

function unique(name: string, others: readonly Representation[]): string {
  const taken = new Set(others.map(({ label }) => label));
  let candidate = name;
  for (let i = 2; taken.has(candidate); i++) candidate = `${name} (${i})`;
  return candidate;
}
