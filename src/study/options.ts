/** The options of `benchmark`. */
import { z } from "zod";
import { aboutImages } from "../run/images.ts";

export const benchmarkOptions = z.strictObject({
  images: z
    .string()
    .min(1)
    .describe("images, some of them labelled: folder, file of a known format, or a known data set's name"),
  ...aboutImages,
  tasks: z
    .array(z.string().min(1))
    .min(1)
    .default(["rotation", "jigsaw", "relative-patch", "exemplar", "colorization"])
    .describe("pretext tasks to compare (selfsight tasks lists them)"),
  budget: z
    .string()
    .default("30m")
    .describe("time for the whole, such as 45m or 2h: two thirds of it for training, shared evenly"),
  epochs: z
    .number()
    .positive()
    .optional()
    .describe("train each for so many epochs instead: then repeating it gives the same numbers"),
  seeds: z.int().min(1).max(20).default(1).describe("trainings of each task, which differ in everything random"),
  model: z.string().default("resnet10").describe("architecture (selfsight models lists them)"),
  width: z.number().positive().max(64).optional().describe("multiplies every layer's channels"),
  imageSize: z.int().min(4).max(1024).default(64).describe("side of the networks' input, in pixels"),
  batchSize: z.int().positive().optional().describe("images a step, in place of the tasks' own"),
  trainSplit: z.string().optional().describe("part to learn from, joined by +"),
  testSplit: z.string().optional().describe("part to test on, joined by +; default as evaluate's"),
  labelsPerClass: z
    .array(z.union([z.int().min(1), z.literal("all")]))
    .min(1)
    .optional()
    .describe("numbers of training labels a class; default: 1, 2, 4, … as far as there are so many, and all"),
  probe: z.string().default("linear").describe("protocol of the verdicts, on frozen features"),
  draws: z.int().positive().max(100).default(5).describe("draws of training labels, for each number but all"),
  scratchDraws: z
    .int()
    .min(0)
    .max(100)
    .default(3)
    .describe("of these, so many are trained from scratch too; 0 for none"),
  scratchSteps: z.int().positive().default(200).describe("least number of steps of these trainings"),
  seed: z.int().min(0).max(0x7fffffff).default(0).describe("of the first training and the draws of labels"),
  device: z.string().default("auto").describe("auto, cpu, cuda, cuda:1, mps"),
  precision: z.enum(["auto", "f32", "bf16"]).default("auto").describe("bf16 autocast where the hardware has it"),
  threads: z.int().positive().optional().describe("CPU threads; default: all cores"),
  out: z.string().min(1).optional().describe("folder of the benchmark; default: runs/benchmark-<images>"),
});

/** A caller's options: everything but `images` has a default. */
export type BenchmarkOptions = z.input<typeof benchmarkOptions>;
export type BenchmarkConfig = z.output<typeof benchmarkOptions> & { out: string };
