/**
 * What is measured when time is short. Decisions that depend on time are kept in the benchmark's folder once they are made, so
 * that one that goes on after a kill comes to the same report.
 */
import type { LabelCount } from "../../evaluate/draws.ts";
import { readJson, writeJson } from "../../files.ts";

/** Training whole networks on the labels, from scratch and from pre-trained weights. */
export interface ScratchPlan {
  /** Draws of labels, for each number but all; 0: nothing is trained. */
  draws: number;
  /** Numbers of labels a class for networks from scratch, and for pre-trained ones. */
  scratch: readonly LabelCount[];
  further: readonly LabelCount[];
  /** About how many seconds it takes to go on to all that was wanted. */
  left: number;
}

/** Each is decided once. */
export interface Decisions {
  /** Minutes of each training. */
  minutes: number;
  /** Numbers of labels a class that frozen features are measured with. */
  counts: readonly LabelCount[];
  whole: ScratchPlan;
}

/** The decisions kept in a file. A damaged file holds none. */
export function decisionsIn(file: string) {
  const read = () => readJson<Partial<Decisions> | null>(file, {}) ?? {};
  return {
    /** What was decided before, if it still holds, or else what `decide` says. */
    async once<Key extends keyof Decisions>(
      key: Key,
      decide: () => Decisions[Key] | Promise<Decisions[Key]>,
      holds: (before: Decisions[Key]) => boolean = () => true,
    ): Promise<Decisions[Key]> {
      const before = read()[key] as Decisions[Key] | undefined;
      if (before !== undefined && holds(before)) return before;
      const now = await decide();
      writeJson(file, { ...read(), [key]: now });
      return now;
    },
  };
}

/** The headline's number of labels first, then its neighbours below and above in turn; all labels, which take longest, last. */
export function byImportance(counts: readonly LabelCount[], headline: LabelCount): LabelCount[] {
  const at = counts.indexOf(headline);
  const distance = (count: LabelCount) =>
    count === headline ? 0 : count === "all" ? Number.POSITIVE_INFINITY : Math.abs(counts.indexOf(count) - at);
  return [...counts].sort((a, b) => distance(a) - distance(b) || counts.indexOf(a) - counts.indexOf(b));
}

/**
 * Grows a list of label counts while measuring them for every representation fits into the allowed seconds. The first, which the
 * verdicts need, is taken in any case.
 * @param weight how many times as long all representations take as the one that is timed
 */
export function growingCounts(allowed: number, weight: number) {
  const chosen: LabelCount[] = [];
  let seconds = 0;
  return {
    chosen,
    /** Notes that one was measured in so many seconds. Returns whether to stop. */
    enough(count: LabelCount, took: number): boolean {
      seconds += took;
      const fits = seconds * weight <= allowed;
      if (fits || !chosen.length) chosen.push(count);
      return !fits;
    },
  };
}

/** What training whole networks takes, in seconds, for one draw of so many labels a class. */
type Cost = (count: LabelCount) => number;

/**
 * The most that fits into the allowed seconds. What matters most stays longest: training from scratch at the headline, then with more
 * labels (which tells how many were saved), then pre-trained networks trained further, then the curve below the headline.
 * Fewer draws are no way to save time: from two, the interval of what depends on the choice of labels says next to nothing.
 * @param networks number of untrained networks, and of pre-trained ones
 */
export function chooseWhole(
  allowed: number,
  wanted: { draws: number; counts: readonly LabelCount[]; headline: LabelCount },
  networks: { scratch: number; further: number },
  cost: Cost,
): ScratchPlan {
  const { draws, counts, headline } = wanted;
  const everything = wholeWanted(wanted);
  const seconds = (plan: Pick<ScratchPlan, "scratch" | "further">) => {
    const sum = (list: readonly LabelCount[]) =>
      list.reduce<number>((total, count) => total + cost(count) * (count === "all" ? 1 : draws), 0);
    return networks.scratch * sum(plan.scratch) + networks.further * sum(plan.further);
  };
  const above = counts.slice(counts.indexOf(headline));
  const levels = [
    everything,
    { scratch: counts, further: [headline] },
    { scratch: above, further: [headline] },
    { scratch: above, further: [] },
    { scratch: above.filter((_, i) => i % 2 === 0), further: [] },
    { scratch: above.filter((_, i) => i === 0 || i === 2), further: [] },
    { scratch: above.slice(0, 2), further: [] },
    { scratch: [headline], further: [] },
  ];
  const fitting = levels.find((level) => seconds(level) <= allowed);
  const { scratch, further } = fitting ?? { scratch: [], further: [] };
  return {
    ...{ draws: fitting ? draws : 0, scratch, further },
    left: seconds(everything) - seconds({ scratch, further }),
  };
}

/** Whether numbers that were chosen before are still wanted, with the headline: labels may have been added since. */
export function areChosenFrom(counts: readonly LabelCount[], headline: LabelCount) {
  return (before: readonly LabelCount[]): boolean =>
    before.includes(headline) && before.every((count) => counts.includes(count));
}

/** Whether a plan is about these numbers of labels: `--labels-per-class` may have named others since. */
export function isPlanFor(counts: readonly LabelCount[], headline: LabelCount) {
  return ({ draws, scratch, further }: ScratchPlan): boolean =>
    draws === 0 || areChosenFrom(counts, headline)([...scratch, ...further]);
}

/** The plan when there are more draws than it was made with: one that left nothing out takes them too. */
export const withDraws = (plan: ScratchPlan, draws: number): ScratchPlan => (plan.left > 0 ? plan : { ...plan, draws });

/** All that is measured if time does not matter. */
export function wholeWanted({
  draws,
  counts,
  headline,
}: {
  draws: number;
  counts: readonly LabelCount[];
  headline: LabelCount;
}): ScratchPlan {
  const further = counts.filter((count) => count === headline || count === "all");
  return draws ? { draws, scratch: counts, further, left: 0 } : { draws, scratch: [], further: [], left: 0 };
}
