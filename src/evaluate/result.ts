/** What `evals/<name>/result.json` holds. */
import type { SubjectKind } from "./subjects.ts";

/** One measurement: an encoder, a layer, a protocol, a number of labels. */
export interface ResultRow {
  encoder: string;
  protocol: string;
  layer: string;
  labelsPerClass: number | "all";
  metric: string;
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
  encoder: string;
  baseline: string;
  baselineKind: SubjectKind;
  protocol: string;
  /** Best layer of each, chosen on held-out training labels. */
  layer: string;
  baselineLayer: string;
  labelsPerClass: number | "all";
  metric: string;
  /** Of the encoder, and of the baseline. */
  value: number;
  baselineValue: number;
  difference: number;
  /** 95 % interval. */
  low: number;
  high: number;
  /** How likely chance alone gives such a difference, corrected for all comparisons of this evaluation (Holm). */
  p: number;
  /** How many comparisons that are. */
  comparisons: number;
  /** Accuracy of guessing. */
  chance: number;
  /** Lower end of the encoder's own 95 % interval. */
  valueLow: number;
  n: number;
  draws: number;
  /** Test images that pre-training has seen, without their labels; null where nobody knows. */
  seen: number | null;
}
