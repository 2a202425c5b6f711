/** Label savings in words. */
import type { LabelSavings } from "../evaluate/label-savings.ts";

/**
 * "From scratch, the same network needs 21 labels a class to do what it does with 8 (95 % interval 14 to 33)". Where the curve from
 * scratch begins or ends before the answer: "at most 1", "more than 64".
 */
export function savingsSentence({ own, labels, low, high, open, below }: LabelSavings): string {
  const number = (value: number) => (value < 10 ? Number(value.toFixed(1)) : Math.round(value)).toLocaleString("en-US");
  const needs = `${open.labels ? "more than " : below.labels ? "at most " : ""}${number(labels)}`;
  const to = `${open.high ? "more than " : ""}${number(high)}`;
  const interval = open.low
    ? `95 % interval: more than ${number(low)}`
    : below.low && !open.high
      ? `95 % interval: at most ${number(high)}`
      : `95 % interval ${below.low ? "at most " : ""}${number(low)} to ${to}`;
  return `From scratch, the same network needs ${needs} labels a class to do what it does with ${number(own)} (${interval})`;
}

/**
 * Labels not needed, of those that training from scratch takes: "saves 40 %"; "saves some" where the curve from scratch ends before
 * its interval begins; "not clear" where the interval holds the own number.
 */
export function savedPart({ own, labels, low, high, open }: LabelSavings): string {
  if (high <= own && !open.high) return "saves none";
  if (low <= own && !open.low) return "not clear";
  if (labels <= own) return "saves some";
  return `saves ${open.labels ? "more than " : ""}${Math.floor(100 * (1 - own / labels))}\u00a0%`;
}
