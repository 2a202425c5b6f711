/** What a pretext task is. Shared code knows this and never a task by name. */
import type { z } from "zod";
import type { Guess, Metric } from "../metric.ts";
import type { Encoder, Stem } from "../models/model.ts";
import type { RandomGenerator } from "../random.ts";
import type { Module } from "../torch/nn/module.ts";
import type { Tensor } from "../torch/tensor.ts";
import type { World } from "../torch/world.ts";

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
  /** How far the run is, 0 to 1. */
  readonly progress: number;
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

export type Modules = Readonly<Record<string, Module>>;

/** Crops of each image of a batch. */
export interface View {
  /** Crops of each image. */
  readonly count: number;
  /** Side in pixels. The network's input size unless told. */
  readonly size?: number;
  /** Least fraction of an image's area that a crop covers. The run's unless told. */
  readonly minArea?: number;
}

/** A tensor for each view that the task asks for. */
export type Views = readonly [Tensor, ...Tensor[]];

/** A task at work on one encoder. */
export interface TaskInstance {
  /** Heads: whatever is trained beside the encoder. */
  readonly trained: Modules;
  /** Teachers, queues, counts: saved with the run, and changed by the task alone. */
  readonly state?: Modules;
  /** What is saved as the result, a teacher say. The encoder that was trained unless told. */
  readonly output?: Encoder;
  /** What `step` is measured by, beside its loss. */
  readonly metric: Metric;
  /** What guessing scores. */
  readonly guess: Guess;
  /** What the loss is counted in: "nats" for a cross-entropy. */
  readonly lossUnit?: string;
  /** What `step` gets: one tensor for each view; or the whole images as they were decoded. One crop unless told. */
  readonly views?: "whole" | readonly View[];
  /**
   * Each of so many images, spread over the set, is a class of its own: the task learns from these alone, and what it learned
   * shows on other crops of them.
   */
  readonly instances?: number;
  /**
   * One tensor for each view, (count · B, 3, S, S), one crop of all images after the other; or the whole images (B, 3, D, D) with
   * D ≥ S. Augmented and normalised. Returns a loss to minimise and readable measures, the task's metric among them: scalars.
   */
  step(views: Views, batch: Batch): { loss: Tensor; metrics: Readonly<Record<string, Tensor>> };
  /** After the optimizer's step: a teacher's moving average, a queue, a centre. */
  afterStep?(progress: number): void;
  /** What the network is shown of each of the B images, the right answer and its guess. */
  preview(views: Views, batch: Batch): PreviewCell[];
}

/** What a task is set to work on. */
export interface TaskContext {
  /** The encoder to train. */
  readonly encoder: Encoder;
  /** Another encoder like it, with the same weights, on the same device. Belongs among the task's `trained` or `state`. */
  copy(): Encoder;
  readonly images: TaskImages;
  /** The processes that train together. */
  readonly world: World;
}

export interface TaskDefaults {
  /** The mirror image of every other crop. */
  readonly flip?: boolean;
  /** Least fraction of an image's area that a crop covers. */
  readonly minArea?: number;
  /** Images a step. */
  readonly batchSize?: number;
  readonly optimizer?: "sgd" | "adamw";
  /** Its peak, for this optimizer. */
  readonly learningRate?: number;
  readonly weightDecay?: number;
  readonly schedule?: "cosine" | "step";
  /** Fraction of the training in which the rate rises. */
  readonly warmup?: number;
  /** The encoder's first layers, where the architecture has such. */
  readonly stem?: Stem;
}

type Create<Options extends z.ZodObject> = (on: TaskContext, options: z.infer<Options>) => TaskInstance;

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
  /**
   * Options that count only beside certain values of others: `margin` only with `loss` "triplet". Given otherwise, they are
   * refused.
   */
  readonly onlyWith?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
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

/** For {@link Task.onlyWith}: options that count beside the same values of others. */
export function onlyWith(
  values: Readonly<Record<string, unknown>>,
  ...options: string[]
): NonNullable<Task["onlyWith"]> {
  return Object.fromEntries(options.map((option) => [option, values]));
}
