/** How many training labels a measurement may use: numbers a class, or shares of all labels. */
import { listed, plural } from "../data/names.ts";
import { byClass, type LabelCount } from "./draws.ts";

/** Labels that are drawn of all classes together: a smaller class gives all it has. @param sizes labelled images of each class */
export function drawn(count: LabelCount, sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + (count === "all" ? size : Math.min(size, count)), 0);
}

/** The same for a class, on average. A class of no images is none. */
export function drawnOnAverage(count: LabelCount, sizes: readonly number[]): number {
  return drawn(count, sizes) / sizes.filter((size) => size > 0).length;
}

/** "1%", "12.5 %", "100%": above 0. */
export const SHARE = /^(?:100|(?=.*[1-9])\d{1,2}(?:\.\d+)?) ?%$/;

export interface LabelAmounts {
  /** Labels per class, each number once. */
  readonly counts: readonly LabelCount[];
  /** The percentage of all labels that a number really is, where it was given as a share. */
  readonly percents: ReadonlyMap<LabelCount, number>;
  /** Which shares came to the same number as others: one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Shares become the same number for each class, rounded up, as in semi-supervised learning with 1 % or 10 % of the labels (Zhai,
 * Oliver, Kolesnikov & Beyer, ICCV 2019, https://arxiv.org/abs/1905.03670). A smaller class gives all it has.
 * @param labels of the training images; negative for none
 */
export function labelAmounts(wanted: readonly (LabelCount | string)[], labels: ArrayLike<number>): LabelAmounts {
  const sizes = byClass(labels).flatMap(({ length }) => (length ? [length] : []));
  const all = drawn("all", sizes);
  const percents = new Map<LabelCount, number>();
  const amounts = new Map<LabelCount, string[]>();
  for (const amount of new Set(wanted.map((one) => (typeof one === "string" ? one.replace(" ", "") : one)))) {
    const count = countOf(amount, all / sizes.length);
    amounts.set(count, [...(amounts.get(count) ?? []), String(amount)]);
    if (count === "all" || amount === count) continue;
    percents.set(count, Number(((100 * drawn(count, sizes)) / all).toPrecision(3)));
  }
  const notes = [...amounts].flatMap(([count, same]) =>
    percents.has(count) && same.length > 1
      ? [`${listed(same)} come to the same ${plural(count as number, "label")} a class: measured once.`]
      : [],
  );
  const counts = [...amounts.keys()];
  return { counts, percents, notes };
}

/**
 * What is drawn of numbers that not every class has, as a sentence; none of shares, which say it themselves.
 * @param counts that were measured
 * @param sizes labelled images of each class
 */
export function smallClasses(
  counts: readonly LabelCount[],
  { percents, sizes }: { percents: LabelAmounts["percents"]; sizes: readonly number[] },
): string[] {
  const least = Math.min(...sizes.filter((size) => size > 0));
  const more = counts.filter((count) => count !== "all" && !percents.has(count) && count > least);
  if (!more.length) return [];
  const most = Math.max(...(more as number[]));
  const smaller = sizes.filter((size) => size > 0 && size < most).length;
  const given = more.map((count) => `${Number(drawnOnAverage(count, sizes).toPrecision(3))} instead of ${count}`);
  return [
    `${plural(smaller, "class has", "classes have")} fewer than ${most} labels and give${smaller === 1 ? "s" : ""} all: on average ${listed(given)} a class.`,
  ];
}

/** @param mean labels per class, on average */
function countOf(amount: LabelCount | string, mean: number): LabelCount {
  if (amount === "all" || typeof amount === "number") return amount;
  const percent = Number.parseFloat(amount);
  return percent === 100 ? "all" : Math.max(1, Math.ceil((percent * mean) / 100));
}
