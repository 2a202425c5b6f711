/** A cell of a study's grid: one training, and what was measured of its encoder. */
import type { Difference, ResultRow } from "../../evaluate/result.ts";
import type { Metric } from "../../metric.ts";

/** What distinguishes a cell from the others. */
export interface Factors {
  task: string;
  model: string;
  width: number;
  /** First layers; the model's own if undefined. */
  stem?: string | undefined;
  /** Side of the network's input, in pixels. */
  imageSize: number;
  /** Number of images to train on, drawn by the seed. */
  trainImages: number | "all";
  /** The task's own options, such as jigsaw's number of permutations. */
  options: Readonly<Record<string, unknown>>;
  seed: number;
}

export interface Cell {
  /** Unique in its study and readable: only the factors that differ between cells, such as "jigsaw-vgg11-seed0". Names its folder. */
  name: string;
  factors: Factors;
}

/** A finished cell. */
export interface CellResult extends Cell {
  /** How well the network learned the pretext task itself, at the end of its training. */
  pretext: { metric: Metric; value: number /** The value of guessing. */; guess: number };
  /** Every layer of the encoder, and of the same network untrained. */
  rows: ResultRow[];
  /**
   * The encoder against the same network untrained, each at the layer that was best on held-out training labels: by the first protocol, with
   * the first number of labels.
   */
  difference: Difference;
  /** The encoder's metric on held-out training labels, at that layer: it ranks cells. Undefined if none could be held out. */
  heldOut?: number | undefined;
  /** Values of each test image, or of each group of them, at those layers, averaged over draws of labels: what paired resampling needs. */
  perImage: { trained: number[]; untrained: number[] };
  /** The variance of both metrics and of their difference from draws of labels, beyond that from the test images. */
  drawVariance: { trained: number; untrained: number; gain: number };
  /** Hash of the test images' contents, labels and groups. */
  tested: string;
  /** What a reader should know of its images and its measurement, one sentence each. */
  notes: readonly string[];
  /** Learned parameters of the encoder. */
  parameters: number;
  /** Seconds of training, and of measuring. */
  seconds: { training: number; measuring: number };
}
