/** The options of `evaluate`. */
import { z } from "zod";
import { aboutImages } from "../run/images.ts";
import { computeOptions } from "../torch/compute.ts";
import { protocols } from "./index.ts";
import { SHARE } from "./label-amounts.ts";

const ABOUT_AMOUNTS = "numbers of training labels a class, all, or shares of all such as 1%, the same for each class";

/** How many labels are learned from. For all commands that measure. */
export const labelsPerClass = z
  .array(z.union([z.int().min(1), z.literal("all"), z.string().regex(SHARE)]))
  .min(1)
  .describe(ABOUT_AMOUNTS);

/** Which labels are learned from, and which images are tested on. For all commands that measure. */
export const learningAndTesting = {
  draws: z.int().positive().max(100).default(5).describe("draws of training labels, for each number but all"),
  trainSplit: z
    .string()
    .optional()
    .describe(
      "part whose labels are learned from, joined by +; default: train, or what there is but validation and test",
    ),
  testSplit: z
    .string()
    .optional()
    .describe("part to test on, joined by +; default: validation+test, or what there is of it, or 30 % kept back"),
};

export const evaluateOptions = z.strictObject({
  runs: z.array(z.string().min(1)).min(1).describe("run folders of pretrain"),
  images: z
    .string()
    .min(1)
    .describe("labelled images: class folders, file of a known format, or a known data set's name"),
  weights: z
    .array(z.string())
    .optional()
    .describe(
      "weights from elsewhere to measure too, MODEL=FILE or LABEL:MODEL=FILE: safetensors of torchvision, timm or a run",
    ),
  weightsSize: z
    .int()
    .min(4)
    .max(1024)
    .optional()
    .describe("side of the images that --weights are shown, in pixels; default: as the first run"),
  ...aboutImages,
  protocol: z
    .array(z.string())
    .min(1)
    .default(["knn", "linear"])
    .describe(`ways of measuring: ${Object.keys(protocols).join(", ")}`),
  protocolOptions: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .default({})
    .describe('their own options, as JSON: {"linear":{"maxIterations":50}}'),
  labelsPerClass: labelsPerClass
    .default([5, 25, "all"])
    .describe(`${ABOUT_AMOUNTS}; with 1 per class there is no label to choose a layer by, so the last layer is used`),
  ...learningAndTesting,
  seenLabels: z
    .enum(["refuse", "leave-out"])
    .default("refuse")
    .describe("what to do with test images whose labels a run has learned: refuse to measure, or leave them out"),
  seed: z
    .int()
    .min(0)
    .max(0x7fffffff)
    .default(0)
    .describe("seed of the draws of labels, and of what is random in training on them"),
  ...computeOptions,
  name: z
    .string()
    .regex(/^(?!\.+$)[\w.-]+$/)
    .optional()
    .describe(
      "results go to evals/<name>/ in the first run's folder; default: the first free of default, default-2, …",
    ),
});
/** A caller's options: everything but the runs and the images has a default. */
export type EvaluateOptions = z.input<typeof evaluateOptions>;
export type EvaluateConfig = z.output<typeof evaluateOptions>;
