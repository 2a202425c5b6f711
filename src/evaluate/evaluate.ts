/** `evaluate`: how good are the features of one or several runs, and is that better than no training? */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type ImageCollection, type ImageSet, selectSplits, splitByGroup } from "../data/images.ts";
import { openImages } from "../data/open.ts";
import { openPixels, type PixelStore } from "../data/pixels.ts";
import { UsageError } from "../errors.ts";
import { parseOptions } from "../options.ts";
import { dispose } from "../torch/scope.ts";
import { type Compute, chooseCompute } from "../train/precision.ts";
import { drawLabels } from "./draws.ts";
import type { LayerFeatures } from "./features.ts";
import { protocolEntry } from "./index.ts";
import type { Labelled } from "./protocol.ts";
import type { Difference, ResultRow } from "./result.ts";
import { bootstrapMean, pairedBootstrap } from "./statistics.ts";
import { pixelSubject, type Subject, subjectsOf } from "./subjects.ts";

export const evaluateOptions = z.strictObject({
  runs: z.array(z.string().min(1)).min(1).describe("run folders of pretrain"),
  images: z
    .string()
    .min(1)
    .describe("labelled images: class folders, file of a known format, or a known data set's name"),
  protocol: z.array(z.string()).min(1).default(["knn", "linear"]).describe("ways of measuring: knn, linear"),
  labelsPerClass: z
    .array(z.union([z.int().positive(), z.literal("all")]))
    .min(1)
    .default([5, 25, "all"])
    .describe("numbers of training labels a class"),
  draws: z.int().positive().max(100).default(5).describe("draws of training labels, for each number but all"),
  trainSplit: z.string().default("train").describe("part whose labels are learned from"),
  testSplit: z
    .string()
    .optional()
    .describe("part to test on, joined by +; default: validation+test, or what there is of it"),
  seed: z.int().min(0).max(0x7fffffff).default(0).describe("of the draws and the bootstrap"),
  device: z.string().default("auto").describe("auto, cpu, cuda, cuda:1, mps"),
  precision: z.enum(["auto", "f32", "bf16"]).default("auto").describe("bf16 autocast where the hardware has it"),
  threads: z.int().positive().optional().describe("CPU threads; default: all cores"),
  name: z
    .string()
    .regex(/^[\w.-]+$/)
    .default("default")
    .describe("results go to evals/<name>/ in the first run's folder"),
});
export type EvaluateOptions = z.input<typeof evaluateOptions>;

export interface Evaluation {
  rows: ResultRow[];
  /** Every trained encoder at its best layer against each baseline at its own; layers chosen on held-out training labels. */
  differences: Difference[];
  classes: readonly string[];
  file: string;
}

interface Measured {
  row: ResultRow;
  correct: Uint8Array[];
  heldOut: number;
}

/**
 * Measures runs by every protocol, layer and number of labels, beside the same networks untrained and raw pixels.
 * @throws UsageError for images without labels, unknown protocols, folders that are no finished runs
 */
export async function evaluate(options: EvaluateOptions, onProgress?: (what: string) => void): Promise<Evaluation> {
  const config = parseOptions(evaluateOptions, options);
  const chosen = config.protocol.map((name) => ({
    entry: protocolEntry(name),
    options: parseOptions(protocolEntry(name).options, {}),
  }));
  const compute = await chooseCompute(config);
  const subjects: Subject[] = [];
  for (const run of config.runs) subjects.push(...subjectsOf(run, new Set(subjects.map(({ name }) => name))));
  subjects.push(pixelSubject(Math.min(...subjects.map(({ imageSize }) => imageSize))));
  const { train, test, classes } = splitLabelled(await openImages(config.images), config);

  const measured: Measured[] = [];
  for (const subject of subjects) {
    onProgress?.(`features of ${subject.name}`);
    const [trainPart, testPart] = [await featuresOf(subject, train, compute), await featuresOf(subject, test, compute)];
    for (const labelsPerClass of config.labelsPerClass) {
      onProgress?.(`${subject.name}: ${labelsPerClass} labels a class`);
      const count = labelsPerClass === "all" ? 1 : config.draws;
      const draws = Array.from({ length: count }, (_, draw) =>
        drawLabels(trainPart.labels, labelsPerClass, config.seed, draw),
      );
      for (const layer of Object.keys(trainPart.layers)) {
        const [trainLayer, testLayer] = [at(trainPart, layer), at(testPart, layer)];
        for (const { entry, options: own } of chosen) {
          for (const result of entry.measure(
            { train: trainLayer, test: testLayer, classes: classes.length, draws },
            own,
          )) {
            const { value, low, high } = bootstrapMean(result.correct, { seed: config.seed });
            const shared = { encoder: subject.name, protocol: result.name, layer, labelsPerClass, metric: "accuracy" };
            const row = { ...shared, value, low, high, n: testLayer.labels.length, draws: count };
            measured.push({ row, correct: result.correct, heldOut: result.heldOut });
          }
        }
      }
    }
    dispose(...Object.values(trainPart.layers), ...Object.values(testPart.layers));
  }
  const rows = measured.map(({ row }) => row);
  const differences = compare(measured, subjects, config.seed);
  const folder = join(config.runs[0] as string, "evals", config.name);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "result.json");
  writeFileSync(
    file,
    `${JSON.stringify({ images: config.images, options: config, classes, rows, differences }, null, 1)}\n`,
  );
  return { rows, differences, classes, file };
}

/** For each protocol and number of labels: each trained encoder's best layer against each baseline's best. */
function compare(measured: readonly Measured[], subjects: readonly Subject[], seed: number): Difference[] {
  const settings = new Map(measured.map(({ row }) => [`${row.protocol}/${row.labelsPerClass}`, row]));
  return [...settings.values()].flatMap(({ protocol, labelsPerClass, metric }) => {
    const best = (encoder: string) =>
      measured
        .filter(
          ({ row }) => row.encoder === encoder && row.protocol === protocol && row.labelsPerClass === labelsPerClass,
        )
        .reduce((a, b) => (b.heldOut > a.heldOut ? b : a));
    return subjects.flatMap(({ name, baselines }) =>
      baselines.map((baseline): Difference => {
        const [ours, theirs] = [best(name), best(baseline)];
        const layers = { layer: ours.row.layer, baselineLayer: theirs.row.layer };
        const { n, draws } = ours.row;
        return {
          encoder: name,
          baseline,
          protocol,
          ...layers,
          labelsPerClass,
          metric,
          value: ours.row.value,
          baselineValue: theirs.row.value,
          ...pairedBootstrap(ours.correct, theirs.correct, { seed }),
          n,
          draws,
        };
      }),
    );
  });
}

interface Features {
  layers: LayerFeatures;
  labels: Int32Array;
}

async function featuresOf(subject: Subject, set: ImageSet, compute: Compute): Promise<Features> {
  const store: PixelStore = await openPixels(set, { size: subject.imageSize });
  try {
    return {
      layers: await subject.features(store, compute),
      labels: Int32Array.from(store.source, (i) => set.label(i)),
    };
  } finally {
    await store.close();
  }
}

function at({ layers, labels }: Features, layer: string): Labelled {
  return { features: layers[layer] as Labelled["features"], labels };
}

/** The parts to learn from and to test on. Without any, 70 % and 30 %, groups kept together. */
export function splitLabelled(
  collection: ImageCollection,
  { trainSplit, testSplit, seed }: { trainSplit: string; testSplit?: string | undefined; seed: number },
): { train: ImageSet; test: ImageSet; classes: readonly string[] } {
  const present = Object.keys(collection.splits);
  const tests = ["validation", "test"].filter((name) => present.includes(name));
  const [train, test] =
    testSplit === undefined && !tests.length
      ? splitByGroup(selectSplits(collection, present.includes(trainSplit) ? trainSplit : present.join("+")), 0.7, seed)
      : [selectSplits(collection, trainSplit), selectSplits(collection, testSplit ?? tests.join("+"))];
  const classes = train.classes ?? [];
  if (classes.length < 2) {
    throw new UsageError(
      `${collection.name} has no labels to measure by: expected one sub-folder a class, two classes at least, or a file with labels.`,
    );
  }
  return { train, test, classes };
}
