/** The interface of an evaluation protocol. Shared code uses only this, never a protocol by name. */
import type { z } from "zod";
import type { ImageSet } from "../data/images.ts";
import type { PixelStore } from "../data/pixels.ts";
import { accuracy as accuracyMetric, type Metric } from "../metric.ts";
import type { Encoder } from "../models/model.ts";
import type { Compute } from "../torch/compute.ts";
import type { Tensor } from "../torch/tensor.ts";

/** A protocol's input: the features of one layer (N, D), f32, or decoded images for the encoder. */
export interface Inputs {
  /** For a protocol that needs features. */
  readonly features?: Tensor;
  /** For a protocol that needs the encoder: N images of its input size. */
  readonly store?: PixelStore;
}

/** What a protocol learns from. It never includes test images. */
export interface Training<Truth> extends Inputs {
  /** The truth about each of the N images. */
  readonly truths: ArrayLike<Truth>;
  /** Indices of the images whose truths may be used. */
  readonly rows: readonly number[];
  /**
   * The number of each image's group (N): what is held out, to choose by, shares no group with what is fitted on. By default each
   * image is alone.
   */
  readonly groups?: ArrayLike<number> | undefined;
  /** Number of classes, if truths are classes. */
  readonly classes: number;
  readonly seed: number;
  /** Where and how precisely to compute. Features are there already. */
  readonly compute: Compute;
  /** For a protocol that needs the encoder: creates one with the weights to measure. The caller disposes it. */
  readonly encoder?: () => Encoder;
  /** Aborted when the user interrupts: a long fit looks at it and throws InterruptedError. */
  readonly signal?: AbortSignal | undefined;
}

/** A fitted protocol. */
export interface Fitted<Prediction> {
  /** The metric on held-out training images, or from leave-one-out. Used to choose the layer. */
  readonly heldOut: number;
  /** One prediction for each image, from the features or pixels alone; it can be relative to the other images. */
  predict(test: Inputs): Promise<readonly Prediction[]>;
  /** Frees what `fit` kept beyond its scope. */
  dispose(): void;
}

export interface Protocol<
  Options extends z.ZodObject = z.ZodObject,
  Prediction = unknown,
  Truth = unknown,
  Score = unknown,
> {
  readonly title: string;
  readonly options: Options;
  /** Options with which a long fit becomes a short one: for a first look, and for tests. By default the defaults. */
  readonly quick?: z.input<Options>;
  /** Options with which a fit learns from every label, where it would hold some out to choose its weights by. */
  readonly everyLabel?: z.input<Options>;
  /** Features are computed once for each layer; an encoder may be trained further. */
  readonly needs: "features" | "encoder";
  /**
   * For a protocol that trains the whole network, so that an untrained one is trained from scratch: about how many images pass
   * through the network in a fit on so many. An image that is learned from counts three times: its gradients take two passes.
   */
  readonly passes?: (images: number, options: z.infer<Options>) => number;
  readonly metric: Metric;
  /** Variants that are measured separately, by the names shown in results. By default one, named like the protocol. */
  readonly variants?: (options: z.infer<Options>) => Readonly<Record<string, z.infer<Options>>>;
  /** Can measure images with several labels. By default not. */
  readonly severalLabels?: boolean;
  /** The truth about an image of a set. By default its label. */
  readonly truth?: (set: ImageSet, i: number) => Truth;
  fit(on: Training<Truth>, options: z.infer<Options>): Promise<Fitted<Prediction>>;
  /** Fits several draws at once, where that is faster: the results of {@link fit} for each, in their order. */
  fitDraws?(draws: readonly Training<Truth>[], options: z.infer<Options>): Promise<readonly Fitted<Prediction>[]>;
  /** The score of one test image's prediction. */
  score(prediction: Prediction, truth: Truth): Score;
  /** The metric over some images' scores. If it is not their `mean`, a jackknife calls it again on all but some images. */
  reduce(scores: ArrayLike<Score>): number;
  /**
   * The best score that guessing has, given the number of classes, some images' scores for what these say of the truth, and the shares
   * of the classes (where each image has one class).
   */
  guess(classes: number, scores?: ArrayLike<Score>, shares?: ClassShares): number;
}

/** Which part each class has (C) of the images that are tested on, and of those that are learned from. */
export interface ClassShares {
  readonly tested: readonly number[];
  readonly learned: readonly number[];
}

/** The identity function, for type inference. */
export function defineProtocol<Options extends z.ZodObject, Prediction, Truth, Score>(
  protocol: Protocol<Options, Prediction, Truth, Score>,
): Protocol<Options, Prediction, Truth, Score> {
  return protocol;
}

/** What goes on, for the message of an interruption. */
export const MEASURING = "measuring; nothing was written";

/** Shared by protocols that predict an image's class. */
export const classification = {
  metric: accuracyMetric,
  score: (prediction: number, truth: number): number => (prediction === truth ? 1 : 0),
  reduce: mean,
  /** Always answering the commonest class. */
  guess: (classes: number, _scores?: ArrayLike<number>, shares?: ClassShares): number =>
    Math.max(1 / classes, ...(shares?.tested ?? [])),
};

/** Fraction of the predictions (N), i64, that equal the label. */
export function accuracy(predicted: Tensor, labels: ArrayLike<number>): number {
  return mean(predicted.toArray().map((label, i) => (label === labels[i] ? 1 : 0)));
}

/** The mean; NaN for no values. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum / values.length;
}
