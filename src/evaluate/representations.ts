/** What is measured: trained encoders, each beside the same network untrained, and raw pixels. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { PixelStore } from "../data/pixels.ts";
import { UsageError } from "../errors.ts";
import type { Encoder } from "../models/model.ts";
import { finishedConfig, initialEncoder, loadEncoder, runFiles } from "../run/folder.ts";
import { readLearned } from "../run/learned.ts";
import { taskEntry } from "../tasks/index.ts";
import type { Compute } from "../torch/compute.ts";
import { encoderFeatures, type LayerFeatures, pixelFeatures } from "./features.ts";
import type { Learner } from "./leaks.ts";

/** What stands behind a measured set of features. */
export type Kind = "pre-trained" | "untrained" | "from-scratch" | "weights" | "pixels";

/** What is measured: a trained encoder, the same network untrained, raw pixels. */
export interface Representation {
  /** Unlike any other of the evaluation. */
  readonly id: string;
  /** For people. */
  readonly label: string;
  readonly kind: Kind;
  /** Side of the images it takes, in pixels. */
  readonly imageSize: number;
  /** What it is compared with: ids. */
  readonly baselines: readonly string[];
  /** Runs of one recipe differ in nothing but their seed. */
  readonly recipe?: string;
  readonly seed?: number;
  /** Tells its weights from others: a digest, or what they follow from. */
  readonly weights?: string;
  /** What a trained encoder learned from. */
  readonly learner?: Learner;
  /** Features of every layer. The caller disposes them. */
  features(store: PixelStore, compute: Compute): Promise<LayerFeatures>;
  /** A new encoder with its weights, for protocols that train it further. The caller disposes it. */
  encoder?(): Encoder;
}

/** Raw pixels, for whoever asks whether a network is needed at all. */
const PIXELS = { id: "pixels", label: "pixels 32×32", kind: "pixels" } as const;

/**
 * The trained encoder of a run, and the same network with the weights it was made with, unless that is among the `others`.
 * @throws UsageError for a folder that is no finished run, and for a training that is among the others already
 */
export function representationsOf(folder: string, others: readonly Representation[]): Representation[] {
  const config = finishedConfig(folder);
  const weights = createHash("sha256")
    .update(readFileSync(runFiles(folder).encoder))
    .digest("hex");
  const same = others.find((other) => other.weights === weights);
  if (same) {
    throw new UsageError(
      `${folder} holds the same weights as ${same.label}: one training named twice would count as two. Name each once.`,
    );
  }
  const label = unique(basename(resolve(folder)), new Set(others.map((other) => other.label)));
  const { model, width, stem, seed, imageSize, task } = config;
  const start = JSON.stringify({ model, width, stem, seed, imageSize }); // initial weights follow from these
  const untrained = others.find((other) => other.weights === start) ?? {
    ...ofEncoder(() => initialEncoder(config)),
    id: `untrained ${label}`,
    label: `${label}, untrained`,
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
    kind: "pre-trained",
    imageSize,
    baselines: [untrained.id, PIXELS.id],
    recipe: JSON.stringify({ ...config, seed: 0, out: "" }),
    seed,
    weights,
    learner: { id: `run ${label}`, name: label, learned: readLearned(folder), usesLabels: learnsLabels(task) },
  };
  return others.includes(untrained) ? [trained] : [trained, untrained];
}

function ofEncoder(encoder: () => Encoder): Pick<Representation, "encoder" | "features"> {
  return {
    encoder,
    async features(store, compute) {
      const own = encoder().to({ device: compute.device, memoryFormat: "channels_last" });
      try {
        return await encoderFeatures(own, store, compute);
      } finally {
        own.dispose();
      }
    },
  };
}

/** A task that is not registered here may well have used labels. */
function learnsLabels(task: string): boolean {
  try {
    return taskEntry(task).usesLabels ?? false;
  } catch {
    return true;
  }
}

/** @param imageSize of the encoders beside it, so that images need not be decoded once more */
export function pixelRepresentation(imageSize: number): Representation {
  return { ...PIXELS, imageSize: Math.max(32, imageSize), baselines: [], features: pixelFeatures };
}

function unique(name: string, taken: ReadonlySet<string>): string {
  let candidate = name;
  for (let i = 2; taken.has(candidate); i++) candidate = `${name} (${i})`;
  return candidate;
}
