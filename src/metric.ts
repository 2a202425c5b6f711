/** What a number means that is compared: tasks and protocols declare it, and nobody asks for a metric by name. */
export interface Metric {
  /** The field's word: "accuracy", "mAP", "error". */
  readonly name: string;
  /** "%" for a fraction that is shown in percent; else the unit itself, or "" for none. */
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** What a perfect answer scores. */
  readonly perfect: number;
  /** A gain below this is not worth the training. */
  readonly worthwhile: number;
}

/** What guessing scores: the line that every curve is read against. */
export interface Guess {
  readonly value: number;
  readonly loss: number;
}

/** Fraction of the answers that are right, 0 to 1. */
export const accuracy: Metric = { name: "accuracy", unit: "%", better: "higher", perfect: 1, worthwhile: 0.02 };

/** By how much the first value is better than the second; below zero when it is worse. */
export function improvement({ better }: Metric, value: number, baseline: number): number {
  return better === "higher" ? value - baseline : baseline - value;
}

/** The best of some values. */
export function bestOf({ better }: Metric, values: readonly number[]): number {
  return better === "higher" ? Math.max(...values) : Math.min(...values);
}

/** 0.531 of accuracy to "53.1 %", of another metric to "0.531 m". */
export function showValue({ unit }: Metric, value: number): string {
  return [plainValue({ unit }, value), unit].filter(Boolean).join(" ");
}

/** As {@link showValue}, without the unit. */
export function plainValue({ unit }: Pick<Metric, "unit">, value: number): string {
  return unit === "%" ? (100 * value).toFixed(1) : value.toFixed(3);
}

/** 0.2154 of accuracy to "+21.5 points", of another metric to "+0.215 m". */
export function showDifference(metric: Metric, difference: number): string {
  return [signedValue(metric, difference), metric.unit === "%" ? "points" : metric.unit].filter(Boolean).join(" ");
}

/** As {@link showDifference}, without the unit. */
export function signedValue({ unit }: Metric, difference: number): string {
  const size = unit === "%" ? (Math.abs(difference) * 100).toFixed(1) : Math.abs(difference).toFixed(3);
  return `${Number(size) === 0 ? "" : difference < 0 ? "−" : "+"}${size}`;
}
