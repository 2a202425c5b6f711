/** A small evaluation: two encoders with two layers each and the pixels, with 5 labels per class and with all. */
import type { Kind } from "../../src/evaluate/representations.ts";
import type { Difference, ResultRow } from "../../src/evaluate/result.ts";
import { accuracy } from "../../src/metric.ts";

export function row(encoder: string, layer: string, value: number, changes: Partial<ResultRow> = {}): ResultRow {
  const shared = { protocol: "linear", labelsPerClass: 5, metric: accuracy, n: 700, draws: 5 };
  const kind: Kind = encoder === "demo" ? "pre-trained" : encoder === "pixels" ? "pixels" : "untrained";
  return { ...shared, id: encoder, kind, encoder, layer, value, low: value - 0.03, high: value + 0.03, ...changes };
}

/** layer2 tested best, but layer1 was chosen on held-out labels. */
export const rows: ResultRow[] = [
  row("demo", "layer1", 0.4),
  row("demo", "layer2", 0.41),
  row("demo, untrained", "layer1", 0.25),
  row("demo, untrained", "layer2", 0.2),
  row("pixels", "pixels", 0.3),
  row("demo", "layer1", 0.6, { labelsPerClass: "all", draws: 1 }),
  row("demo, untrained", "layer1", 0.55, { labelsPerClass: "all", draws: 1 }),
];

export function difference(changes: Partial<Difference> = {}): Difference {
  return {
    encoder: "demo",
    baseline: "demo, untrained",
    id: "demo",
    baselineId: "demo, untrained",
    baselineKind: "untrained",
    baselineRole: "untrained",
    protocol: "linear",
    layer: "layer1",
    baselineLayer: "layer1",
    labelsPerClass: 5,
    metric: accuracy,
    value: 0.4,
    baselineValue: 0.25,
    difference: 0.15,
    low: 0.1,
    high: 0.2,
    p: 0.001,
    comparisons: 6,
    chance: 0.1,
    valueLow: 0.37,
    n: 700,
    trainings: 1,
    draws: 5,
    shares: { trainings: 0, draws: 0.2, images: 0.8 },
    seen: 0,
    ...changes,
  };
}
