/** The options of `benchmark`. */
import { z } from "zod";
import { UsageError } from "../../errors.ts";
import { evaluateOptions, labelsPerClass, learningAndTesting } from "../../evaluate/options.ts";
import { aboutImages } from "../../run/images.ts";
import { WIDTH } from "../../run/resolve.ts";
import { computeOptions } from "../../torch/compute.ts";

/** So long it takes unless told. */
export const BUDGET = "30m";

export const benchmarkOptions = z.strictObject({
  images: z
    .string()
    .min(1)
    .describe("images, some of them labelled: folder, file of a known format, or a known data set's name"),
  ...aboutImages,
  weights: evaluateOptions.shape.weights,
  weightsSize: evaluateOptions.shape.weightsSize.describe(
    "side of the images that --weights are shown, in pixels; default: --image-size",
  ),
  tasks: z
    .array(z.string().min(1))
    .min(1)
    .default(["rotation", "jigsaw", "relative-patch", "exemplar", "colorization"])
    .describe("pretext tasks to compare (npx selfsight tasks lists them)"),
  budget: z
    .string()
    .optional()
    .describe(
      `time for the whole, such as 45m or 2h: two thirds of it for training, shared evenly; measuring does what the rest allows; default: ${BUDGET}`,
    ),
  epochs: z
    .number()
    .positive()
    .optional()
    .describe(
      "train each for so many epochs instead, and measure everything: then repeating it gives the same numbers",
    ),
  seeds: z.int().min(1).max(20).default(1).describe("trainings of each task, which differ in everything random"),
  preset: z
    .enum(["quick", "paper"])
    .optional()
    .describe("settings of the trainings, as for pretrain; default: quick for those of up to 15 minutes, else paper"),
  model: z.string().default("resnet10").describe("architecture (npx selfsight models lists them)"),
  width: z.number().positive().max(64).optional().describe(`multiplies every layer's channels; default: ${WIDTH}`),
  imageSize: z.int().min(4).max(1024).default(64).describe("side of the networks' input, in pixels"),
  batchSize: z.int().positive().optional().describe("images a step, in place of the tasks' own"),
  ...learningAndTesting,
  labelsPerClass: labelsPerClass
    .optional()
    .describe(
      `${labelsPerClass.description}; default: 1, 2, 4, … up to 256 and below 75 % of what the class of median size has, and all, as far as --budget allows`,
    ),
  probe: z.string().default("linear").describe("protocol of the verdicts, on frozen features"),
  protocol: z
    .array(z.string())
    .default(["knn"])
    .describe("protocols that are measured beside it, each in its first variant"),
  scratchDraws: z
    .int()
    .min(0)
    .max(100)
    .optional()
    .describe("so many of the --draws are trained from scratch too; 0 for none; default: 3, or as --budget allows"),
  scratchSteps: z
    .int()
    .positive()
    .optional()
    .describe("least number of steps of a training from scratch; default: 200"),
  scratchProtocol: z.string().default("finetune").describe("protocol by which networks are trained from scratch"),
  seed: z.int().min(0).max(0x7fffffff).default(0).describe("seed of the first training and of the draws of labels"),
  ...computeOptions,
  out: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "folder of the benchmark; default: runs/benchmark-<images>", value: "folder" }),
});

/** A caller's options: everything but `images` has a default. */
export type BenchmarkOptions = z.input<typeof benchmarkOptions>;
export type BenchmarkConfig = z.output<typeof benchmarkOptions> & { out: string; budget: string };

/** @throws UsageError for an option that has no effect with the others */
export function refuseIdle({ epochs, budget, scratchDraws, scratchSteps }: z.output<typeof benchmarkOptions>): void {
  if (epochs !== undefined && budget !== undefined)
    throw new UsageError(
      "--budget has no effect with --epochs, which trains for so long and measures everything. Give one of the two.",
    );
  if (scratchDraws === 0 && scratchSteps !== undefined)
    throw new UsageError(
      "--scratch-steps has no effect with --scratch-draws 0, which trains nothing from scratch. Leave one of them out.",
    );
}
