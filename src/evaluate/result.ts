/** What `evals/<name>/result.json` holds. */
import type { Metric } from "../metric.ts";
import type { Kind } from "./representations.ts";

/** One measurement: an encoder, a layer, a protocol, a number of labels. */
export interface ResultRow {
  /** Tells its representation from others; `encoder` is what people read. */
  id: string;
  encoder: string;
  kind: Kind;
  protocol: string;
  layer: string;
  labelsPerClass: number | "all";
  metric: Metric;
  value: number;
  /** 95 % interval. */
  low: number;
  high: number;
  /** Test images. */
  n: number;
  /** Draws of training labels. */
  draws: number;
}

/**
 * A trained encoder against a baseline, on the same test images and draws, each at its best layer. Or several of one recipe, that
 * differ in nothing but their seed, each against its own baseline: "NAME and 2 more", with all of their draws.
 */
export interface Difference {
  /** For people. The ids are those of one run, or the first of several. */
  encoder: string;
  baseline: string;
  id: string;
  baselineId: string;
  baselineKind: Kind;
  protocol: string;
  /** Best layer of each, chosen on held-out training labels. */
  layer: string;
  baselineLayer: string;
  labelsPerClass: number | "all";
  metric: Metric;
  /** Of the encoder, and of the baseline. */
  value: number;
  baselineValue: number;
  /** By how much the encoder is better, whichever way the metric goes; below zero when it is worse. */
  difference: number;
  /** 95 % interval. */
  low: number;
  high: number;
  /** How likely chance alone gives such a difference, corrected for all comparisons of this evaluation (Holm). */
  p: number;
  /** How many comparisons that are. */
  comparisons: number;
  /** What guessing scores. */
  chance: number;
  /** Lower end of the encoder's own 95 % interval. */
  valueLow: number;
  n: number;
  draws: number;
  /** Test images that pre-training has seen, without their labels; null where nobody knows. */
  seen: number | null;
}
