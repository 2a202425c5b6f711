/** `evaluate`: how good are the features of one or several runs, and is that better than no training? */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ReadHooks } from "../data/digest.ts";
import type { ImageSet } from "../data/images.ts";
import { openImages } from "../data/open.ts";
import { labelledParts } from "../data/splits.ts";
import { InterruptedError, UsageError, unknownName } from "../errors.ts";
import { parseOptions } from "../options.ts";
import { dispose } from "../torch/scope.ts";
import { writeJson } from "../train/log.ts";
import { type Compute, chooseCompute } from "../train/precision.ts";
import { compare, type Measured } from "./compare.ts";
import { byClass, drawLabels } from "./draws.ts";
import { constantLayers, type LayerFeatures } from "./features.ts";
import { protocolEntry } from "./index.ts";
import { fairParts } from "./leaks.ts";
import { type EvaluateConfig, type EvaluateOptions, evaluateOptions } from "./options.ts";
import { type DecodedParts, decodedParts, type Part, partNotes } from "./parts.ts";
import { claimResultFile } from "./place.ts";
import type { Labelled, Protocol } from "./protocol.ts";
import type { Difference, ResultRow } from "./result.ts";
import { bootstrapMean } from "./statistics.ts";
import { pixelSubject, type Subject, subjectsOf } from "./subjects.ts";

export interface Evaluation {
  rows: ResultRow[];
  /** Every trained encoder at its best layer against each baseline at its own; layers chosen on held-out training labels. */
  differences: Difference[];
  classes: readonly string[];
  /** What a reader should know: what was left out, what could not be read, what cannot be measured. A sentence each. */
  notes: readonly string[];
  file: string;
}

export interface EvaluateHooks extends ReadHooks {
  /** What is being done, in a few words. */
  onProgress?: ((what: string) => void) | undefined;
}

/**
 * Measures runs by every protocol, layer and number of labels, beside the same networks untrained and raw pixels.
 * @throws UsageError for images without labels, test images whose labels a run has learned, unknown protocols, folders
 *   that are no finished runs, a name in use; SelfsightError for encoders whose features are not finite
 */
export async function evaluate(options: EvaluateOptions, hooks: EvaluateHooks = {}): Promise<Evaluation> {
  const config = parseOptions(evaluateOptions, options);
  const protocols = chooseProtocols(config);
  const compute = await chooseCompute(config);
  const subjects: Subject[] = [];
  for (const run of config.runs) subjects.push(...subjectsOf(run, subjects));
  subjects.push(pixelSubject(Math.min(...subjects.map(({ imageSize }) => imageSize))));
  const wanted = resultFile(config.runs[0] as string, config.name);

  const collection = await openImages(config.images, { say: hooks.onProgress });
  const { classes, ...named } = await labelledParts(collection, config, hooks);
  const learners = subjects.flatMap(({ learner }) => learner ?? []);
  const { train, test, seen, notes: left } = await fairParts(named, learners, config.seenLabels, hooks);
  refuseSingles(train);
  const notes = [...(collection.notes ?? []), ...left];

  const measured: Measured[] = [];
  const parts = decodedParts({ train, test }, hooks);
  try {
    for (const [i, subject] of subjects.entries()) {
      const stores = await parts.open(subject.imageSize);
      if (i === 0) notes.push(...partNotes(stores, classes));
      hooks.onProgress?.(`features of ${subject.name}`);
      const result = await measureSubject(subject, stores, { config, protocols, classes, compute, ...hooks });
      measured.push(...result.measured);
      notes.push(...result.notes);
    }
  } finally {
    await parts.close();
  }
  const rows = measured.map(({ row }) => row);
  const differences = compare(measured, subjects, { seed: config.seed, chance: 1 / classes.length, seen });
  const file = claimResultFile(wanted);
  writeJson(file, { images: config.images, options: config, classes, notes, rows, differences });
  return { rows, differences, classes, notes, file };
}

interface Measurement extends EvaluateHooks {
  config: EvaluateConfig;
  protocols: ReturnType<typeof chooseProtocols>;
  classes: readonly string[];
  compute: Compute;
}

/** One encoder by every protocol, at every layer and number of labels. */
async function measureSubject(
  subject: Subject,
  { train, test }: DecodedParts,
  { config, protocols, classes, compute, onProgress, signal }: Measurement,
): Promise<{ measured: Measured[]; notes: string[] }> {
  const trained = await subject.features(train.store, compute);
  const tested = await subject.features(test.store, compute);
  const constant = constantLayers(tested);
  const notes = constant.length
    ? [
        `${subject.name} gives the same features for every test image at ${constant.join(", ")}: it tells nothing apart there.`,
      ]
    : [];
  const measured: Measured[] = [];
  for (const labelsPerClass of config.labelsPerClass) {
    onProgress?.(`${subject.name}: ${labelsPerClass} labels a class`);
    const draws = Array.from({ length: labelsPerClass === "all" ? 1 : config.draws }, (_, draw) =>
      drawLabels(train.labels, labelsPerClass, config.seed, draw),
    );
    for (const layer of Object.keys(trained)) {
      if (signal?.aborted) throw new InterruptedError("Interrupted while measuring; nothing was written.");
      const input = {
        train: at(layer, trained, train),
        test: at(layer, tested, test),
        classes: classes.length,
        draws,
      };
      for (const { name, correct, heldOut } of protocols.flatMap((measure) => measure(input))) {
        const { value, low, high } = bootstrapMean(correct, { seed: config.seed });
        const shared = { encoder: subject.name, protocol: name, layer, labelsPerClass, metric: "accuracy" };
        const row = { ...shared, value, low, high, n: input.test.labels.length, draws: draws.length };
        measured.push({ row, correct, heldOut });
      }
    }
  }
  dispose(...Object.values(trained), ...Object.values(tested));
  return { measured, notes };
}

/** The protocols, each with its own options. @throws UsageError for unknown ones, and for options of one not asked for */
function chooseProtocols({ protocol, protocolOptions }: EvaluateConfig) {
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

function at(layer: string, layers: LayerFeatures, { labels }: Part): Labelled {
  return { features: layers[layer] as Labelled["features"], labels };
}
