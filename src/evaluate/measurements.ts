/** Measures one representation with several protocols, at every layer and number of labels. What was measured already is kept. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { allLabels, hash, type ImageSet } from "../data/images.ts";
import { replaceFile } from "../files.ts";
import { selfsightVersion } from "../run/environment.ts";
import type { Hooks } from "../run/events.ts";
import { dispose } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import type { Measured } from "./compare.ts";
import { drawLabels, type LabelCount } from "./draws.ts";
import { constantLayers, type LayerFeatures } from "./features.ts";
import { groupCount, groupNumbers } from "./groups.ts";
import { type Known, type Measurement, measure, type Variant } from "./measure.ts";
import { type Part, partOf } from "./parts.ts";
import type { Protocol } from "./protocol.ts";
import type { Representation } from "./representations.ts";
import type { ResultRow } from "./result.ts";
import type { Session } from "./session.ts";
import { answersOf, intervalOf, valuesOf } from "./uncertainty.ts";

export interface Plan {
  readonly variants: readonly Variant[];
  readonly labelsPerClass: readonly LabelCount[];
  /** The percentage of all labels that such a number stands for, where it was asked for so. */
  readonly percents?: ReadonlyMap<LabelCount, number>;
  /** Draws of training labels, for each number but all. */
  readonly draws: number;
  readonly seed: number;
  /** A folder that keeps what was measured, so that it is not measured again. */
  readonly cache?: string | undefined;
  /** Told after each number of labels how many seconds it took, or had taken if it was kept. Returns whether to measure no more. */
  readonly enough?: (labelsPerClass: LabelCount, seconds: number) => boolean;
}

/** One protocol with one number of labels. */
interface Cell {
  layers: Record<string, Measurement>;
  /** Layers that give the same features for every test image. */
  constant: string[];
  /** How long it took to measure. */
  seconds: number;
}

/** Notes say where features are of no use. @throws InterruptedError if the signal aborts; SelfsightError for features that are not finite */
export async function measureRepresentation(
  representation: Representation,
  session: Session,
  plan: Plan,
  hooks: Hooks = {},
): Promise<{ measured: Measured[]; notes: string[] }> {
  const { encoder, label } = representation;
  const { seed, percents } = plan;
  const amountOf = (labelsPerClass: LabelCount) => {
    const labelPercent = percents?.get(labelsPerClass);
    return { labelsPerClass, ...(labelPercent !== undefined && { labelPercent }) };
  };
  const parts = await session.partsFor(representation);
  const drawsOf = (labelsPerClass: LabelCount) =>
    Array.from({ length: labelsPerClass === "all" ? 1 : plan.draws }, (_, draw) =>
      drawLabels(parts.train.labels, labelsPerClass, seed, draw),
    );
  const { part: drawn, rowsOf } = partOf(parts.train, plan.labelsPerClass.flatMap(drawsOf).flat());
  const working = (what: string) => hooks.onEvent?.({ type: "working", what });
  const { compute } = session;
  const features = lazyFeatures(representation, { train: drawn, test: parts.test }, { compute, ...hooks }, working);
  const measured: Measured[] = [];
  const constant = new Set<string>();
  try {
    for (const labelsPerClass of plan.labelsPerClass) {
      const draws = drawsOf(labelsPerClass).map(rowsOf);
      let seconds = 0;
      for (const variant of plan.variants) {
        if (variant.protocol.needs === "encoder" && !encoder) continue; // raw pixels have none
        const file =
          plan.cache && join(plan.cache, `${keyOf(representation, session, plan, { variant, labelsPerClass })}.json`);
        const kept = file ? readCell(file) : undefined;
        const cell = kept ?? (await measureCell(variant, labelsPerClass, draws));
        if (file && cell !== kept) writeCell(file, cell);
        seconds += cell.seconds;
        for (const layer of cell.constant) constant.add(layer);
        measured.push(
          ...Object.entries(cell.layers).map(([layer, result]) =>
            rowOf(
              representation,
              variant,
              { layer, ...amountOf(labelsPerClass) },
              { ...result, groups: parts.test.groups },
            ),
          ),
        );
      }
      if (plan.enough?.(labelsPerClass, seconds)) break;
    }
    return { measured, notes: constant.size ? [constantNote(label, constant)] : [] };
  } finally {
    features.dispose();
  }

  async function measureCell(variant: Variant, labelsPerClass: LabelCount, draws: readonly number[][]): Promise<Cell> {
    const { protocol } = variant;
    const began = performance.now();
    const layers =
      protocol.needs === "encoder" ? { train: undefined, test: undefined, constant: [] } : await features.get();
    working(`${label}: ${variant.name}, ${labelsPerClass} labels a class`);
    const cell: Cell = { layers: {}, constant: layers.constant, seconds: 0 };
    for (const layer of layers.train ? Object.keys(layers.train) : [WHOLE]) {
      const known = (own: Part, all: LayerFeatures | undefined): Known => ({
        truths: truthsOf(protocol, own),
        ...(all ? { features: all[layer] as Tensor } : { store: own.store }),
      });
      cell.layers[layer] = await measure(variant, {
        ...{
          train: { ...known(drawn, layers.train), groups: drawn.groups },
          test: known(parts.test, layers.test),
          draws,
          seed,
        },
        ...{ classes: session.classes.length, compute: session.compute, signal: hooks.signal },
        ...(encoder && { encoder }),
      });
    }
    return { ...cell, seconds: (performance.now() - began) / 1000 };
  }
}

/** The layer's name for protocols that take the whole encoder. */
const WHOLE = "encoder";

/** Features of every layer, computed when they are first asked for. */
function lazyFeatures(
  representation: Representation,
  { train, test }: { train: Part; test: Part },
  { compute, signal }: Pick<Session, "compute"> & Pick<Hooks, "signal">,
  working: (what: string) => void,
) {
  let layers: { train: LayerFeatures; test: LayerFeatures; constant: string[] } | undefined;
  return {
    async get() {
      if (layers) return layers;
      working(`features of ${representation.label}`);
      const trained = await representation.features(train.store, compute, { signal });
      try {
        const tested = await representation.features(test.store, compute, { signal });
        layers = { train: trained, test: tested, constant: constantLayers(tested) };
        return layers;
      } catch (error) {
        dispose(...Object.values(trained));
        throw error;
      }
    },
    dispose: () => layers && dispose(...Object.values(layers.train), ...Object.values(layers.test)),
  };
}

function constantNote(label: string, layers: ReadonlySet<string>): string {
  return `${label} gives the same features for every test image at ${[...layers].join(", ")}: it tells nothing apart there.`;
}

function rowOf(
  { id, label, kind }: Representation,
  { name, protocol }: Variant,
  at: Pick<ResultRow, "layer" | "labelsPerClass" | "labelPercent">,
  result: Measurement & Pick<Part, "groups">,
): Measured {
  const { metric, reduce } = protocol;
  const { scores, groups } = result;
  const size = { n: scores[0]?.length ?? 0, ...(groups && { groups: groupCount(groups) }), draws: scores.length };
  const row = { id, encoder: label, kind, protocol: name, ...at, metric, ...size };
  const values = valuesOf(scores, reduce, groups);
  return {
    row: { ...row, ...intervalOf(scores, values, reduce, { answers: answersOf(row) }) },
    protocol,
    values,
    ...result,
  };
}

function truthsOf({ truth }: Protocol, { set, store, labels }: Part): ArrayLike<unknown> {
  return truth ? Array.from(store.source, (i) => truth(set, i)) : labels;
}

/** What determines a cell's result: weights, images, protocol, labels, groups and draws. */
function keyOf(
  { id, weights, imageSize }: Representation,
  { train, test, classes, compute }: Session,
  { draws, seed }: Plan,
  { variant, labelsPerClass }: { variant: Variant; labelsPerClass: LabelCount },
): string {
  const what = { weights: weights ?? id, imageSize, compute, draws: labelsPerClass === "all" ? 1 : draws, seed };
  const how = { name: variant.name, options: variant.options, labelsPerClass };
  const about = [...identifying(train), ...identifying(test)];
  return hash([selfsightVersion(), JSON.stringify({ ...what, ...how, classes }), ...about]);
}

/** What tells a set from others. A fingerprint says nothing of labels and groups: a table of them may be corrected. */
function identifying(set: ImageSet): readonly [images: string, labels: string, groups: string] {
  const known = listed.get(set);
  if (known) return [set.fingerprint, ...known];
  const each = <One>(of: (i: number) => One) => Array.from({ length: set.length }, (_, i) => of(i));
  const groups = groupNumbers(each((i) => set.group(i)));
  const found = [each((i) => allLabels(set, i).join("+")).join(), groups?.join() ?? ""] as const;
  listed.set(set, found);
  return [set.fingerprint, ...found];
}

/** Listing the labels and groups of a large set takes long, and every cell asks for them. */
const listed = new WeakMap<ImageSet, readonly [labels: string, groups: string]>();

/** As JSON: it has no NaN, for which nothing was held out, and no typed arrays. */
interface Kept {
  layers: Record<string, Omit<Measurement, "heldOut"> & { heldOut: number | null }>;
  constant: string[];
  seconds?: number;
}

/** A cell that is longer than the longest string is not kept: it would be measured anew. */
function writeCell(file: string, cell: Cell): void {
  const text = jsonOf(cell);
  if (text !== undefined) replaceFile(file, text);
}

function jsonOf(cell: Cell): string | undefined {
  try {
    return JSON.stringify(cell, (_, value) => (ArrayBuffer.isView(value) ? Array.from(value as never) : value));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** A kept cell; undefined if there is none, or a damaged one. */
function readCell(file: string): Cell | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const { layers, constant, seconds = 0 } = JSON.parse(readFileSync(file, "utf8")) as Kept;
    const entries = Object.entries(layers);
    if (!entries.length || !entries.every(([, one]) => Array.isArray(one.scores))) return undefined;
    const read = entries.map(([layer, one]): [string, Measurement] => [
      layer,
      { ...one, heldOut: one.heldOut ?? Number.NaN },
    ]);
    return { layers: Object.fromEntries(read), constant, seconds };
  } catch {
    return undefined;
  }
}
