/** The options of `study`: those of `pretrain` and `evaluate`, with lists where cells differ. */
import { z } from "zod";
import { evaluateOptions } from "../../evaluate/options.ts";
import { pretrainOptions } from "../../run/options.ts";

const trained = pretrainOptions.shape;

/** What may differ between cells: a value of each. */
const factor = {
  task: trained.task.unwrap(),
  model: trained.model.unwrap(),
  width: trained.width.unwrap(),
  stem: trained.stem.unwrap(),
  imageSize: trained.imageSize.unwrap(),
  trainImages: z.union([trained.trainImages.unwrap(), z.literal("all")]),
  seed: trained.seed.unwrap(),
};

const several = <Type extends z.ZodType>(type: Type) => z.array(type).min(1).optional();
const oneOrMore = <Type extends z.ZodType>(type: Type) =>
  z
    .union([type, z.array(type).min(1)])
    .transform((value) => (Array.isArray(value) ? value : [value]) as z.output<Type>[]);

/** Some cells: all combinations of what is named. One value has the option's own name, a list its plural. */
export const gridOptions = z.strictObject({
  task: factor.task.optional().describe("one task, for all cells"),
  tasks: several(factor.task).describe("pretext tasks (npx selfsight tasks lists them)"),
  model: factor.model.optional().describe("one architecture, for all cells"),
  models: several(factor.model).describe("architectures (npx selfsight models lists them)"),
  width: factor.width.optional().describe("one width, for all cells"),
  widths: several(factor.width).describe("multiples of every layer's channels"),
  stem: factor.stem.optional().describe("one kind of first layers, for all cells"),
  stems: several(factor.stem).describe("first layers, where the architectures have several"),
  imageSize: factor.imageSize.optional().describe("one side of the network's input, for all cells"),
  imageSizes: several(factor.imageSize).describe("sides of the network's input, in pixels"),
  trainImages: oneOrMore(factor.trainImages).optional().describe("numbers of images to learn from, or all"),
  options: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .optional()
    .describe("tasks' own options, each a value or a list to vary: {jigsaw: {permutations: [10, 100]}}"),
  seed: factor.seed.optional().describe("one seed, for all cells"),
  seeds: several(factor.seed).describe("seeds of the trainings, such as [0, 1, 2]"),
});
export type GridOptions = z.output<typeof gridOptions>;

const { protocol, labelsPerClass } = evaluateOptions.shape;
const entries = z.array(z.record(z.string(), z.unknown())).default([]);

export const studyOptions = z.strictObject({
  ...pretrainOptions.pick({ images: true, labels: true, group: true }).shape,
  ...gridOptions.shape,
  include: entries.describe("further cells, as grids of their own; what one does not name is as in the study"),
  exclude: entries.describe("cells of the grid to leave out: those that match in all that is named"),
  ...pretrainOptions.pick({ split: true, preset: true, crop: true, minArea: true, flip: true }).shape,
  ...pretrainOptions.pick({ epochs: true, minutes: true, batchSize: true, optimizer: true, learningRate: true }).shape,
  ...pretrainOptions.pick({ weightDecay: true, firstLayer: true, schedule: true, warmup: true }).shape,
  ...pretrainOptions.pick({ deterministic: true, saveMinutes: true }).shape,
  protocol: oneOrMore(protocol.unwrap().element).default(["linear"]).describe("ways of measuring"),
  labelsPerClass: oneOrMore(labelsPerClass.unwrap().element)
    .default([25])
    .describe("numbers of training labels a class; cells are compared by the first"),
  ...evaluateOptions.pick({ protocolOptions: true, draws: true, trainSplit: true, testSplit: true }).shape,
  ...pretrainOptions.pick({ device: true, precision: true, threads: true }).shape,
  impossible: z
    .enum(["refuse", "leave-out"])
    .default("refuse")
    .describe("what to do about cells that cannot be trained, as tasks that these images do not suit"),
  out: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "folder of the study; default: runs/study-<file>-<images>", value: "folder" }),
});

/** A caller's options: everything but `images` has a default. */
export type StudyOptions = z.input<typeof studyOptions>;
export type StudyConfig = Omit<z.output<typeof studyOptions>, "include" | "exclude"> & {
  include: GridOptions[];
  exclude: GridOptions[];
  out: string;
};
