/** How to read a value and compare it with others. Tasks and protocols declare their metric; no code asks for one by name. */
export interface Metric {
  /** The field's term: "accuracy", "mAP", "error". */
  readonly name: string;
  /** "%" for a fraction that is shown as a percentage; else the unit itself, or "" for none. */
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** The score of a perfect answer. */
  readonly perfect: number;
  /** A gain smaller than this is not worth the training. */
  readonly worthwhile: number;
}

/** Whether its values lie between 0 and 1. */
export const isFraction = ({ unit }: Pick<Metric, "unit">): boolean => unit === "%";

/** The score and loss of guessing: the baseline of every curve. */
export interface Guess {
  readonly value: number;
  readonly loss: number;
}

/** Fraction of correct answers, 0 to 1. */
export const accuracy: Metric = { name: "accuracy", unit: "%", better: "higher", perfect: 1, worthwhile: 0.02 };

/** Mean average precision, 0 to 1. */
export const mAP: Metric = { name: "mAP", unit: "%", better: "higher", perfect: 1, worthwhile: 0.02 };

/** By how much `value` is better than `baseline`; negative when it is worse. */
export function improvement({ better }: Metric, value: number, baseline: number): number {
  return better === "higher" ? value - baseline : baseline - value;
}

/** The best of some values. */
export function bestOf({ better }: Metric, values: readonly number[]): number {
  return better === "higher" ? Math.max(...values) : Math.min(...values);
}

/** An accuracy of 0.531 becomes "53.1 %"; 0.531 in metres becomes "0.531 m". */
export function showValue({ unit }: Pick<Metric, "unit">, value: number): string {
  return [plainValue({ unit }, value), unit].filter(Boolean).join(" ");
}

/** Like {@link showValue}, without the unit. */
export function plainValue({ unit }: Pick<Metric, "unit">, value: number): string {
  return unit === "%" ? (100 * value).toFixed(1) : value.toFixed(3);
}

/** An accuracy difference of 0.2154 becomes "+21.5 points"; 0.2154 in metres becomes "+0.215 m". */
export function showDifference(metric: Metric, difference: number): string {
  return [signedValue(metric, difference), metric.unit === "%" ? "points" : metric.unit].filter(Boolean).join(" ");
}

/** Like {@link showDifference}, without the unit. */
export function signedValue({ unit }: Pick<Metric, "unit">, difference: number): string {
  const size = unit === "%" ? (Math.abs(difference) * 100).toFixed(1) : Math.abs(difference).toFixed(3);
  return `${Number(size) === 0 ? "" : difference < 0 ? "−" : "+"}${size}`;
}
