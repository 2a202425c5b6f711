/** How many training labels a measurement may use: numbers a class, or shares of all labels. */
import { byClass, type LabelCount } from "./draws.ts";

/** "1%", "12.5 %", "100%": above 0. */
export const SHARE = /^(?:100|(?=.*[1-9])\d{1,2}(?:\.\d+)?) ?%$/;

export interface LabelAmounts {
  /** Labels per class, each number once. */
  readonly counts: readonly LabelCount[];
  /** The percentage that a number stands for, where it was given as a share. */
  readonly percents: ReadonlyMap<LabelCount, number>;
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
  const counts = wanted.map((amount): LabelCount => {
    if (amount === "all" || typeof amount === "number") return amount;
    const percent = Number.parseFloat(amount);
    if (percent === 100) return "all";
    const count = Math.max(1, Math.ceil((percent * all) / (100 * sizes.length)));
    percents.set(count, percent);
    return count;
  });
  return { counts: [...new Set(counts)], percents };
}
