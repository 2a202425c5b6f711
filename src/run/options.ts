/** The options of `pretrain`, declared once: types, flags, help and the saved configuration derive from this. */
import { z } from "zod";
import type { TaskDefaults } from "../tasks/task.ts";
import { computeOptions } from "../torch/compute.ts";
import { aboutImages } from "./images.ts";

export const pretrainOptions = z.strictObject({
  images: z.string().min(1).describe("folder of images, file of a known format, or a known data set's name"),
  ...aboutImages,
  split: z
    .string()
    .optional()
    .describe(
      "parts of the images to use, joined by +; default: train and unlabelled, or without these all but validation and test, less what evaluate tests on",
    ),
  holdBack: z
    .boolean()
    .default(false)
    .describe("with --split: leave out what evaluate tests on if it is given the same part as --train-split"),
  trainImages: z
    .int()
    .positive()
    .optional()
    .describe("number of images to learn from, drawn by the seed; a smaller draw is part of a larger one"),
  preset: z
    .enum(["auto", "quick", "paper"])
    .default("auto")
    .describe("settings: quick for a few minutes; paper: the task in its paper's form; auto: quick up to 15 minutes"),
  task: z.string().default("rotation").describe("pretext task (npx selfsight tasks lists them)"),
  taskOptions: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("the task's own options, on the command line as key=value"),
  model: z.string().default("resnet10").describe("architecture (npx selfsight models lists them)"),
  width: z
    .number()
    .positive()
    .max(64)
    .optional()
    .describe(
      "multiplies every layer's channels; 1 is the architecture's own, 0.5 what a laptop trains in minutes; transformers are " +
        "rounded to whole heads of 64 channels",
    ),
  stem: z.enum(["imagenet", "cifar", "patch"]).optional().describe("first layers, where the architecture has several"),
  init: z.string().min(1).optional().meta({
    description: "weights to begin with, in place of random ones: safetensors file of torchvision, timm or a run",
    value: "file",
  }),
  imageSize: z.int().min(4).max(1024).default(64).describe("side of the network's input, in pixels"),
  crop: z
    .enum(["auto", "resized", "shifted"])
    .default("auto")
    .describe(
      "random crops: resized to the input (photos, and tasks that cut patches), or shifted by an eighth (images no larger than the input)",
    ),
  minArea: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe("least fraction of an image's area that a crop covers; asks for resized crops"),
  flip: z.boolean().optional().describe("mirror every other crop"),
  epochs: z.number().positive().optional().describe("passes over the images"),
  minutes: z.number().positive().optional().describe("train for so long instead of a number of epochs"),
  batchSize: z.int().positive().optional().describe("images a step, before the task makes its copies of them"),
  optimizer: z.enum(["sgd", "adamw"]).optional().describe("SGD with Nesterov momentum 0.9, or AdamW"),
  learningRate: z.number().positive().optional().describe("its peak"),
  weightDecay: z
    .number()
    .min(0)
    .optional()
    .describe("weight decay of kernels and matrices (RotNet: 5e-4); norms and biases have none"),
  firstLayer: z
    .enum(["trained", "patches"])
    .optional()
    .describe("trained from a random start, or k-means of the images' patches (Coates & Ng), which stay as they are"),
  schedule: z
    .enum(["cosine", "step"])
    .optional()
    .describe("cosine to zero, or ×0.2 at 30, 60 and 80 % of what follows the warm-up (RotNet)"),
  warmup: z.number().min(0).max(0.5).optional().describe("fraction of the training in which the rate rises from zero"),
  seed: z
    .int()
    .min(0)
    .max(0x7fffffff)
    .default(0)
    .describe("same seed, same numbers, on the same machine, for so many --epochs"),
  ...computeOptions,
  deterministic: z
    .boolean()
    .default(false)
    .describe("the same numbers whenever it is repeated: on the CPU, without measuring which convolutions are fastest"),
  out: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "run folder; default: runs/<images>-<task>-<model>", value: "folder" }),
  resume: z.boolean().default(false).describe("go on from the run folder's last checkpoint"),
  saveMinutes: z.number().min(0).default(2).describe("minutes between checkpoints"),
  keepCheckpoints: z
    .int()
    .min(0)
    .max(100)
    .default(0)
    .describe("encoders to keep, spread over the run, in checkpoints/encoder-<percent>.safetensors"),
});

/** A caller's options: everything but `images` has a default. */
export type PretrainOptions = z.input<typeof pretrainOptions>;
export type PretrainConfig = z.output<typeof pretrainOptions>;

/** The resolved configuration of a run: nothing is left open. */
export type TrainingConfig = PretrainConfig & {
  out: string;
  preset: "quick" | "paper";
  width: number;
} & Required<TaskDefaults>;
