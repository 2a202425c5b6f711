/** Every trained encoder against its baselines. */
import type { Difference, ResultRow } from "./result.ts";
import { pairedBootstrap } from "./statistics.ts";
import type { Subject } from "./subjects.ts";

/** A row, and what it was computed from. */
export interface Measured {
  row: ResultRow;
  /** 1 where a test image was classified rightly: draws × test images. */
  correct: Uint8Array[];
  /** Accuracy on training labels that were held out. */
  heldOut: number;
}

/** For each protocol and number of labels: each encoder's layer that was best on held-out labels, against each baseline's. */
export function compare(measured: readonly Measured[], subjects: readonly Subject[], seed: number): Difference[] {
  const best = new Map<string, Measured>();
  for (const one of measured) {
    const before = best.get(keyOf(one.row, one.row.encoder));
    if (!before || one.heldOut > before.heldOut) best.set(keyOf(one.row, one.row.encoder), one);
  }
  return [...best.values()].flatMap(({ row, correct }) => {
    const { layer, value, ...shared } = row;
    return (subjects.find(({ name }) => name === row.encoder)?.baselines ?? []).flatMap((baseline): Difference[] => {
      const other = best.get(keyOf(row, baseline));
      if (!other) return [];
      const against = { baseline, baselineLayer: other.row.layer, baselineValue: other.row.value };
      return [{ ...shared, layer, value, ...against, ...pairedBootstrap(correct, other.correct, { seed }) }];
    });
  });
}

const keyOf = ({ protocol, labelsPerClass }: ResultRow, encoder: string) =>
  JSON.stringify([protocol, labelsPerClass, encoder]);
