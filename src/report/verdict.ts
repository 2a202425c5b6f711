/** Did it help? One sentence with its numbers, which can also be no, or not yet to be told. */
import type { Difference } from "../evaluate/result.ts";
import { count, labelCount, percent, points, signed } from "./format.ts";

export type Outcome = "helped" | "did not help" | "cannot tell";

/** Gains below this are not worth the training: 2 points. */
const WORTHWHILE = 0.02;

/** Helped when the whole interval is above zero; no help when it leaves no room for a gain worth having. */
export function outcome({ low, high }: Pick<Difference, "low" | "high">): Outcome {
  if (low > 0) return "helped";
  return high < WORTHWHILE ? "did not help" : "cannot tell";
}

/** What a paired difference says: whether it helped, by how much, what was compared and with how many labels. */
export function verdict(difference: Difference): string {
  const { value, baselineValue, protocol, labelsPerClass, low, high, n, draws } = difference;
  const circumstances = [
    `${percent(value)} against ${percent(baselineValue)}`,
    `95 % interval of the difference ${signed(low)} to ${points(high)}`,
    protocol,
    labelCount(labelsPerClass),
    count(n, "test image"),
    count(draws, "draw of labels", "draws of labels"),
  ];
  return `${opening(difference)} (${circumstances.join("; ")}).`;
}

function opening({ encoder, baseline, metric, difference, low, high }: Difference): string {
  const by = `${points(Math.abs(difference)).replace("+", "")} of ${metric}`;
  switch (outcome({ low, high })) {
    case "helped":
      return `It helped: ${encoder} is ${by} above ${baseline}`;
    case "cannot tell":
      return `Cannot tell yet: ${encoder} is ${by} ${difference < 0 ? "below" : "above"} ${baseline}, which chance alone could give; more test images or draws of labels would narrow it`;
    case "did not help":
      return high < 0
        ? `It did not help: ${encoder} is ${by} below ${baseline}`
        : `It did not help: ${encoder} gains less than ${WORTHWHILE * 100} points of ${metric} over ${baseline}`;
  }
}
