/** Did it help? One sentence with numbers, which can also say no, or not clear yet. */
import { isBelowGuessing } from "../evaluate/compare.ts";
import type { Difference } from "../evaluate/result.ts";
import { type Metric, showDifference, showValue, signedValue } from "../metric.ts";
import { mostGain, whatWouldTell } from "./evidence.ts";
import { drawCount, labelCount, testImages } from "./format.ts";

export type Outcome = "helped" | "did not help" | "cannot tell";

/** The p-value must be below this, so that chance passes for a gain in at most one comparison in twenty. */
export const SIGNIFICANT = 0.05;

/**
 * Helped: the whole interval is above zero, chance is an unlikely explanation even among all comparisons of the family, and
 * the encoder is not just better than a baseline that does worse than guessing. Did not help: the interval excludes
 * any worthwhile gain. See {@link mostGain} for few images.
 */
export function outcome(difference: Difference): Outcome {
  const { low, high, metric } = difference;
  if (low > 0) return doubts(difference).length ? "cannot tell" : "helped";
  return high < 0 || mostGain(difference) < metric.worthwhile ? "did not help" : "cannot tell";
}

/** Reasons why a difference whose interval is above zero may still be luck. */
export function doubts(difference: Difference): string[] {
  const { p, comparisons, baseline, chance, metric } = difference;
  return [
    p >= SIGNIFICANT &&
      (comparisons > 1
        ? `among ${comparisons} comparisons on ${testImages(difference)}, luck alone often gives one like it`
        : `luck alone often gives as much on ${testImages(difference)}`),
    isBelowGuessing(difference) &&
      `${baseline} did worse than guessing (${showValue(metric, chance)}), and the encoder is not clearly better than that`,
  ].filter((doubt) => doubt !== false);
}

/** A paired difference in words: whether it helped, by how much, what was compared and with how many labels. */
export function verdict(difference: Difference): string {
  const { value, baselineValue, protocol, labelsPerClass, labelPercent, low, high, metric } = difference;
  const circumstances = [
    `${showValue(metric, value)} against ${showValue(metric, baselineValue)}`,
    `95 % interval of the difference ${signedValue(metric, low)} to ${showDifference(metric, high)}`,
    protocol,
    labelCount(labelsPerClass, labelPercent),
    testImages(difference),
    drawCount(difference),
    ...seenImages(difference),
  ];
  return `${opening(difference)} (${circumstances.join("; ")}).`;
}

/** Learning from test images without their labels can be right (if they are the images to sort), but must be reported. */
export function seenImages({ seen, n }: Pick<Difference, "seen" | "n">): string[] {
  if (seen === null) return ["which test images pre-training saw is not known"];
  return seen ? [`pre-training saw ${seen} of the ${testImages({ n })}, without their labels`] : [];
}

/** "It helped", and what is to be said at once of a gain that is sure but small. */
export const helpedWords = ({ metric, high }: Pick<Difference, "metric" | "high">): string =>
  high < metric.worthwhile ? `It helped, but by less than ${worthwhileGain(metric)}` : "It helped";

/** "2 points" */
const worthwhileGain = (metric: Metric) =>
  showDifference(metric, metric.worthwhile).replace("+", "").replace(".0 ", " ");

function opening(difference: Difference): string {
  const { encoder, baseline, metric, low, high } = difference;
  const by = `${showDifference(metric, Math.abs(difference.difference)).replace("+", "")} of ${metric.name}`;
  const [above, below] = metric.better === "higher" ? ["above", "below"] : ["better than", "worse than"];
  switch (outcome(difference)) {
    case "helped":
      return `${helpedWords(difference)}: ${encoder} is ${by} ${above} ${baseline}`;
    case "cannot tell": {
      const where = `${encoder} is ${by} ${difference.difference < 0 ? below : above} ${baseline}`;
      const why = low > 0 ? doubts(difference).join("; and ") : "which chance alone could give";
      return `Cannot tell yet: ${where}${low > 0 ? ", but " : ", "}${why}; ${whatWouldTell(difference)}`;
    }
    case "did not help":
      return high < 0
        ? `It did not help: ${encoder} is ${by} ${below} ${baseline}`
        : `It did not help: ${encoder} gains less than ${worthwhileGain(metric)} of ${metric.name} over ${baseline}`;
  }
}
