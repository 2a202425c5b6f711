/** `evaluate`: how good are the features of one or several runs, and is that better than no training? */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { ImageSet } from "../data/images.ts";
import { openImages } from "../data/open.ts";
import { openPixels, type PixelStore } from "../data/pixels.ts";
import { labelledParts } from "../data/splits.ts";
import { UsageError, unknownName } from "../errors.ts";
import { parseOptions } from "../options.ts";
import { dispose } from "../torch/scope.ts";
import { writeJson } from "../train/log.ts";
import { chooseCompute } from "../train/precision.ts";
import { compare, type Measured } from "./compare.ts";
import { byClass, drawLabels } from "./draws.ts";
import type { LayerFeatures } from "./features.ts";
import { protocolEntry, protocols } from "./index.ts";
import { claimResultFile } from "./place.ts";
import type { Labelled, Protocol } from "./protocol.ts";
import type { Difference, ResultRow } from "./result.ts";
import { bootstrapMean } from "./statistics.ts";
import { pixelSubject, type Subject, subjectsOf } from "./subjects.ts";

export const evaluateOptions = z.strictObject({
  runs: z.array(z.string().min(1)).min(1).describe("run folders of pretrain"),
  images: z
    .string()
    .min(1)
    .describe("labelled images: class folders, file of a known format, or a known data set's name"),
  protocol: z
    .array(z.string())
    .min(1)
    .default(["knn", "linear"])
    .describe(`ways of measuring: ${Object.keys(protocols).join(", ")}`),
  protocolOptions: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .default({})
    .describe('their own options, as JSON: {"linear":{"maxIterations":50}}'),
  labelsPerClass: z
    .array(z.union([z.int().min(2), z.literal("all")]))
    .min(1)
    .default([5, 25, "all"])
    .describe("numbers of training labels a class, at least 2: some are held out to choose by"),
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
  seed: z.int().min(0).max(0x7fffffff).default(0).describe("of the draws and the bootstrap"),
  device: z.string().default("auto").describe("auto, cpu, cuda, cuda:1, mps"),
  precision: z.enum(["auto", "f32", "bf16"]).default("auto").describe("bf16 autocast where the hardware has it"),
  threads: z.int().positive().optional().describe("CPU threads; default: all cores"),
  name: z
    .string()
    .regex(/^(?!\.+$)[\w.-]+$/)
    .optional()
    .describe(
      "results go to evals/<name>/ in the first run's folder; default: the first free of default, default-2, …",
    ),
});
export type EvaluateOptions = z.input<typeof evaluateOptions>;

export interface Evaluation {
  rows: ResultRow[];
  /** Every trained encoder at its best layer against each baseline at its own; layers chosen on held-out training labels. */
  differences: Difference[];
  classes: readonly string[];
  file: string;
}

/**
 * Measures runs by every protocol, layer and number of labels, beside the same networks untrained and raw pixels.
 * @throws UsageError for images without labels, unknown protocols, folders that are no finished runs, a name in use
 */
export async function evaluate(options: EvaluateOptions, onProgress?: (what: string) => void): Promise<Evaluation> {
  const config = parseOptions(evaluateOptions, options);
  const chosen = chooseProtocols(config);
  const compute = await chooseCompute(config);
  const subjects: Subject[] = [];
  for (const run of config.runs) subjects.push(...subjectsOf(run, subjects));
  subjects.push(pixelSubject(Math.min(...subjects.map(({ imageSize }) => imageSize))));
  const wanted = resultFile(config.runs[0] as string, config.name);
  const { train, test, classes } = labelledParts(await openImages(config.images, { say: onProgress }), config);
  refuseSingles(train);

  const measured: Measured[] = [];
  const parts = decodedParts({ train, test }, onProgress);
  try {
    for (const subject of subjects) {
      const stores = await parts.open(subject.imageSize);
      onProgress?.(`features of ${subject.name}`);
      const trained = await subject.features(stores.train.store, compute);
      const tested = await subject.features(stores.test.store, compute);
      for (const labelsPerClass of config.labelsPerClass) {
        onProgress?.(`${subject.name}: ${labelsPerClass} labels a class`);
        const draws = Array.from({ length: labelsPerClass === "all" ? 1 : config.draws }, (_, draw) =>
          drawLabels(stores.train.labels, labelsPerClass, config.seed, draw),
        );
        for (const layer of Object.keys(trained)) {
          const input = {
            train: at(layer, trained, stores.train),
            test: at(layer, tested, stores.test),
            classes: classes.length,
            draws,
          };
          for (const { name, correct, heldOut } of chosen.flatMap((measure) => measure(input))) {
            const { value, low, high } = bootstrapMean(correct, { seed: config.seed });
            const shared = { encoder: subject.name, protocol: name, layer, labelsPerClass, metric: "accuracy" };
            const row = { ...shared, value, low, high, n: input.test.labels.length, draws: draws.length };
            measured.push({ row, correct, heldOut });
          }
        }
      }
      dispose(...Object.values(trained), ...Object.values(tested));
    }
  } finally {
    await parts.close();
  }
  const rows = measured.map(({ row }) => row);
  const differences = compare(measured, subjects, config.seed);
  const file = claimResultFile(wanted);
  writeJson(file, { images: config.images, options: config, classes, rows, differences });
  return { rows, differences, classes, file };
}

/** The protocols, each with its own options. @throws UsageError for unknown ones, and for options of one not asked for */
function chooseProtocols({ protocol, protocolOptions }: z.output<typeof evaluateOptions>) {
  const idle = Object.keys(protocolOptions).find((name) => !protocol.includes(name));
  if (idle !== undefined) throw unknownName("protocol with options", idle, protocol);
  return protocol.map((name) => {
    const entry = protocolEntry(name);
    const own = parseOptions(entry.options, protocolOptions[name] ?? {}, `option of ${name}`);
    return (input: Parameters<Protocol["measure"]>[0]) => entry.measure(input, own);
  });
}

/** Where the results go: a place that is free. @throws UsageError when the name asked for is in use */
function resultFile(run: string, name: string | undefined): string {
  const place = (folder: string) => join(run, "evals", folder, "result.json");
  if (name !== undefined) {
    if (!existsSync(place(name))) return place(name);
    throw new UsageError(`${place(name)} exists and is never overwritten. Choose another --name.`);
  }
  let free = place("default");
  for (let i = 2; existsSync(free); i++) free = place(`default-${i}`);
  return free;
}

/** Layers and penalties are chosen on labels that are held out of the training labels. */
function refuseSingles(train: ImageSet): void {
  const labels = Int32Array.from({ length: train.length }, (_, i) => train.label(i));
  if (byClass(labels).some(({ length }) => length > 1)) return;
  throw new UsageError(
    `${train.name} has no class with two labelled images to learn from: none could be held out to choose a layer by.`,
  );
}

/** Decoded images and their labels. */
interface Part {
  store: PixelStore;
  labels: Int32Array;
}

/** Both parts, decoded once for each size asked for. */
function decodedParts(sets: { train: ImageSet; test: ImageSet }, onProgress?: (what: string) => void) {
  const opened = new Map<number, Promise<{ train: Part; test: Part }>>();
  const stores: PixelStore[] = [];
  const decode = async (set: ImageSet, size: number): Promise<Part> => {
    onProgress?.(`decoding ${set.length} images of ${set.name}`);
    const store = await openPixels(set, { size });
    stores.push(store);
    return { store, labels: Int32Array.from(store.source, (i) => set.label(i)) };
  };
  const both = async (size: number) => ({ train: await decode(sets.train, size), test: await decode(sets.test, size) });
  return {
    open(size: number) {
      const parts = opened.get(size) ?? both(size);
      opened.set(size, parts);
      return parts;
    },
    close: () => Promise.all(stores.map((store) => store.close())),
  };
}

function at(layer: string, layers: LayerFeatures, { labels }: Part): Labelled {
  return { features: layers[layer] as Labelled["features"], labels };
}
