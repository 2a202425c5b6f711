/** Which numbers of labels a class are measured. */
import type { LabelCount } from "../../evaluate/draws.ts";

/** 1, 2, 4, … up to what the middle class has, and all. @param sizes labelled training images of each class; 0 where none were given */
export function labelCounts(sizes: readonly number[]): LabelCount[] {
  const sorted = sizes.filter((size) => size > 0).sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const counts: LabelCount[] = [];
  for (let count = 1; count < 0.75 * middle && count <= 256; count *= 2) counts.push(count);
  return [...counts, "all"];
}

/** The number that the verdict is about: the middle one of those that allow a choice, on the side of few labels. */
export function headlineCount(counts: readonly LabelCount[]): LabelCount {
  const numbers = counts.filter((count) => count !== "all" && count > 1);
  return numbers[Math.floor((numbers.length - 1) / 2)] ?? (counts.at(-1) as LabelCount);
}

/** Each once, by increasing number; all labels last. */
export function inOrder(counts: readonly LabelCount[]): LabelCount[] {
  const numbers = counts.filter((count) => count !== "all");
  const all = counts.includes("all") ? (["all"] as const) : [];
  return [...[...new Set(numbers)].sort((a, b) => a - b), ...all];
}
