/** What a study found, in sentences. */
import { listed } from "../../data/names.ts";
import { type Metric, showDifference, showValue, signedValue } from "../../metric.ts";
import { type Analysis, bestPlace, type Place } from "../../study/analysis/analysis.ts";
import type { Components } from "../../study/analysis/components.ts";
import { withoutLabels } from "../../study/analysis/grid.ts";
import { LEAST_POINTS, type PretextLink } from "../../study/analysis/pretext.ts";
import { chosenByLabels, type RankedTask } from "../../study/analysis/ranking.ts";
import { capital, count } from "../format.ts";
import { baselineWords } from "./baseline.ts";

/** The first says which task gained most. */
export function studyVerdict(analysis: Analysis): string[] {
  const metric = metricOf(analysis);
  if (!metric) return ["Nothing could be measured: every training failed."];
  return [
    rankingSentence(analysis, metric),
    analysis.full.leftOut,
    helpedSentence(analysis),
    bestSentence(analysis),
    orderSentence(analysis, metric),
    pretextSentence(analysis.links),
    varianceSentence(analysis, metric),
  ].filter((sentence) => sentence !== "");
}

export const metricOf = ({ study }: Analysis): Metric | undefined => study.cells[0]?.difference.metric;

/** "+15.2 points (95 % interval +13.0 to +17.4)". */
export function gained(
  metric: Metric,
  { difference, low, high }: Pick<RankedTask, "difference" | "low" | "high">,
): string {
  return `${showDifference(metric, difference)} (95 % interval ${signedValue(metric, low)} to ${signedValue(metric, high)})`;
}

function rankingSentence(analysis: Analysis, metric: Metric): string {
  const { ranking, full } = analysis;
  const before = baselineWords(analysis);
  const [best, ...others] = ranking;
  if (!best) return "Nothing was trained without labels, so that there is nothing to rank.";
  const over = full.columns.length > 1 ? `, on average over ${count(full.columns.length, "architecture")}` : "";
  const numbers = gained(metric, best);
  if (best.idle && !others.some((one) => one.significant && one.difference > 0))
    return `${capital(best.name)} gains ${numbers}${over}, but ${idleWords(analysis)}.`;
  if (!best.significant && !others.length)
    return `${capital(best.name)} is not clearly better than ${before.none}${over}: it gains ${numbers}.`;
  const doubt = best.idle ? `but ${idleWords(analysis)}` : "but chance could give that";
  const sure = others.find((one) => one.significant && one.difference > 0);
  if (!best.significant && sure)
    return `${capital(sure.name)} helps: ${gained(metric, sure)} over ${before.network}${over}. ${capital(best.name)} gains more, ${numbers}, ${doubt}.`;
  if (!best.significant)
    return `No task is clearly better than ${before.none}${over}: ${best.name}, the first of ${count(ranking.length, "task")}, gains ${numbers}.`;
  if (best.difference < 0 && !others.length)
    return `${capital(best.name)} made it worse${over}: ${numbers} over ${before.network}.`;
  if (best.difference < 0)
    return `Pre-training made it worse${over}: even ${best.name}, the best of ${count(ranking.length, "task")}, has ${numbers} over ${before.network}.`;
  if (!others.length) return `${capital(best.name)} helps: ${numbers} over ${before.network}${over}.`;
  const tied = others.filter((one) => one.tied).map(({ name }) => name);
  const clear = `more than any other task${analysis.repeated ? "" : ` in these trainings; ${ONE_SEED}`}`;
  const lead = tied.length === 0 ? clear : `but ${listed(tied)} cannot be told apart from it`;
  return `${capital(best.name)} gains most over ${before.network}: ${numbers}${over}, ${lead}.`;
}

const idleWords = (analysis: Analysis) =>
  `${baselineWords(analysis).network} does worse than guessing there, and it is not clearly better than that`;

/** What intervals of a study without repetitions do not allow for. */
export const ONE_SEED = "with one seed each, chance in training could do that";

function helpedSentence(analysis: Analysis): string {
  const { places: all, study } = analysis;
  const failures = study.failed.length ? ` ${count(study.failed.length, "training")} failed.` : "";
  const places = all.filter(({ yardstick }) => !yardstick);
  if (places.length < 2) return failures.trim();
  const helped = places.filter(({ gain, significant }) => significant && gain.value > 0).length;
  const harmed = places.filter(({ gain, significant }) => significant && gain.value < 0).length;
  const idle = places.filter((place) => place.idle).length;
  const rest = places.length - helped - harmed - idle;
  const parts = [
    harmed && `in ${harmed} it was worse`,
    idle && `in ${idle} it gains and is still not clearly better than guessing`,
    rest && `in ${rest} the two cannot be told apart`,
  ].filter(Boolean);
  const which = helped === places.length ? "every one" : helped === 0 ? "none" : String(helped);
  return `Pre-training was better than ${baselineWords(analysis).network} in ${which} of ${count(places.length, "combination")}${parts.length ? `; ${parts.join(", ")}` : ""}.${failures}`;
}

function bestSentence(analysis: Analysis): string {
  const place = bestPlace(analysis);
  const yardsticks = analysis.places.some(({ yardstick }) => yardstick);
  if (!place || analysis.places.filter(({ yardstick }) => !yardstick).length < 2) return "";
  const metric = metricOf(analysis) as Metric;
  const [value, before] = [analysis.estimate(place.cells, "performance"), analysis.estimate(place.cells, "start")];
  const numbers = `${showValue(metric, value.value)} on the test images, against ${showValue(metric, before.value)} ${baselineWords(analysis).short}`;
  const known = chosenByLabels(withoutLabels(analysis.study.cells));
  const by = known ? "By held-out training labels, the" : "The";
  return `${by} best features${yardsticks ? " learned without labels" : ""} are those of ${placeName(place, analysis)}: ${numbers}${known ? "" : "; chosen by these test images, so that luck is in it"}.`;
}

/** "rotation on resnet18, width 0.5": only what differs. */
function placeName({ row, column, setting }: Pick<Place, "row" | "column" | "setting">, { grid }: Analysis): string {
  return [`${row}${grid.columns.length > 1 ? ` on ${column}` : ""}`, setting].filter(Boolean).join(", ");
}

/** Whether the ranking of tasks changes with the architecture; "" if there is nothing to compare. */
export function orderSentence({ tasks, repeated }: Analysis, metric: Metric): string {
  if (!tasks) return "";
  const { outcome, items, places, ranks, agreements, swaps } = tasks;
  const order = (at: number) => items.toSorted((a, b) => rankOf(a, at) - rankOf(b, at));
  const rankOf = (item: string, at: number) => ranks[at]?.[items.indexOf(item)] as number;
  const taus = agreements.map(({ tau }) => tau).filter(Number.isFinite); // of tasks that tie there is none
  switch (outcome) {
    case "no difference":
      return "Whether the ranking of tasks changes with the architecture cannot be told: on none of them do two tasks clearly differ.";
    case "same":
      return `The ranking of tasks is the same on every architecture as far as can be told: ${order(0).join(", ")}.`;
    case "changes": {
      const { one, other, here, there, by, byThere } = swaps[0] as (typeof swaps)[number];
      const rank = (item: string, place: string) => ordinal(rankOf(item, places.indexOf(place)));
      return (
        `The ranking of tasks changes with the architecture${repeated ? "" : ` between these trainings; ${ONE_SEED}`}: ${one} is ${rank(one, here)} on ${here}, ${rank(one, there)} on ${there}. ` +
        `On ${here} it is better than ${other} by ${size(metric, by)}, on ${there} it is worse by ${size(metric, byThere)}.`
      );
    }
    case "cannot tell":
      return (
        `Whether the ranking of tasks changes with the architecture cannot be told: ` +
        `the orders differ${taus.length ? ` (Kendall's τ ${range(taus)})` : ""}, but no two tasks clearly change places.`
      );
  }
}

/** Whether the architectures' ranking changes with the task. */
export function networkSentence({ networks, repeated }: Analysis, metric: Metric): string {
  if (!networks) return "";
  const { outcome, items, ranks, swaps } = networks;
  switch (outcome) {
    case "no difference":
      return "Whether the ranking of architectures changes with the task cannot be told: for none of them do two architectures clearly differ.";
    case "same": {
      const order = items.toSorted((a, b) => (ranks[0]?.[items.indexOf(a)] ?? 0) - (ranks[0]?.[items.indexOf(b)] ?? 0));
      return `The architectures rank the same for every task as far as can be told: ${order.join(", ")}.`;
    }
    case "changes": {
      const { one, other, here, there, by, byThere } = swaps[0] as (typeof swaps)[number];
      return `Which architecture is better depends on the task${repeated ? "" : ` in these trainings; ${ONE_SEED}`}: with ${here}, ${one} is better than ${other} by ${size(metric, by)}; with ${there}, ${other} is better by ${size(metric, byThere)}.`;
    }
    case "cannot tell":
      return "Whether the ranking of architectures changes with the task cannot be told: the orders differ, but no two architectures clearly change places.";
  }
}

/** The links over all networks, or within the only architecture. */
export function mainLinks(links: readonly PretextLink[]): PretextLink[] {
  const over = links.filter(({ model }) => model === undefined);
  return over.length ? over : [...links];
}

export function pretextSentence(links: readonly PretextLink[]): string {
  const tested = mainLinks(links).filter(({ found }) => found);
  if (!tested.length) {
    const most = Math.max(0, ...mainLinks(links).map(({ points }) => points.length));
    if (most < 2) return "";
    return most < LEAST_POINTS
      ? `Whether a better pretext score means better features cannot be said: it takes at least ${LEAST_POINTS} networks of one task, and there are ${most}.`
      : "Whether a better pretext score means better features cannot be said: the scores of each task are all the same.";
  }
  const clear = (sign: number) =>
    tested.filter(({ found }) => found && found.p < 0.05 && Math.sign(found.rho) === sign);
  const named = (some: readonly PretextLink[]) =>
    listed(some.map(({ row, found }) => `${row} (ρ\u00a0${decimal(found?.rho as number)})`));
  const [good, bad] = [clear(1), clear(-1)];
  const rest = tested.filter((one) => !good.includes(one) && !bad.includes(one));
  const parts = [
    good.length && `Networks that solve the pretext task better have better features (Spearman's ρ): ${named(good)}.`,
    bad.length && `Networks that solve it better have worse features: ${named(bad)}.`,
    rest.length &&
      `A better pretext score is no sure sign of better features${good.length || bad.length ? "" : " here"}: ${named(rest)}; chance alone could give that.`,
  ];
  return parts.filter(Boolean).join(" ");
}

interface Part {
  name: string;
  /** At least 0. */
  variance: number;
  /** Of all variance. */
  share: number;
}

/** Estimates below zero count as zero. */
export function componentParts({ rows, columns, interaction, repetitions }: Components): Part[] {
  const once = Number.isNaN(repetitions);
  const named: [string, number][] = [
    ["the task", rows],
    ["the architecture", columns],
    [
      once
        ? "how well the two suit each other, and chance in training and in the choice of test images"
        : "how well the two suit each other",
      interaction,
    ],
    ...(once ? [] : [["chance in training and in the choice of test images", repetitions] as [string, number]]),
  ];
  const parts = named.map(([name, variance]) => ({ name, variance: Math.max(0, variance) }));
  const total = parts.reduce((sum, { variance }) => sum + variance, 0);
  return parts.map((part) => ({ ...part, share: total > 0 ? part.variance / total : 0 }));
}

export function varianceSentence({ components, full }: Analysis, metric: Metric): string {
  if (!components) return "";
  const parts = componentParts(components).toSorted((a, b) => b.share - a.share);
  const [first, ...others] = parts as [(typeof parts)[number]];
  if (!(first.share > 0)) return "";
  const percent = (share: number) => `${Math.round(100 * share)}\u00a0%`;
  const where = `the differences in ${metric.name} between ${count(full.rows.length, "task")} and ${count(full.columns.length, "architecture")}`;
  const rest = others.map(({ name, share }) => `${percent(share)} from ${name}`);
  return `Of ${where}, ${percent(first.share)} of the variance comes from ${first.name}, ${listed(rest)}.`;
}

/** "3.2 points", without a sign. */
export const size = (metric: Metric, value: number) => showDifference(metric, Math.abs(value)).replace("+", "");

/** 0.8333 to "0.83", −0.5 to "−0.50". */
export const decimal = (value: number): string => (Math.abs(value) < 0.005 ? 0 : value).toFixed(2).replace("-", "−");

function range(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least === most ? decimal(least) : `${decimal(least)} to ${decimal(most)}`;
}

const ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];
const ordinal = (rank: number) => ORDINALS[rank - 1] ?? `number ${rank}`;
