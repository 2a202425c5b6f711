/** What a benchmark says of the images themselves: what could not be read, copies, odd sizes, and labels that look wrong. */
import { csvFormatRows } from "d3-dsv";
import { concatenate, evenly } from "../../data/images.ts";
import { plural, some } from "../../data/names.ts";
import { contactSheet, type SheetCell } from "../../data/sheet.ts";
import { type Sizes, sizesOf } from "../../data/sizes.ts";
import type { Measured } from "../../evaluate/compare.ts";
import type { LabelCount } from "../../evaluate/draws.ts";
import { findLabelNoise, type LabelNoise } from "../../evaluate/label-noise.ts";
import { type Part, partOf } from "../../evaluate/parts.ts";
import type { Representation } from "../../evaluate/representations.ts";
import type { Session } from "../../evaluate/session.ts";
import { replaceFile } from "../../files.ts";
import { readSkipped } from "../../run/learned.ts";
import { dispose } from "../../torch/scope.ts";
import type { Tensor } from "../../torch/tensor.ts";
import { bestAt, type TaskResult } from "./task-results.ts";

export interface DataHealth {
  /** What was left out, and which images are copies or nearly: one sentence each. */
  notes: readonly string[];
  /** Of training and test images. */
  sizes: Sizes;
  /** Of training images. */
  labels: Omit<LabelNoise, "suspects"> & { suspects: number };
}

const [SHOWN, COLUMNS, SIDE] = [12, 6, 140];
/** At most so many training images are asked about, spread over the set. */
const CHECKED = 20_000;

/**
 * Looks for wrong labels with the best task's features.
 * @param file a table that gets all suspects, the most suspicious first: path, label, suggested label, and their probabilities
 */
export async function dataHealth({
  session,
  measured,
  best,
  headline,
  seed,
  file,
  signal,
}: {
  session: Session;
  measured: readonly Measured[];
  best: TaskResult;
  headline: LabelCount;
  seed: number;
  file: string;
  signal?: AbortSignal | undefined;
}): Promise<{ health: DataHealth; suspects: Uint8Array | undefined }> {
  const { id, protocol } = best.untrained;
  const shown = session.representations.find((one) => one.id === id) as Representation;
  const { train: all, test } = await session.partsFor(shown);
  const { part } = partOf(all, [...evenly(CHECKED, all.store.length)]);
  const { layer } = bestAt({ measured }, id, protocol, headline).row;
  const layers = await shown.features(part.store, session.compute, { signal });
  let noise: LabelNoise;
  try {
    const on = { features: layers[layer] as Tensor, labels: part.labels, groups: part.groups };
    noise = await findLabelNoise(on, { classes: session.classes.length, seed, signal });
  } finally {
    dispose(...Object.values(layers));
  }
  const { suspects, ...labels } = noise;
  const name = (label: number) => session.classes[label] ?? "?";
  const rows = suspects.map((one) => [
    part.set.id(part.store.source[one.row] as number),
    ...[name(one.given), name(one.predicted)],
    ...[one.givenProbability, one.predictedProbability].map((value) => value.toFixed(4)),
  ]);
  const header = ["path", "label", "suggested", "probability_of_label", "probability_of_suggested"];
  replaceFile(file, `${csvFormatRows([header, ...rows])}\n`);
  const cells: SheetCell[] = [];
  for (const { row, given, predicted, predictedProbability } of suspects.slice(0, SHOWN)) {
    const { size } = part.store;
    const caption = `${name(given)} → ${name(predicted)} ${Math.round(100 * predictedProbability)} %`;
    cells.push({ pixels: await part.store.get([row]), width: size, height: size, caption });
  }
  return {
    health: {
      notes: [...session.aboutImages, ...unreadByTraining(shown.folder as string, [all, test])],
      sizes: await sizesOf(concatenate([part.set, test.set]), shown.imageSize),
      labels: { ...labels, suspects: suspects.length },
    },
    suspects: cells.length ? await contactSheet(cells, COLUMNS, SIDE) : undefined,
  };
}

/** A sentence about images that a training could not read, besides those of these parts; none if there are none. */
function unreadByTraining(folder: string, parts: readonly Part[]): string[] {
  const told = new Set(parts.flatMap(({ store }) => store.skipped.map(({ id }) => id)));
  const more = readSkipped(folder).filter(({ id }) => !told.has(id));
  const names = more.map(({ id, reason }) => `${id} (${reason})`);
  return more.length ? [`${plural(more.length, "image")} could not be read by the training: ${some(names)}.`] : [];
}
