/** What a pretext task is. Shared code knows this and never a task by name. */
import type { z } from "zod";
import type { Encoder, Stem } from "../models/model.ts";
import type { RandomGenerator } from "../random.ts";
import type { Module } from "../torch/nn/module.ts";
import type { Tensor } from "../torch/tensor.ts";

/** The images that a task is about to learn from. */
export interface TaskImages {
  /** S, the side of the network's input in pixels. */
  readonly size: number;
  /** How many there are. */
  readonly count: number;
  /** Class names, for a task that uses labels. */
  readonly classes: readonly string[] | null;
  /** Some of them (n, 3, D, D), spread over the set, whole and normalised; freed after `create`. */
  readonly sample: Tensor;
}

/** What is known of a batch beside its pixels. */
export interface Batch {
  /** Which images of the set these are, 0 to `count` - 1: (B). */
  readonly indices: ArrayLike<number>;
  /** (B) i64, for a task that uses labels; null for every other. */
  readonly labels: Tensor | null;
  /** Follows from the run's seed and the step's number: the only source of chance beside libtorch's generator. */
  readonly random: RandomGenerator;
}

/** Views that show next to nothing; whoever can answer by one of them has learned a shortcut. */
export type Shortcut = "border" | "colour" | "blur";

/** One picture of a preview: what the network saw, the right answer and its guess. */
export interface PreviewCell {
  /** (3, H, W), normalised like the network's input. */
  image: Tensor;
  answer: string;
  /** Null where the picture itself is the answer. */
  guess: string | null;
}

/** A task at work on one encoder. */
export interface TaskInstance {
  /** Heads, teachers, queues: whatever has parameters or state beside the encoder. Trained and saved by the loop. */
  readonly modules: Readonly<Record<string, Module>>;
  /** What guessing scores: the line that every curve is read against. */
  readonly chance: { readonly metric: string; readonly value: number; readonly loss: number };
  /** How often each image passes through the encoder in a step. */
  readonly copies: number;
  /**
   * Crops of each image that a batch holds, one of all images after the other: (views · B, 3, S, S). 1 unless told. 0 for
   * the whole images as they were decoded, (B, 3, D, D) with D ≥ S, by a task that cuts them itself.
   */
  readonly views?: number;
  /** Learns from so many of the images only, spread over the set. All unless told. */
  readonly limit?: number;
  /** Its answers are numbers of images, and say nothing of others: what it learned shows on other crops of these only. */
  readonly answersNameImages?: boolean;
  /** Images (views · B, 3, S, S), augmented and normalised, to a loss to minimise and readable measures: tensors of one number. */
  step(images: Tensor, batch: Batch): { loss: Tensor; metrics: Readonly<Record<string, Tensor>> };
  /** What the network is shown of each of the B images, the right answer and its guess. */
  preview(images: Tensor, batch: Batch): PreviewCell[];
}

export interface TaskDefaults {
  /** The mirror image of every other crop. */
  readonly flip?: boolean;
  /** Least part of an image that a crop covers. */
  readonly minArea?: number;
  /** Images a step. */
  readonly batchSize?: number;
  /** Peak, of SGD. */
  readonly learningRate?: number;
  /** The encoder's first layers, where the architecture has such. */
  readonly stem?: Stem;
}

type Create<Options extends z.ZodObject> = (
  encoder: Encoder,
  options: z.infer<Options>,
  images: TaskImages,
) => TaskInstance;

export interface Task<Options extends z.ZodObject = z.ZodObject, Make extends Create<Options> = Create<Options>> {
  readonly title: string;
  readonly paper: string;
  /** Declared once: defaults, ranges and descriptions; flags, help and files derive from it. */
  readonly options: Options;
  /**
   * Learns from the images' labels: it is given labelled images only, and the run notes that it has seen their labels.
   * Every other task is given no labels, whatever images it learns from.
   */
  readonly usesLabels?: boolean;
  /** What training takes where the user does not say. */
  readonly defaults?: TaskDefaults;
  /** What its encoder will not be good for, if anything: told in the list of tasks, and where a run begins and ends. */
  readonly caveat?: (options: z.infer<Options>) => string | undefined;
  /** Which option closes a leak of the answer through such a view. */
  readonly remedies?: Readonly<Partial<Record<Shortcut, string>>>;
  /** @throws UsageError when these images cannot be learned from in this way */
  readonly create: Make;
}

/** Identity, for the types. */
export function defineTask<Options extends z.ZodObject, Make extends Create<Options>>(
  task: Task<Options, Make>,
): Task<Options, Make> {
  return task;
}
