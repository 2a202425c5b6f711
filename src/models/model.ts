/** The interface of every architecture, so that training, probes and plots work with any of them. */
import { UsageError } from "../errors.ts";
import { noGrad } from "../torch/autograd.ts";
import { Module, type Parameter } from "../torch/nn/module.ts";
import { zeros } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import type { Places } from "./places.ts";

/** Tensors by layer name, shallow to deep. */
export type Maps = Readonly<Record<string, Tensor>>;

/** An encoder's output for images (B, 3, H, W). */
export interface Encoded {
  /** Every stage's feature map (B, C, h, w). */
  readonly maps: Maps;
  /** Those of `maps` to which a norm has given the same size at every place, as they were before it. */
  readonly beforeNorm?: Maps;
  /** (B, outDim): one vector for the whole image. */
  readonly vector: Tensor;
  /** A transformer's tokens after its last block and norm (B, N, C), class token first. */
  readonly tokens?: Tensor;
  /** Each block's attention weights (B, heads, N, N), class token first: rows sum to 1. Only if requested. */
  readonly attention?: Maps;
}

/** An image encoder without any head. Layers are plain fields: parameters are found there, and named after them. */
export abstract class Encoder extends Module {
  /** Channels of each feature map that {@link encode} gives, in order. */
  abstract readonly featureDims: Readonly<Record<string, number>>;
  /** Length of the vector. */
  abstract readonly outDim: number;
  /** Smallest side of an image, in pixels. */
  abstract readonly minImageSize: number;
  /** Image sides must be multiples of this, in pixels: a transformer's patch size. */
  readonly patchSize: number = 1;
  /** Where the places of each feature map lie. A map that is not named has them spread evenly over the image. */
  readonly places: Readonly<Record<string, Places>> = {};

  /** Normalised images (B, 3, H, W) to feature maps and a vector. With `attention`, also attention weights, if it has any. */
  abstract encode(images: Tensor, want?: { attention?: boolean }): Encoded;

  /** Values for the tensor `name` from those of a like network in which it has another shape; undefined if there is no rule for it. */
  adapt?(name: string, values: Tensor): Tensor | undefined;

  /** Images (B, 3, H, W) to vectors (B, outDim). */
  override forward(images: Tensor): Tensor {
    return this.encode(images).vector;
  }
}

/** A convolutional encoder: its vector is the last feature map, averaged over height and width. */
export abstract class ConvEncoder extends Encoder {
  /** Normalised images (B, 3, H, W) to every stage's feature map (B, C, h, w). */
  abstract maps(images: Tensor): Maps;

  override encode(images: Tensor): Encoded {
    const maps = this.maps(images);
    return { maps, vector: (Object.values(maps).at(-1) as Tensor).mean([2, 3]) };
  }
}

/** An encoder whose tokens can be left out or replaced between its two steps, for methods that mask patches. */
export interface TokenEncoder extends Encoder {
  /** Images (B, 3, H, W) to patch tokens with position embeddings (B, h · w, C). */
  embed(images: Tensor): Tensor;
  /** Some or all patch tokens (B, n, C) to the last block's output, class token first (B, 1 + n, C). */
  encodeTokens(tokens: Tensor): Tensor;
}

/** @throws UsageError when the encoder, called `name`, cannot take square images of `size` pixels, which `flag` sets */
export function requireImageSize(
  { minImageSize, patchSize }: Encoder,
  size: number,
  name: string,
  flag = "--image-size",
): void {
  const beyond = size % patchSize;
  if (size >= minImageSize && beyond === 0) return;
  const needed =
    size < minImageSize
      ? `${minImageSize} pixels at least`
      : `a multiple of ${patchSize} pixels, ${size - beyond} or ${size - beyond + patchSize}`;
  throw new UsageError(`${name} needs images of ${needed}; ${flag} is ${size}.`);
}

/** How many numbers an encoder learns. */
export const parameterCount = (encoder: Encoder): number =>
  encoder.parameters().reduce((sum, { numel }) => sum + numel, 0);

/** The first kernels that take RGB, (O, 3, K, K), if there are any. */
export function colourKernels(encoder: Encoder): Parameter | undefined {
  return encoder.parameters().find(({ shape }) => shape.length === 4 && shape[1] === 3);
}

/** Channels, height and width of each stage's feature map for square images of `size` pixels, from one pass of a blank image. */
export function featureShapes(encoder: Encoder, size: number): Record<string, [number, number, number]> {
  const { training } = encoder;
  encoder.eval();
  const shapes = scope(() =>
    noGrad(() =>
      Object.entries(encoder.encode(zeros([1, 3, size, size])).maps).map(([name, { shape }]) => [name, shape.slice(1)]),
    ),
  );
  encoder.train(training);
  return Object.fromEntries(shapes);
}

/** The first layers: `imagenet` is 7×7 with stride 2 and pooling; `cifar` and `patch` shrink less, for small images. */
export type Stem = "imagenet" | "cifar" | "patch";

export interface ModelOptions {
  /** Multiplies every layer's channels. */
  width: number;
  stem: Stem;
}

/** How an architecture is trained, whatever the task, where the user sets nothing: a transformer hardly learns by plain SGD. */
export interface ModelDefaults {
  readonly optimizer: "sgd" | "adamw";
  /** Peak learning rate, for this optimizer. */
  readonly learningRate: number;
  readonly weightDecay?: number;
  /** Fraction of the training during which the rate rises. */
  readonly warmup?: number;
}

/** An architecture in the registry. */
export interface ModelEntry {
  readonly title: string;
  readonly paper: string;
  /** Allowed stems, the default first. */
  readonly stems: readonly Stem[];
  /** Without them, the task's defaults hold. */
  readonly defaults?: ModelDefaults;
  readonly create: (options: ModelOptions) => Encoder;
}
