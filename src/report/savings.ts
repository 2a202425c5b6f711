/** Label savings in words. */
import type { LabelSavings } from "../evaluate/label-savings.ts";

/** "as good as 21 labels a class from scratch (95 % interval 14 to 33)". @param labels that the pre-trained network had, per class */
export function savingsSentence({ labels, low, high, open, below }: LabelSavings, own: number): string {
  const number = (value: number) => (value < 10 ? Number(value.toFixed(1)) : Math.round(value)).toLocaleString("en-US");
  const [from, to] = [
    open.low ? `more than ${number(low)}` : number(low),
    open.high ? `more than ${number(high)}` : number(high),
  ];
  const interval = open.low ? `95 % interval: ${from}` : `95 % interval ${from} to ${to}`;
  const needs = open.labels ? `more than ${number(labels)}` : `${below ? "at most " : ""}${number(labels)}`;
  return `From scratch, the same network needs ${needs} labels a class to do what it does with ${number(own)} (${interval})`;
}

/** "saves 40 %", "saves none", "not clear" where the interval holds the own number: labels not needed, of those that training from scratch takes. */
export function savedPart({ labels, low, open }: LabelSavings, own: number): string {
  if (labels <= own) return "saves none";
  if (low <= own) return "not clear";
  return `saves ${open.labels ? "more than " : ""}${Math.floor(100 * (1 - own / labels))} %`;
}
