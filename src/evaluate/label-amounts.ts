/** How many training labels a measurement may use: numbers a class, or shares of all labels. */
import { listed, plural } from "../data/names.ts";
import { byClass, type LabelCount } from "./draws.ts";

/** Labels a class that are drawn on average: a smaller class gives all it has. @param sizes labelled images of each class; 0 is no class */
export function drawnOnAverage(count: LabelCount, sizes: readonly number[]): number {
  const given = sizes.filter((size) => size > 0).map((size) => (count === "all" ? size : Math.min(size, count)));
  return given.reduce((sum, one) => sum + one, 0) / given.length;
}

/** "1%", "12.5 %", "100%": above 0. */
export const SHARE = /^(?:100|(?=.*[1-9])\d{1,2}(?:\.\d+)?) ?%$/;

export interface LabelAmounts {
  /** Labels per class, each number once. */
  readonly counts: readonly LabelCount[];
  /** The percentage of all labels that a number really is, where it was given as a share. */
  readonly percents: ReadonlyMap<LabelCount, number>;
  /** Which shares came to the same number as others, and what classes with fewer labels give: one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Shares become the same number for each class, rounded up, as in semi-supervised learning with 1 % or 10 % of the labels (Zhai,
 * Oliver, Kolesnikov & Beyer, ICCV 2019, https://arxiv.org/abs/1905.03670). A smaller class gives all it has.
 * @param labels of the training images; negative for none
 */
export function labelAmounts(wanted: readonly (LabelCount | string)[], labels: ArrayLike<number>): LabelAmounts {
  const sizes = byClass(labels).flatMap(({ length }) => (length ? [length] : []));
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const percents = new Map<LabelCount, number>();
  const amounts = new Map<LabelCount, string[]>();
  for (const amount of new Set(wanted.map((one) => (typeof one === "string" ? one.replace(" ", "") : one)))) {
    const count = countOf(amount, all / sizes.length);
    amounts.set(count, [...(amounts.get(count) ?? []), String(amount)]);
    if (count === "all" || amount === count) continue;
    const drawn = sizes.reduce((sum, size) => sum + Math.min(size, count), 0);
    percents.set(count, Number(((100 * drawn) / all).toPrecision(3)));
  }
  const notes = [...amounts].flatMap(([count, same]) =>
    percents.has(count) && same.length > 1
      ? [`${listed(same)} come to the same ${plural(count as number, "label")} a class: measured once.`]
      : [],
  );
  const counts = [...amounts.keys()];
  return { counts, percents, notes: [...notes, ...smallClasses(counts, percents, sizes)] };
}

/** Numbers that were asked for and that not every class has. */
function smallClasses(
  counts: readonly LabelCount[],
  percents: LabelAmounts["percents"],
  sizes: readonly number[],
): string[] {
  const least = Math.min(...sizes);
  const more = counts.filter((count) => count !== "all" && !percents.has(count) && count > least);
  if (!more.length) return [];
  const drawn = more.map((count) => `${count} are ${Number(drawnOnAverage(count, sizes).toPrecision(3))}`);
  const smaller = sizes.filter((size) => size < Math.max(...(more as number[]))).length;
  return [
    `${plural(smaller, "class has", "classes have")} fewer labels than asked for, the smallest ${least}, and give all they have. Labels a class, on average: ${listed(drawn)}.`,
  ];
}

/** @param mean labels per class, on average */
function countOf(amount: LabelCount | string, mean: number): LabelCount {
  if (amount === "all" || typeof amount === "number") return amount;
  const percent = Number.parseFloat(amount);
  return percent === 100 ? "all" : Math.max(1, Math.ceil((percent * mean) / 100));
}
