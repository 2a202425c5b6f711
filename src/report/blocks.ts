/** Groups result rows into the blocks that are shown: one for each protocol and number of labels. */
import type { Difference, ResultRow } from "../evaluate/result.ts";
import { count, labelCount, testImages } from "./format.ts";

export interface Block {
  protocol: string;
  labelsPerClass: number | "all";
  /** "linear · 25 labels per class · 700 test images, 5 draws". */
  title: string;
  encoders: string[];
  layers: string[];
  rows: ResultRow[];
  cell(layer: string, encoder: string): ResultRow | undefined;
  /** Whether this row's layer was chosen to represent its encoder. */
  isBest(row: ResultRow): boolean;
}

/**
 * Groups rows in their order. An encoder's best layer is the one that was chosen for its differences, by held-out labels, or its
 * only one. Without differences none is best: the rows tell which tested best, and that may be luck.
 */
export function blocksOf(rows: readonly ResultRow[], differences: readonly Difference[] = []): Block[] {
  const groups = new Map<string, ResultRow[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.protocol, row.labelsPerClass]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((group) => blockOf(group, differences));
}

function blockOf(rows: ResultRow[], differences: readonly Difference[]): Block {
  const [row] = rows as [ResultRow];
  const { protocol, labelsPerClass, labelPercent, draws } = row;
  const encoders = [...new Set(rows.map((row) => row.encoder))];
  const own = differences.filter((one) => one.protocol === protocol && one.labelsPerClass === labelsPerClass);
  const layersOf = (encoder: string) => rows.filter((row) => row.encoder === encoder).map(({ layer }) => layer);
  const best = new Map(encoders.map((encoder) => [encoder, chosenLayer(encoder, own) ?? onlyOne(layersOf(encoder))]));
  return {
    protocol,
    labelsPerClass,
    title: `${protocol} · ${labelCount(labelsPerClass, labelPercent)} · ${testImages(row)}, ${count(draws, "draw")}`,
    encoders,
    layers: [...new Set(rows.map((row) => row.layer))],
    rows,
    cell: (layer, encoder) => rows.find((row) => row.layer === layer && row.encoder === encoder),
    isBest: (row) => differences.length > 0 && best.get(row.encoder) === row.layer,
  };
}

const onlyOne = (layers: readonly string[]) => (layers.length === 1 ? layers[0] : undefined);

function chosenLayer(encoder: string, differences: readonly Difference[]): string | undefined {
  const asEncoder = differences.find((one) => one.encoder === encoder);
  return asEncoder?.layer ?? differences.find((one) => one.baseline === encoder)?.baselineLayer;
}
