/**
 * How many labels did pre-training save? The number of labels that a baseline, such as training from scratch, needs to be as
 * good, read off its curve between the numbers that were measured. Its 95 % interval holds the numbers of labels around it at which the
 * paired difference of the two has an interval around zero (Fieller's method, JRSS B 1954), which needs no distribution of a ratio.
 */
import { isotonic, meanInterval, subtract, weighted } from "./statistics.ts";
import type { Rows } from "./variance.ts";

/** One measured number of labels: values (draws × test images, or their groups) whose mean is the metric, higher is better. */
export interface CurvePoint {
  /** Labels per class. */
  readonly labels: number;
  readonly values: Rows;
}

export interface LabelSavings {
  /** Labels per class that the other one had. */
  readonly own: number;
  /** Labels per class that the baseline needs to reach the same metric. */
  readonly labels: number;
  /** 95 % interval. */
  readonly low: number;
  readonly high: number;
  /** The end of the baseline's curve was reached: the true value may lie beyond it. */
  readonly open: { readonly labels: boolean; readonly low: boolean; readonly high: boolean };
  /** The beginning of the curve was reached, its smallest measured number of labels: the true value may lie below it. */
  readonly below: { readonly labels: boolean; readonly low: boolean };
}

/** Numbers of labels tried between two that were measured, evenly on a logarithmic axis. */
const BETWEEN = 12;

/**
 * @param ours at one number of labels
 * @param baseline by increasing number of labels, with the same draws and test images; a point with one draw for each training
 *   ("all labels") stands for every draw
 * @param trainings how many trainings the rows come from, the same number from each
 */
export function labelSavings(ours: CurvePoint, baseline: readonly CurvePoint[], trainings = 1): LabelSavings {
  const tried = between(baseline.map((point) => ({ ...point, values: spread(point.values, ours.values, trainings) })));
  const differences = tried.map(({ labels, values }) => ({
    labels,
    ...meanInterval(subtract(ours.values, values), { trainings }),
  }));
  const better = isotonic(differences.map(({ value }) => -value)).map((value) => -value);
  const last = tried.length - 1;
  const reached = better.findIndex((value) => value <= 0);
  // The interval grows from the answer for as long as chance alone could make the two equal. It reaches over a gap no wider than the
  // distance of two measured numbers, since one of them may have been lucky; beyond wider gaps, equality is luck (bench/coverage.ts).
  const equal = differences.map((one) => one.low <= 0 && one.high >= 0);
  const answer = reached < 0 ? last : reached;
  let [low, high] = [answer, answer];
  for (let i = low - 1; i >= 0 && low - i <= BETWEEN; i--) if (equal[i]) low = i;
  for (let i = high + 1; i <= last && i - high <= BETWEEN; i++) if (equal[i]) high = i;
  const labelsAt = (i: number) => (tried[i] as CurvePoint).labels;
  return {
    own: ours.labels,
    labels: labelsAt(answer),
    low: labelsAt(low),
    high: labelsAt(high),
    below: { labels: reached === 0, low: low === 0 },
    open: { labels: reached < 0, low: reached < 0 && !equal[last], high: high === last },
  };
}

/** The baseline at the measured numbers of labels and at those between: value by value, linear in the logarithm of the labels. */
function between(points: readonly CurvePoint[]): CurvePoint[] {
  const steps = points.slice(1).flatMap((next, k) => {
    const before = points[k] as CurvePoint;
    return Array.from({ length: BETWEEN }, (_, step): CurvePoint => {
      const part = (step + 1) / BETWEEN;
      return {
        labels: before.labels * (next.labels / before.labels) ** part,
        values: before.values.map((row, draw) => weighted(row, 1 - part, next.values[draw] as ArrayLike<number>, part)),
      };
    });
  });
  return [...points.slice(0, 1), ...steps];
}

/** Repeats the one draw of each training as often as the others have draws. */
function spread(values: Rows, like: Rows, trainings: number): Rows {
  if (values.length === like.length || values.length !== trainings) return values;
  return like.map((_, row) => values[Math.floor(row / (like.length / trainings))] as ArrayLike<number>);
}
