/** The report's section on the images themselves. */
import type { Sizes } from "../data/sizes.ts";
import type { DataHealth } from "../study/benchmark/health.ts";
import { count } from "./format.ts";
import { factList, pictureFigure } from "./page.ts";

/** @param suspects PNG: images whose label looks wrong. @returns HTML */
export function healthPart(
  { notes, sizes, labels }: DataHealth,
  input: number,
  suspects: Uint8Array | undefined,
): string {
  const list = factList([
    ["Left out, copies", notes.length ? notes.join(" ") : "Nothing was left out, and no copies were found."],
    ["Sizes", sizesSentence(sizes, input)],
    ["Labels", labelsSentence(labels)],
  ]);
  const picture =
    suspects && pictureFigure(suspects, { alt: "Training images whose label looks wrong", note: suspectsNote });
  return `${list}${picture ? `\n<h3>Labels that look wrong</h3>\n${picture}` : ""}`;
}

const suspectsNote =
  "Training images. Below each: its label → what a probe that did not learn from it takes it for, and how sure it is. " +
  "Look before you change anything: some are the probe's mistakes.";

export function sizesSentence(
  { looked, least, median, most, smaller, muchSmaller, long }: Sizes,
  input: number,
): string {
  const range = least === most ? `all ${least} pixels` : `${least} to ${most} pixels, half of them up to ${median}`;
  const enlarged =
    smaller === looked
      ? `all are smaller than the network's input of ${input} and are enlarged`
      : `${count(smaller, "image is", "images are")} smaller than the network's input of ${input} and enlarged`;
  const twice = muchSmaller
    ? `, ${muchSmaller === smaller ? "all of these" : muchSmaller.toLocaleString("en-US")} more than twice`
    : "";
  return [
    `Shorter side: ${range} (${count(looked, "image")} looked at).`,
    smaller ? `${enlarged[0]?.toUpperCase()}${enlarged.slice(1)}${twice}.` : "",
    long
      ? `${count(long, "image is", "images are")} more than three times as long as wide: the network sees the middle alone.`
      : "",
  ]
    .filter(Boolean)
    .join(" ");
}

/** A probe that agrees with fewer labels than this is mostly wrong where it disagrees. */
const TRUSTED = 0.8;

export function labelsSentence({ checked, accuracy, estimated, suspects }: DataHealth["labels"]): string {
  if (!checked)
    return "Not checked: that needs two classes with five training images at least, of five groups where images have groups.";
  // 99.9 % is not all of them.
  const percent = (part: number) =>
    `${part >= 0.995 && part < 1 ? Math.floor(1000 * part) / 10 : Number((100 * part).toPrecision(2))} %`;
  const asked = `A probe was asked about ${count(checked, "training image")} that it had not learned from, and agreed with ${percent(accuracy)} of the labels.`;
  if (!suspects) return `${asked} There is no label that it is sure is wrong.`;
  const listed = `label-suspects.csv lists ${count(suspects, "suspect")}, the most suspicious first.`;
  if (accuracy < TRUSTED) return `${asked} It is wrong too often itself to say how many labels are. ${listed}`;
  const most = `About ${count(Math.round(estimated), "label")} (${percent(estimated / checked)}) may be wrong by confident learning (Northcutt et al. 2021)`;
  return `${asked} ${most}: some of these are the probe's own mistakes, and wrong labels that it has learned are not among them. ${listed}`;
}
