/** What is measured: trained encoders, each beside itself untrained, and the pixels. */
import { basename, resolve } from "node:path";
import type { PixelStore } from "../data/pixels.ts";
import { createEncoder } from "../models/index.ts";
import { manualSeed } from "../torch/random.ts";
import type { Compute } from "../train/precision.ts";
import { finishedConfig, loadEncoder } from "../train/run.ts";
import { encoderFeatures, type LayerFeatures, pixelFeatures } from "./features.ts";

export interface Subject {
  name: string;
  /** Side of the images it takes, in pixels. */
  imageSize: number;
  /** What it is compared with: the name of another subject. */
  baselines: readonly string[];
  /** Runs of one recipe differ in nothing but their seed. */
  recipe?: string;
  /** Untrained networks of one start are the same, weight by weight. */
  start?: string;
  features(store: PixelStore, compute: Compute): Promise<LayerFeatures>;
}

/** Raw pixels, for whoever asks whether a network is needed at all. */
export const PIXELS = "pixels 32×32";

/** The trained encoder, and the same network with the weights it was made with, unless that is among the `others`. */
export function subjectsOf(folder: string, others: readonly Subject[]): Subject[] {
  const config = finishedConfig(folder);
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
  const trained = {
    name,
    imageSize,
    baselines: [untrained, PIXELS],
    recipe,
    features: encode(() => loadEncoder(folder).encoder),
  };
  return known ? [trained] : [trained, { name: untrained, imageSize, baselines: [], start, features: encode(initial) }];
}

export function pixelSubject(imageSize: number): Subject {
  return { name: PIXELS, imageSize: Math.max(32, imageSize), baselines: [], features: pixelFeatures };
}

function unique(name: string, taken: ReadonlySet<string>): string {
  let candidate = name;
  for (let i = 2; taken.has(candidate); i++) candidate = `${name} (${i})`;
  return candidate;
}
