/** `evaluate`: how good are the features of one or several runs, and are they better than without training? */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ImageSet } from "../data/images.ts";
import { labelledParts } from "../data/splits.ts";
import { UsageError, unknownName } from "../errors.ts";
import { writeJson } from "../files.ts";
import { parseOptions } from "../options.ts";
import { counting, type Hooks } from "../run/events.ts";
import { runFiles } from "../run/folder.ts";
import { openGiven } from "../run/images.ts";
import { type Compute, chooseCompute } from "../torch/compute.ts";
import { dispose } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { compare, type Measured } from "./compare.ts";
import { byClass, drawLabels } from "./draws.ts";
import { constantLayers, type LayerFeatures } from "./features.ts";
import { protocolEntry } from "./index.ts";
import { fairParts } from "./leaks.ts";
import { type Known, measure, type Variant, variantsOf } from "./measure.ts";
import { nearNotes } from "./near-notes.ts";
import { type EvaluateConfig, type EvaluateOptions, evaluateOptions } from "./options.ts";
import { type DecodedParts, decodedParts, type Part, partNotes, partOf } from "./parts.ts";
import { claimResultFile } from "./place.ts";
import type { Protocol } from "./protocol.ts";
import { pixelRepresentation, type Representation, representationsOf } from "./representations.ts";
import type { Difference, ResultRow } from "./result.ts";
import { intervalOf } from "./uncertainty.ts";

export interface Evaluation {
  rows: ResultRow[];
  /** Each trained encoder at its best layer against each baseline at its own; layers are chosen on held-out training labels. */
  differences: Difference[];
  classes: readonly string[];
  /** What a reader should know: what was left out, could not be read, or cannot be measured. One sentence each. */
  notes: readonly string[];
  file: string;
}

/**
 * Measures runs with every protocol, layer and number of labels, together with the same networks untrained and raw pixels.
 * @throws UsageError for images without labels, test images whose labels a run has learned, unknown protocols, folders
 *   that are not finished runs, a name in use; SelfsightError for encoders whose features are not finite
 */
export async function evaluate(options: EvaluateOptions, hooks: Hooks = {}): Promise<Evaluation> {
  const config = parseOptions(evaluateOptions, options);
  const variants = chooseVariants(config);
  const compute = await chooseCompute(config);
  const representations: Representation[] = [];
  for (const run of config.runs) representations.push(...representationsOf(run, representations));
  representations.push(pixelRepresentation(Math.min(...representations.map(({ imageSize }) => imageSize))));
  const wanted = resultFile(config.runs[0] as string, config.name);

  const collection = await openGiven(config, hooks);
  const reading = { onRead: counting(hooks, "read"), signal: hooks.signal };
  const { classes, cut, notes: said, ...named } = await labelledParts(collection, config, reading);
  const learners = representations.flatMap(({ learner }) => learner ?? []);
  const { train, test, seen, notes: left } = await fairParts(named, learners, config.seenLabels, reading);
  refuseSingles(train);
  const notes = [...(collection.notes ?? []), ...said, ...left];

  const measured: Measured[] = [];
  const parts = decodedParts({ train, test }, hooks);
  try {
    for (const [i, representation] of representations.entries()) {
      const stores = await parts.open(representation.imageSize);
      if (i === 0) notes.push(...partNotes(stores, classes), ...(cut ? [] : await nearNotes(stores)));
      const result = await measureRepresentation(representation, stores, {
        config,
        variants,
        classes,
        compute,
        ...hooks,
      });
      measured.push(...result.measured);
      notes.push(...result.notes);
    }
  } finally {
    await parts.close();
  }
  const rows = measured.map(({ row }) => row);
  const differences = compare(measured, representations, { seed: config.seed, classes: classes.length, seen });
  const file = claimResultFile(wanted);
  writeJson(file, { images: config.images, options: config, classes, notes, rows, differences });
  return { rows, differences, classes, notes, file };
}

interface MeasureContext extends Hooks {
  config: EvaluateConfig;
  variants: readonly Variant[];
  classes: readonly string[];
  compute: Compute;
}

/** Measures one representation with every protocol, at every layer and number of labels. */
async function measureRepresentation(
  representation: Representation,
  { train, test }: DecodedParts,
  { config, variants, classes, compute, onEvent, signal }: MeasureContext,
): Promise<{ measured: Measured[]; notes: string[] }> {
  const { id, label, kind, encoder } = representation;
  const working = (what: string) => onEvent?.({ type: "working", what });
  const { seed } = config;
  const drawsOf = config.labelsPerClass.map((labelsPerClass) => ({
    labelsPerClass,
    draws: Array.from({ length: labelsPerClass === "all" ? 1 : config.draws }, (_, draw) =>
      drawLabels(train.labels, labelsPerClass, seed, draw),
    ),
  }));
  const { part: drawn, rowsOf } = partOf(
    train,
    drawsOf.flatMap(({ draws }) => draws.flat()),
  );
  working(`features of ${label}`);
  const [trained, tested] = [
    await representation.features(drawn.store, compute),
    await representation.features(test.store, compute),
  ];
  const constant = constantLayers(tested);
  const notes = constant.length
    ? [`${label} gives the same features for every test image at ${constant.join(", ")}: it tells nothing apart there.`]
    : [];
  const measured: Measured[] = [];
  for (const { labelsPerClass, draws: images } of drawsOf) {
    working(`${label}: ${labelsPerClass} labels a class`);
    const draws = images.map(rowsOf);
    for (const [variant, layer] of pairs(variants, Object.keys(trained))) {
      const { protocol } = variant;
      if (protocol.needs === "encoder" && !encoder) continue; // raw pixels have none
      const part = (own: Part, layers: LayerFeatures): Known => ({
        truths: truthsOf(protocol, own),
        ...(layer === WHOLE ? { store: own.store } : { features: layers[layer] as Tensor }),
      });
      const own = { train: part(drawn, trained), test: part(test, tested), classes: classes.length, compute };
      const result = await measure(variant, { ...own, draws, seed, signal, ...(encoder && { encoder }) });
      const interval = intervalOf(result.scores, protocol.reduce, { seed });
      const shared = {
        id,
        encoder: label,
        kind,
        protocol: variant.name,
        layer,
        labelsPerClass,
        metric: protocol.metric,
      };
      measured.push({
        row: { ...shared, ...interval, n: test.labels.length, draws: draws.length },
        protocol,
        ...result,
      });
    }
  }
  dispose(...Object.values(trained), ...Object.values(tested));
  return { measured, notes };
}

/** The layer's name for protocols that take the whole encoder. */
const WHOLE = "encoder";

/** Each layer with each protocol that takes features; the encoder once with each protocol that takes it. */
function pairs(variants: readonly Variant[], layers: readonly string[]): [Variant, layer: string][] {
  const features = layers.flatMap((layer) =>
    variants.filter(({ protocol }) => protocol.needs === "features").map((one): [Variant, string] => [one, layer]),
  );
  const whole = variants.filter(({ protocol }) => protocol.needs === "encoder");
  return [...features, ...whole.map((one): [Variant, string] => [one, WHOLE])];
}

function truthsOf({ truth }: Protocol, { set, store, labels }: Part): ArrayLike<unknown> {
  return truth ? Array.from(store.source, (i) => truth(set, i)) : labels;
}

/** The protocols' variants with their options. @throws UsageError for unknown protocols, and options of protocols not chosen */
function chooseVariants({ protocol, protocolOptions }: EvaluateConfig): Variant[] {
  const idle = Object.keys(protocolOptions).find((name) => !protocol.includes(name));
  if (idle !== undefined) throw unknownName("protocol with options", idle, protocol);
  return protocol.flatMap((name) => {
    const entry = protocolEntry(name);
    return variantsOf(name, entry, parseOptions(entry.options, protocolOptions[name] ?? {}, `option of ${name}`));
  });
}

/** An unused path for the results. @throws UsageError if the requested name is in use */
function resultFile(run: string, name: string | undefined): string {
  const place = (folder: string) => join(runFiles(run).evaluations, folder, "result.json");
  if (name !== undefined) {
    if (!existsSync(place(name))) return place(name);
    throw new UsageError(`${place(name)} exists and is never overwritten. Choose another --name.`);
  }
  let free = place("default");
  for (let i = 2; existsSync(free); i++) free = place(`default-${i}`);
  return free;
}

/** @throws UsageError if no class has two images to learn from: layers and penalties are chosen on held-out training labels */
function refuseSingles(train: ImageSet): void {
  const labels = Int32Array.from({ length: train.length }, (_, i) => train.label(i));
  if (byClass(labels).some(({ length }) => length > 1)) return;
  throw new UsageError(
    `${train.name} has no class with two labelled images to learn from: none could be held out to choose a layer by.`,
  );
}
