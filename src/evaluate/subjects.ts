/** What is measured: trained encoders, each beside itself untrained, and the pixels. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { PixelStore } from "../data/pixels.ts";
import { UsageError } from "../errors.ts";
import { createEncoder } from "../models/index.ts";
import { taskEntry } from "../tasks/index.ts";
import { manualSeed } from "../torch/random.ts";
import { readLearned } from "../train/learned.ts";
import type { Compute } from "../train/precision.ts";
import { finishedConfig, loadEncoder, runFiles } from "../train/run.ts";
import { encoderFeatures, type LayerFeatures, pixelFeatures } from "./features.ts";
import type { Learner } from "./leaks.ts";

/** What stands behind a measured set of features. */
export type SubjectKind = "pre-trained" | "untrained" | "pixels";

export interface Subject {
  name: string;
  kind: SubjectKind;
  /** Side of the images it takes, in pixels. */
  imageSize: number;
  /** What it is compared with: the name of another subject. */
  baselines: readonly string[];
  /** Runs of one recipe differ in nothing but their seed. */
  recipe?: string;
  /** Untrained networks of one start are the same, weight by weight. */
  start?: string;
  /** Tells a trained encoder's weights from others. */
  weights?: string;
  /** What a trained encoder learned from. */
  learner?: Learner;
  features(store: PixelStore, compute: Compute): Promise<LayerFeatures>;
}

/** Raw pixels, for whoever asks whether a network is needed at all. */
export const PIXELS = "pixels 32×32";

/**
 * The trained encoder, and the same network with the weights it was made with, unless that is among the `others`.
 * @throws UsageError for a folder that is no finished run, and for a training that is among the others already
 */
export function subjectsOf(folder: string, others: readonly Subject[]): Subject[] {
  const config = finishedConfig(folder);
  const weights = createHash("sha256")
    .update(readFileSync(runFiles(folder).encoder))
    .digest("hex");
  const same = others.find((other) => other.weights === weights);
  if (same) {
    throw new UsageError(
      `${folder} holds the same weights as ${same.name}: one training named twice would count as two. Name each once.`,
    );
  }
  const recipe = JSON.stringify({ ...config, seed: 0, out: "" });
  const name = unique(basename(resolve(folder)), new Set(others.map((other) => other.name)));
  const { model, width, stem, seed, imageSize } = config;
  const start = JSON.stringify({ model, width, stem, seed, imageSize });
  const known = others.find((other) => other.start === start);
  const untrained = known?.name ?? `${name}, untrained`;
  const encode = (make: () => ReturnType<typeof createEncoder>) => async (store: PixelStore, compute: Compute) => {
    const encoder = make().to({ device: compute.device, memoryFormat: "channels_last" });
    try {
      return await encoderFeatures(encoder, store, compute);
    } finally {
      encoder.dispose();
    }
  };
  const initial = () => {
    manualSeed(seed);
    return createEncoder(config);
  };
  const trained: Subject = {
    name,
    kind: "pre-trained",
    imageSize,
    baselines: [untrained, PIXELS],
    recipe,
    weights,
    learner: { name, learned: readLearned(folder), usesLabels: learnsLabels(config.task) },
    features: encode(() => loadEncoder(folder).encoder),
  };
  if (known) return [trained];
  return [trained, { name: untrained, kind: "untrained", imageSize, baselines: [], start, features: encode(initial) }];
}

/** A task that is not registered here may well have used labels. */
function learnsLabels(task: string): boolean {
  try {
    return taskEntry(task).usesLabels ?? false;
  } catch {
    return true;
  }
}

export function pixelSubject(imageSize: number): Subject {
  return { name: PIXELS, kind: "pixels", imageSize: Math.max(32, imageSize), baselines: [], features: pixelFeatures };
}

function unique(name: string, taken: ReadonlySet<string>): string {
  let candidate = name;
  for (let i = 2; taken.has(candidate); i++) candidate = `${name} (${i})`;
  return candidate;
}
