/** The interface of a pretext task. Shared code uses only this, never a task by name. */
import type { z } from "zod";
import type { Guess, Metric } from "../metric.ts";
import type { Encoder, ModelDefaults, Stem } from "../models/model.ts";
import type { RandomGenerator } from "../random.ts";
import type { Module } from "../torch/nn/module.ts";
import type { Tensor } from "../torch/tensor.ts";
import type { World } from "../torch/world.ts";

/** The images that a task learns from. */
export interface TaskImages {
  /** S, the side of the network's input in pixels. */
  readonly size: number;
  /** Number of images. */
  readonly count: number;
  /** Class names, for a task that uses labels. */
  readonly classes: readonly string[] | null;
  /**
   * A sample of them (n, 3, D, D), spread over the set, freed after `create`. D ≥ S is the side of the decoded images. Normalised:
   * by ImageNet's mean and deviation; `toUnit` and `fromUnit` of augment/normalise.ts go to 0…1 and back.
   */
  readonly sample: Tensor;
}

/** What is known about a batch besides its pixels. */
export interface Batch {
  /** Indices of these images in the set, 0 to `count` - 1: (B). */
  readonly indices: ArrayLike<number>;
  /** (B) i64, for a task that uses labels; otherwise null. */
  readonly labels: Tensor | null;
  /** Seeded by the run's seed and the step's number: the only source of randomness besides libtorch's generator. */
  readonly random: RandomGenerator;
  /** Progress of the run, 0 to 1. */
  readonly progress: number;
}

/** Views that show next to nothing: a network that can answer from one of them has learned a shortcut. */
export type Shortcut = "border" | "colour" | "blur";

/** One image of a preview: what the network saw, the right answer and its guess. */
export interface PreviewCell {
  /** (3, H, W), normalised like the network's input. */
  image: Tensor;
  answer: string;
  /** Null where the image itself is the answer. */
  guess: string | null;
  /**
   * Pictures to show side by side in place of `image` and its answer, where these alone say little: what was cut out of the whole
   * image, say, what the network saw of it, and what follows from its guess. All cells of a task have as many.
   */
  panels?: readonly PreviewPanel[];
}

export interface PreviewPanel {
  /** (3, H, W), normalised like the network's input. */
  image: Tensor;
  /** A few words, shown below it. */
  caption: string;
  outlines?: readonly Outline[];
}

/** A rectangle to draw on a picture, in its pixels. Green or red if `good` is given. */
export interface Outline {
  x: number;
  y: number;
  width: number;
  height: number;
  good?: boolean;
}

export type Modules = Readonly<Record<string, Module>>;

/** One kind of crop of the images in a batch. */
export interface View {
  /** Number of crops per image. */
  readonly count: number;
  /** Side in pixels. By default the network's input size. */
  readonly size?: number;
  /** Smallest fraction of an image's area that a crop covers. By default the run's. */
  readonly minArea?: number;
}

/** One tensor for each view that the task asks for. */
export type Views = readonly [Tensor, ...Tensor[]];

/** A task set up for one encoder. */
export interface TaskInstance {
  /** Heads: whatever is trained besides the encoder. */
  readonly trained: Modules;
  /** Teachers, queues, counts: saved with the run, and changed only by the task. */
  readonly state?: Modules;
  /** Saved as the result, for example a teacher. By default the trained encoder. */
  readonly output?: Encoder;
  /** What `step` is measured by, besides its loss. */
  readonly metric: Metric;
  /** The scores of guessing. */
  readonly guess: Guess;
  /** Unit of the loss: "nats" for a cross-entropy. */
  readonly lossUnit?: string;
  /** What `step` gets: one tensor for each view, or the whole images as decoded. By default one crop. */
  readonly views?: "whole" | readonly View[];
  /**
   * This many images, spread over the set, are each their own class: the task learns from these alone, and is checked on other
   * crops of them.
   */
  readonly instances?: number;
  /**
   * A loss to minimise, and scalars to read: one of them is named like the task's metric. Gets one tensor for each view,
   * (count · B, 3, S, S): all images' first crops, then their second crops, and so on; or whole images (B, 3, D, D). Augmented and
   * normalised. Runs in a scope, which frees what it makes: a task never disposes.
   */
  step(views: Views, batch: Batch): { loss: Tensor; metrics: Readonly<Record<string, Tensor>> };
  /** Runs after the optimizer's step: for a teacher's moving average, a queue, a centre. */
  afterStep?(progress: number): void;
  /** For each of the B images, what the network sees, the right answer and its guess. Without gradients, modules in eval mode. */
  preview(views: Views, batch: Batch): PreviewCell[];
}

/** What a task is created for. */
export interface TaskContext {
  /** The encoder to train. */
  readonly encoder: Encoder;
  /** Another encoder like it, with the same weights, on the run's device, where `encoder` is moved after `create`. Put it in the task's `trained` or `state`. */
  copy(): Encoder;
  readonly images: TaskImages;
  /** The processes that train together. */
  readonly world: World;
  /** Of the run: for what is drawn once and stays the same in every step. */
  readonly seed: number;
}

export interface TaskDefaults extends Partial<ModelDefaults> {
  /** How images are cropped; `auto`: shifted where they are no larger than the input, else resized. */
  readonly crop?: "auto" | "resized" | "shifted";
  /** Whether to mirror half of the crops. */
  readonly flip?: boolean;
  /** Smallest fraction of an image's area that a crop covers. */
  readonly minArea?: number;
  /** How the first kernels come about. */
  readonly firstLayer?: "trained" | "patches";
  /** Images per step. */
  readonly batchSize?: number;
  readonly schedule?: "cosine" | "step";
  /** The encoder's first layers, if the architecture has this stem. */
  readonly stem?: Stem;
}

type Create<Options extends z.ZodObject> = (on: TaskContext, options: z.infer<Options>) => TaskInstance;

export interface Task<Options extends z.ZodObject = z.ZodObject, Make extends Create<Options> = Create<Options>> {
  readonly title: string;
  readonly paper: string;
  /** Defaults, ranges and descriptions, declared once. Flags, help and files derive from them. */
  readonly options: Options;
  /**
   * Learns from the images' labels: it gets labelled images only, and the run records that it has seen their labels.
   * Every other task gets no labels, whatever images it learns from.
   */
  readonly usesLabels?: boolean;
  /**
   * Options that apply only with certain values of others: `margin` only with `loss` "triplet". With other values they are
   * refused.
   */
  readonly onlyWith?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Training defaults where the user sets nothing. */
  readonly defaults?: TaskDefaults;
  /** What teaches more in a few minutes than the paper's form: training settings and options of the task. */
  readonly quick?: { readonly defaults?: TaskDefaults; readonly options?: Readonly<Record<string, unknown>> };
  /** What its encoder will not be good for, if anything: shown in the list of tasks, and at the start and end of a run. */
  readonly caveat?: (options: z.infer<Options>) => string | undefined;
  /** Which option closes each shortcut. */
  readonly remedies?: Readonly<Partial<Record<Shortcut, string>>>;
  /** @throws UsageError when the task cannot learn from these images */
  readonly create: Make;
}

/** The identity function, for type inference. */
export function defineTask<Options extends z.ZodObject, Make extends Create<Options>>(
  task: Task<Options, Make>,
): Task<Options, Make> {
  return task;
}

/** For {@link Task.onlyWith}: options that all apply only with these values of others. */
export function onlyWith(
  values: Readonly<Record<string, unknown>>,
  ...options: string[]
): NonNullable<Task["onlyWith"]> {
  return Object.fromEntries(options.map((option) => [option, values]));
}
