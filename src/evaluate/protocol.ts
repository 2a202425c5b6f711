/** What a way of measuring is. Shared code knows this and never a protocol by name. */
import type { z } from "zod";
import type { ImageSet } from "../data/images.ts";
import type { PixelStore } from "../data/pixels.ts";
import { accuracy as accuracyMetric, type Metric } from "../metric.ts";
import type { Encoder } from "../models/model.ts";
import type { Tensor } from "../torch/tensor.ts";

/** Images as a protocol gets them: the features of one layer (N, D), f32, or decoded images for the encoder. */
export interface Inputs {
  /** For a protocol that needs features. */
  readonly features?: Tensor;
  /** For a protocol that needs the encoder: N images of its input size. */
  readonly store?: PixelStore;
}

/** What a protocol learns from. Test images have no place in it. */
export interface Training<Truth> extends Inputs {
  /** What is true of each of the N images. */
  readonly truths: ArrayLike<Truth>;
  /** The images whose truths may be used. */
  readonly rows: readonly number[];
  /** Number of classes, where truths are classes. */
  readonly classes: number;
  readonly seed: number;
  /** For a protocol that needs the encoder: a new one with the weights that are measured. The caller disposes it. */
  readonly encoder?: () => Encoder;
}

/** What was learned. */
export interface Fitted<Prediction> {
  /** The metric on training images that were held out: what layers are chosen by. */
  readonly heldOut: number;
  /** One prediction for each image, from its features or pixels alone. */
  predict(test: Inputs): Promise<readonly Prediction[]>;
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
  /** Features are computed once for each layer; an encoder may be trained further. */
  readonly needs: "features" | "encoder";
  readonly metric: Metric;
  /** What is measured one by one, by the names that results show. One, named like the protocol, unless told. */
  readonly variants?: (options: z.infer<Options>) => Readonly<Record<string, z.infer<Options>>>;
  /** What is true of an image of a set. Its label unless told. */
  readonly truth?: (set: ImageSet, i: number) => Truth;
  fit(on: Training<Truth>, options: z.infer<Options>): Promise<Fitted<Prediction>>;
  /** What one test image's prediction is worth. */
  score(prediction: Prediction, truth: Truth): Score;
  /** The metric over some images' scores: the bootstrap resamples images and asks for it again. */
  reduce(scores: ArrayLike<Score>): number;
  /** What guessing scores, knowing only how many classes there are. */
  guess(classes: number): number;
}

/** Identity, for the types. */
export function defineProtocol<Options extends z.ZodObject, Prediction, Truth, Score>(
  protocol: Protocol<Options, Prediction, Truth, Score>,
): Protocol<Options, Prediction, Truth, Score> {
  return protocol;
}

/** What protocols have in common that predict an image's class. */
export const classification = {
  metric: accuracyMetric,
  score: (prediction: number, truth: number): number => (prediction === truth ? 1 : 0),
  reduce: mean,
  guess: (classes: number): number => 1 / classes,
};

/** Fraction of the predictions (N), i64, that are the label. */
export function accuracy(predicted: Tensor, labels: ArrayLike<number>): number {
  return mean(predicted.toArray().map((label, i) => (label === labels[i] ? 1 : 0)));
}

/** NaN for no values. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum / values.length;
}
