/** Explains a result to someone who sees such numbers for the first time. */
import type { Difference } from "../evaluate/result.ts";
import { showDifference, showValue, signedValue } from "../metric.ts";
import { whatWouldTell } from "./evidence.ts";
import { testImages } from "./format.ts";
import { doubts, helpedWords, outcome } from "./verdict.ts";

export interface PlainResult {
  /** The pre-trained encoder with the linear probe, against the same network untrained, raw pixels and descriptors made by hand. */
  untrained: Difference;
  pixels: Difference;
  handcrafted: Difference;
  /** The same against the untrained network, with nearest neighbours. */
  neighbours: Difference;
}

/** A few sentences: how many images each gets right, whether pre-training helped, and whether nearest neighbours disagree. */
export function plainResult({ untrained, pixels, handcrafted, neighbours }: PlainResult): string[] {
  const { value, baselineValue, chance, n, seen, metric } = untrained;
  const show = (number: number) => showValue(metric, number);
  const right = [
    `Pre-trained: ${show(value)} of ${testImages(untrained)} right.`,
    `The same network untrained: ${show(baselineValue)}.`,
    `Raw pixels: ${show(pixels.baselineValue)}.`,
    `Edges and colours, described by hand: ${show(handcrafted.baselineValue)}.`,
    `Guessing, always the commonest class: ${show(chance)}.`,
  ];
  const other = disagreement(untrained, neighbours);
  return [right.join(" "), conclusion(untrained), ...(other ? [other] : []), ...(seen ? [seenSentence(seen, n)] : [])];
}

function conclusion(difference: Difference): string {
  const { low, high, metric, draws } = difference;
  const others = draws > 1 ? "other test images and other draws of these labels" : "other test images";
  const range = `with ${others} it would be ${signedValue(metric, low)} to ${showDifference(metric, high)} (95 % interval)`;
  switch (outcome(difference)) {
    case "helped":
      return `${helpedWords(difference).replace("It", "Pre-training")}: ${showDifference(metric, difference.difference)}; ${range}.`;
    case "did not help":
      return `Pre-training did not help here: ${showDifference(metric, difference.difference)}; ${range}.`;
    case "cannot tell": {
      const gain = `Whether pre-training helped cannot be told yet: ${showDifference(metric, difference.difference)}`;
      if (low > 0) return `${gain}; ${range}, but ${[...doubts(difference), whatWouldTell(difference)].join("; ")}.`;
      return `${gain}, but ${range}. More minutes may bring more; ${whatWouldTell(difference)}.`;
    }
  }
}

/** Nearest neighbours learn nothing from the labels: if they contradict the probe, the reader should know. */
function disagreement(probe: Difference, neighbours: Difference): string | undefined {
  const [ours, theirs] = [outcome(probe), outcome(neighbours)];
  if (ours === theirs) return undefined;
  const verdicts = { helped: "it helped", "did not help": "it did not help", "cannot tell": "it cannot be told" };
  const { value, baselineValue, low, high, metric } = neighbours;
  return `Nearest neighbours, without any classifier, say that ${verdicts[theirs]}: ${showValue(metric, value)} against ${showValue(metric, baselineValue)} (difference ${signedValue(metric, low)} to ${showDifference(metric, high)}).`;
}

function seenSentence(seen: number, n: number): string {
  return `Pre-training saw ${seen.toLocaleString("en-US")} of the ${n.toLocaleString("en-US")} test images, without their labels.`;
}
