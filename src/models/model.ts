/** What every architecture offers, so that training, probes and pictures need not know which one they hold. */
import { UsageError } from "../errors.ts";
import { noGrad } from "../torch/autograd.ts";
import { Module } from "../torch/nn/module.ts";
import { zeros } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";

/** An image encoder without any head. */
export abstract class Encoder extends Module {
  /** Channels of each feature map that {@link features} gives, in order. */
  abstract readonly featureDims: Readonly<Record<string, number>>;
  /** Length of the vector that {@link forward} gives. */
  abstract readonly outDim: number;
  /** Smallest side of an image, in pixels. */
  abstract readonly minImageSize: number;
  /** Sides of images are multiples of this, in pixels. */
  readonly sizeStep: number = 1;

  /** Images (B, 3, H, W), normalised, to every stage's feature map (B, C, h, w) by name, shallow to deep. */
  abstract features(images: Tensor): Record<string, Tensor>;

  /** Images (B, 3, H, W) to (B, outDim): the last feature map, averaged over its area. */
  override forward(images: Tensor): Tensor {
    const maps = Object.values(this.features(images));
    return (maps.at(-1) as Tensor).mean([2, 3]);
  }
}

/** @throws UsageError when the encoder, called `name`, cannot take square images of `size` pixels */
export function requireImageSize({ minImageSize, sizeStep }: Encoder, size: number, name: string): void {
  const beyond = size % sizeStep;
  if (size >= minImageSize && beyond === 0) return;
  const needed =
    size < minImageSize
      ? `${minImageSize} pixels at least`
      : `a multiple of ${sizeStep} pixels, ${size - beyond} or ${size - beyond + sizeStep}`;
  throw new UsageError(`${name} needs images of ${needed}; --image-size is ${size}.`);
}

/** Channels, height and width of each stage's feature map for square images of `size` pixels, by one pass of a blank one. */
export function featureShapes(encoder: Encoder, size: number): Record<string, [number, number, number]> {
  const { training } = encoder;
  encoder.eval();
  const shapes = scope(() =>
    noGrad(() =>
      Object.entries(encoder.features(zeros([1, 3, size, size]))).map(([name, { shape }]) => [name, shape.slice(1)]),
    ),
  );
  encoder.train(training);
  return Object.fromEntries(shapes);
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
