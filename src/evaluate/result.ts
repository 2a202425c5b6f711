/** The contents of `evals/<name>/result.json`. */
import type { Metric } from "../metric.ts";
import type { Kind } from "./representations.ts";
import type { Shares } from "./variance.ts";

/** One measurement: an encoder, a layer, a protocol, a number of labels. */
export interface ResultRow {
  /** Identifies the representation; `encoder` is just for display. */
  id: string;
  encoder: string;
  kind: Kind;
  protocol: string;
  layer: string;
  labelsPerClass: number | "all";
  /** The percentage of all labels that this number is, if it was asked for as a share. */
  labelPercent?: number;
  metric: Metric;
  value: number;
  /** 95 % interval. */
  low: number;
  high: number;
  /** Number of test images. */
  n: number;
  /** Number of independent groups of test images, where not each image is alone. */
  groups?: number;
  /** Number of draws of training labels. */
  draws: number;
}

/**
 * A trained encoder against a baseline, on the same test images and draws, each at its best layer. Or several of one recipe,
 * which differ only in their seed, each against its own baseline: "NAME and 2 more", with all of their draws.
 */
export interface Difference {
  /** Names for people. The ids are those of one run, or of the first of several. */
  encoder: string;
  baseline: string;
  id: string;
  baselineId: string;
  baselineKind: Kind;
  /** What the baseline is, whatever it is called: "untrained", "raw pixels". */
  baselineRole: string;
  protocol: string;
  /** Best layer of each, chosen on held-out training labels. */
  layer: string;
  baselineLayer: string;
  labelsPerClass: number | "all";
  /** The percentage of all labels that this number is, if it was asked for as a share. */
  labelPercent?: number;
  metric: Metric;
  /** The metric of the encoder, and of the baseline. */
  value: number;
  baselineValue: number;
  /** By how much the encoder is better, whether higher or lower values are better; negative if it is worse. */
  difference: number;
  /** 95 % interval. */
  low: number;
  high: number;
  /** Probability of such a difference by chance alone, corrected for the family of comparisons that it belongs to (Holm). */
  p: number;
  /** Number of comparisons in the family; 1 where it was not corrected. */
  comparisons: number;
  /** The score of guessing; of accuracy, that of always answering the test images' commonest class. */
  chance: number;
  /** Lower end of the encoder's own 95 % interval. */
  valueLow: number;
  /** Number of test images. */
  n: number;
  /** Number of independent groups of test images, where not each image is alone. */
  groups?: number;
  /** Number of runs that are compared together. */
  trainings: number;
  /** Number of draws of training labels, for each training. */
  draws: number;
  /** How much of the difference's variance more trainings, draws or images would remove. */
  shares: Shares;
  /** Number of test images that pre-training has seen, without their labels; null if unknown. */
  seen: number | null;
}
