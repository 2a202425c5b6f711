/** What a way of measuring features is. Shared code knows this and never a protocol by name. */
import type { z } from "zod";
import type { Tensor } from "../torch/tensor.ts";

/** Features and labels of one part of the images. */
export interface Labelled {
  /** (N, D), f32. */
  readonly features: Tensor;
  /** (N), each 0 to classes - 1. */
  readonly labels: Int32Array;
}

export interface ProtocolInput {
  readonly train: Labelled;
  readonly test: Labelled;
  readonly classes: number;
  /** Rows of `train` whose labels may be used: one list a draw. */
  readonly draws: readonly (readonly number[])[];
}

export interface ProtocolResult {
  /** Which variant of the protocol: `knn-20`, `linear`. */
  readonly name: string;
  /** 1 where a test image was classified rightly: draws × test images. */
  readonly correct: Uint8Array[];
  /** Accuracy on training labels that were held out, averaged over the draws: what the best layer is chosen by. */
  readonly heldOut: number;
}

export interface Protocol<Options extends z.ZodObject = z.ZodObject> {
  readonly title: string;
  readonly options: Options;
  /** Uses the test labels only to count what was right, after everything is chosen. */
  measure(input: ProtocolInput, options: z.infer<Options>): ProtocolResult[];
}

export function defineProtocol<Options extends z.ZodObject>(protocol: Protocol<Options>): Protocol<Options> {
  return protocol;
}

/** 1 where the prediction (N), i64, is the label. */
export function marks(predicted: Tensor, labels: ArrayLike<number>): Uint8Array {
  return Uint8Array.from(predicted.toArray(), (label, i) => (label === labels[i] ? 1 : 0));
}

export const accuracy = (correct: Uint8Array): number => mean(correct);

/** NaN for no values. */
export function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}
