/** What was measured of maps, in sentences. */
import type { MapDifference, MapNumber } from "../evaluate/map-numbers.ts";
import { mean } from "../evaluate/protocol.ts";
import type { Measure } from "../inspect/attention/measures.ts";
import { plainValue, showValue, signedValue } from "../metric.ts";
import { count } from "./format.ts";
import { SIGNIFICANT } from "./verdict.ts";

/** How each measure is named and shown: "%" for a fraction. */
export const measureNames: Readonly<Record<Measure, { readonly name: string; readonly unit: "%" | "" }>> = {
  turn90: { name: "correlation with the turned-back map at 90°", unit: "" },
  turn180: { name: "correlation with the turned-back map at 180°", unit: "" },
  turn270: { name: "correlation with the turned-back map at 270°", unit: "" },
  equivariance: { name: "correlation with the turned-back map", unit: "" },
  pointing: { name: "hits in the pointing game", unit: "%" },
  mass: { name: "mass on the objects", unit: "%" },
  corloc: { name: "CorLoc", unit: "%" },
  spread: { name: "effective area", unit: "%" },
};

/**
 * How much of their mass the encoders' maps put on the objects, each with its interval.
 * @param compared numbers of one layer of each encoder
 * @param area part of the image that the objects cover, for each image; NaN for one without objects
 * @param maskClass the value of the objects in the masks, if only that counts
 * @returns undefined if that was not measured
 */
export function massSentence(
  compared: readonly MapNumber[],
  area: ArrayLike<number>,
  maskClass?: number,
): string | undefined {
  const own = compared.filter(({ measure }) => measure === "mass");
  const where = `${count(own[0]?.n ?? 0, "image")}, of which the objects cover ${meanShare(area)}`;
  const which = maskClass === undefined ? "" : ` of value ${maskClass} in the masks`;
  return sentence(own, ["put", `of their mass on the objects${which}`], [where]);
}

/** The mean of fractions as "12.3 %"; NaN for those that are not known. */
export const meanShare = (values: ArrayLike<number>): string =>
  showValue({ unit: "%" }, mean(Array.from(values).filter((value) => !Number.isNaN(value))));

/** How far the encoders' maps spread over the image, each with its interval. @param compared numbers of one layer of each encoder */
export function spreadSentence(compared: readonly MapNumber[]): string | undefined {
  const own = compared.filter(({ measure }) => measure === "spread");
  return sentence(own, ["spread over", "of the image"], ["effective area", count(own[0]?.n ?? 0, "image")]);
}

/** The layer is told once if it is the same for all. */
function sentence(
  numbers: readonly MapNumber[],
  [verb, what]: [string, string],
  where: readonly string[],
): string | undefined {
  const [first, ...others] = numbers;
  if (!first) return undefined;
  const same = others.every(({ layer }) => layer === first.layer);
  const of = ({ encoder, layer }: MapNumber) => (same ? encoder : `${layer} of ${encoder}`);
  const each = [
    `Maps of ${of(first)} ${verb} ${shownNumber(first)} ${what}`,
    ...others.map((other) => `those of ${of(other)} ${shownNumber(other)}`),
  ];
  return `${each.join(", ")} (${[...(same ? [first.layer] : []), ...where].join("; ")}).`;
}

/** "61.2 % [58.3, 64.1]". */
export function shownNumber({ measure, value, low, high }: MapNumber): string {
  const { unit } = measureNames[measure];
  return `${showValue({ unit }, value)} [${plainValue({ unit }, low)}, ${plainValue({ unit }, high)}]`.replaceAll(
    "-",
    "−",
  );
}

export type MapOutcome = "more" | "less" | "cannot tell";

/** Whether the whole interval is on one side of zero, and chance an unlikely explanation even among all comparisons. */
export function mapOutcome({ low, high, p }: MapDifference): MapOutcome {
  if (p >= SIGNIFICANT || (low <= 0 && high >= 0)) return "cannot tell";
  return low > 0 ? "more" : "less";
}

/** A paired difference in words. */
export function mapVerdict(difference: MapDifference): string {
  const { encoder, baseline, layer, baselineLayer, measure, value, low, high, n, p, comparisons } = difference;
  const { name, unit } = measureNames[measure];
  const points = unit === "%" ? " points" : "";
  const by = `${plainValue({ unit }, Math.abs(value))}${points}`;
  const where = layer === baselineLayer ? layer : `${layer} and ${baselineLayer}`;
  const interval = `95 % interval of the difference ${signedValue({ unit }, low)} to ${signedValue({ unit }, high)}${points}`;
  const about = `(${[where, interval, count(n, "image")].join("; ")})`;
  const outcome = mapOutcome(difference);
  if (outcome !== "cannot tell")
    return `${encoder} has ${by} ${outcome === "more" ? "more" : "less"} ${name} than ${baseline} ${about}.`;
  if (low === 0 && high === 0) return `${encoder} and ${baseline} have the same ${name} on every image ${about}.`;
  const beyond = low > 0 || high < 0;
  const why = beyond
    ? `among ${count(comparisons, "comparison")}, luck alone often gives one like it (p = ${p.toFixed(2)})`
    : "chance alone could give the difference";
  return `Cannot tell whether ${encoder} or ${baseline} has more ${name}: ${why} ${about}. More images would narrow it.`;
}
