/** Formats numbers for readers. */

import { plural as count } from "../data/names.ts";

export { count };

/** "5 draws of labels", or "3 trainings, 5 draws of labels each". */
export function drawCount({ trainings, draws }: { trainings: number; draws: number }): string {
  const each = count(draws, "draw of labels", "draws of labels");
  return trainings > 1 ? `${count(trainings, "training")}, ${each} each` : each;
}

/** "all labels", "25 labels per class", "10 % of the labels (25 per class)". */
export function labelCount(labelsPerClass: number | "all", percent?: number): string {
  if (labelsPerClass === "all") return "all labels";
  if (percent === undefined) return `${count(labelsPerClass, "label")} per class`;
  return `${percent} % of the labels (${labelsPerClass.toLocaleString("en-US")} per class)`;
}

/** "1,000 test images", or "1,000 test images of 20 groups": images of one group are one piece of evidence. */
export function testImages({ n, groups }: { n: number; groups?: number }): string {
  return count(n, "test image") + (groups === undefined ? "" : ` of ${count(groups, "group")}`);
}

/** 12,000 to "12k", 1.38629 to "1.39", -0.05 to "−0.05". */
export function short(value: number): string {
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size >= 1e6) return `${sign}${Number((size / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${sign}${Number((size / 1e3).toPrecision(3))}k`;
  return sign + Number(size.toPrecision(3)).toLocaleString("en-US");
}

/** "accuracy" to "Accuracy"; a name with capitals of its own, as mAP, stays. */
export const capital = (text: string): string =>
  /^\S*\p{Lu}/u.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
