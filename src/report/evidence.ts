/** What evidence would turn "cannot tell" into a verdict, in words. */
import { listed } from "../data/names.ts";
import type { Difference } from "../evaluate/result.ts";
import { studentQuantile } from "../evaluate/statistics.ts";
import { improvement, isFraction } from "../metric.ts";

/**
 * The largest gain that is not excluded: the interval's end, or, of a share of the images, 3/n beyond its middle. If none of n images (or groups
 * of them) differs the interval has no width, and yet up to 3/n of all may differ (the rule of three: Hanley & Lippman-Hand, JAMA 1983,
 * https://doi.org/10.1001/jama.1983.03330370053031). In other units an interval without a width is all that can be known to be too narrow.
 */
export function mostGain({ low, high, metric, n, groups = n }: Difference): number {
  const beyond = isFraction(metric) || low === high ? 3 / groups : 0;
  return Math.max(high, (low + high) / 2 + beyond);
}

/** More than this many times as much of one kind is too much to ask for. */
const MOST_TIMES = 10;

/**
 * "more test images would tell": it names the kind of evidence that contributes most to the interval's width, with a number where
 * one can be estimated: "if that is the true difference, about 2,100 test images instead of 700 would tell". Where a gain counts for
 * nothing because the encoder itself is no better than guessing, more of the same would not change that.
 */
export function whatWouldTell(difference: Difference): string {
  const { metric, value, chance, low } = difference;
  if (low > 0 && improvement(metric, value, chance) <= 0)
    return "more labels would tell, or test images with another share of each class";
  if (low <= 0 && difference.high < metric.worthwhile) return fewImages(difference);
  const kinds = kindsOf(difference);
  const [largest] = kinds as [Kind];
  const needed = neededVariance(difference);
  if (!(needed < 1)) return `more ${largest.name} would tell`;
  // With k times as much of it, its share of the variance is divided by k.
  const times = 1 / (1 - (1 - needed) / largest.share);
  const given = "if that is the true difference,";
  if (times > 0 && times <= MOST_TIMES)
    return `${given} about ${roundUp(times * largest.number)} ${largest.name} instead of ${largest.number.toLocaleString("en-US")} would tell`;
  if (needed < 0.01) return "the two are so close that it would take a hundred times the evidence to tell them apart";
  return `${given} about ${Math.ceil(1 / needed)} times as many ${listed(kinds.map(({ name }) => name))} would tell`;
}

/** Where only the number of images leaves room for a worthwhile gain. */
function fewImages({ low, high, metric, n, groups }: Difference): string {
  const needed = 1 + Math.floor(3 / (metric.worthwhile - (low + high) / 2));
  const name = groups === undefined ? "test images" : "groups of test images";
  return `${needed.toLocaleString("en-US")} ${name} instead of ${(groups ?? n).toLocaleString("en-US")} would tell`;
}

interface Kind {
  name: string;
  number: number;
  share: number;
}

/** The kinds of evidence of which more would narrow the interval, the largest share of its width first. */
function kindsOf({ shares, n, groups, draws, trainings }: Difference): Kind[] {
  const name = groups === undefined ? "test images" : "groups of test images";
  const images = { name, number: groups ?? n, share: shares.images };
  const others = [
    { name: "draws of labels", number: draws, share: shares.draws },
    { name: "trainings with other seeds", number: trainings, share: shares.trainings },
  ];
  const kinds = [images, ...others].filter(({ share }) => share > 0).sort((a, b) => b.share - a.share);
  return kinds.length ? kinds : [images];
}

/**
 * The fraction of today's variance at which the interval would either exclude zero, allowing for the family's size, or exclude
 * any worthwhile gain. 1 or more if it is small enough already.
 */
function neededVariance({ difference, low, high, metric, comparisons }: Difference): number {
  const normal = (level: number) => studentQuantile((1 + level) / 2, Number.POSITIVE_INFINITY);
  const gain = (difference * normal(0.95)) / normal(1 - 0.05 / comparisons); // Holm's first step
  return (Math.max(gain, metric.worthwhile - difference) / ((high - low) / 2)) ** 2;
}

/** Up to two digits that count, as 2,100 for 2,043. */
function roundUp(value: number): string {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return (Math.ceil(value / unit) * unit).toLocaleString("en-US");
}
