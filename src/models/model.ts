/** What every architecture offers, so that training, probes and pictures need not know which one they hold. */
import { Module } from "../torch/nn/module.ts";
import type { Tensor } from "../torch/tensor.ts";

/** An image encoder without any head. */
export abstract class Encoder extends Module {
  /** Channels of each feature map that {@link features} gives, in order. */
  abstract readonly featureDims: Readonly<Record<string, number>>;
  /** Length of the vector that {@link forward} gives. */
  abstract readonly outDim: number;
  /** Smallest side of an image, in pixels. */
  abstract readonly minImageSize: number;

  /** Images (B, 3, H, W), normalised, to every stage's feature map (B, C, h, w) by name, shallow to deep. */
  abstract features(images: Tensor): Record<string, Tensor>;

  /** Images (B, 3, H, W) to (B, outDim): the last feature map, averaged over its area. */
  override forward(images: Tensor): Tensor {
    const maps = Object.values(this.features(images));
    return (maps.at(-1) as Tensor).mean([2, 3]);
  }
}

/** How the first layers treat the image: `imagenet` 7×7 stride 2 and pooling; `cifar` and `patch` keep small images large. */
export type Stem = "imagenet" | "cifar" | "patch";

export interface ModelOptions {
  /** Multiplies every layer's channels. */
  width: number;
  stem: Stem;
}

/** One row of the table of architectures. */
export interface ModelEntry {
  readonly title: string;
  readonly paper: string;
  /** What `stem` may be, the default first. */
  readonly stems: readonly Stem[];
  readonly create: (options: ModelOptions) => Encoder;
}
