/** Measures every encoder of a benchmark: frozen features first, which the verdicts rest on, then whole networks, as far as time goes. */
import { listed, plural } from "../../data/names.ts";
import type { Measured } from "../../evaluate/compare.ts";
import type { LabelCount } from "../../evaluate/draws.ts";
import { chooseVariants } from "../../evaluate/evaluate.ts";
import { protocolEntry } from "../../evaluate/index.ts";
import { drawn } from "../../evaluate/label-amounts.ts";
import type { Variant } from "../../evaluate/measure.ts";
import { measureRepresentation, type Plan } from "../../evaluate/measurements.ts";
import type { EvaluateConfig } from "../../evaluate/options.ts";
import type { Representation } from "../../evaluate/representations.ts";
import type { Session } from "../../evaluate/session.ts";
import type { Hooks } from "../../run/events.ts";
import { duration } from "../../setup/terminal.ts";
import { measuringTime, type TimeLeft } from "./budget.ts";
import { benchmarkFiles } from "./folder.ts";
import { headlineCount } from "./label-counts.ts";
import type { BenchmarkConfig } from "./options.ts";
import {
  areChosenFrom,
  byImportance,
  chooseWhole,
  decisionsIn,
  growingCounts,
  isPlanFor,
  type ScratchPlan,
  wholeWanted,
  withDraws,
} from "./plan.ts";
import type { overallProgress } from "./progress.ts";

/** Draws of labels for training whole networks. */
const SCRATCH_DRAWS = 3;
/** Part of the time left that frozen features may take; the rest is for whole networks. */
const FROZEN_PART = 1 / 2;
/** Part of the time left that may be planned for: the report takes some, and no estimate is exact. */
const PLANNED_PART = 0.9;
/** Features without a network have a single layer, and so take less time: this part of a network's. */
const PLAIN_PART = 1 / 3;

export interface Wanted {
  config: BenchmarkConfig;
  variants: readonly Variant[];
  /** Numbers of labels a class, in order. */
  counts: readonly LabelCount[];
  /** The percentage of all labels that a number is, where it was given as a share. */
  percents: ReadonlyMap<LabelCount, number>;
  /** Labelled training images of each class. */
  sizes: readonly number[];
  /** Undefined if time does not matter. */
  left: TimeLeft | undefined;
}

export interface AllMeasured {
  measured: Measured[];
  /** Those of the session, and networks trained from scratch. */
  representations: Representation[];
  /** What was left out for lack of time, and how to measure it: one sentence each. */
  notes: string[];
}

export async function measureAll(
  wanted: Wanted,
  session: Session,
  progress: ReturnType<typeof overallProgress>,
): Promise<AllMeasured> {
  const { config, variants, counts, percents } = wanted;
  const { draws, seed, out } = config;
  const headline = headlineCount(counts);
  const decisions = decisionsIn(benchmarkFiles(out).plan);
  const shared = { draws, seed, percents, cache: benchmarkFiles(out).measured };
  const measured: Measured[] = [];
  const notes: string[] = [];
  const time = measuringTime(benchmarkFiles(out).spent);
  const work = async (one: Representation, plan: Plan) => {
    progress.begin(`measuring ${one.label}`);
    const result = await measureRepresentation(one, session, plan, progress.hooks);
    measured.push(...result.measured);
    session.notes.push(...result.notes);
    time.note();
  };
  progress.expect(session.representations.length);
  const frozen = await frozenCounts(wanted, session, { ...shared, variants, labelsPerClass: counts }, progress.hooks);
  notes.push(...frozenNote(config, counts, frozen));
  for (const one of session.representations) await work(one, { ...shared, variants, labelsPerClass: frozen });

  const [whole] = wholeVariants(config) as [Variant];
  const scratch = scratchOf(session);
  const pretrained = session.representations.filter(({ kind }) => kind === "pre-trained");
  const asked = { draws: Math.min(config.scratchDraws ?? SCRATCH_DRAWS, draws), counts, headline };
  const everything = wholeWanted(asked);
  const decide = async () => {
    const cost = await costOf(whole, scratch[0] as Representation, { wanted, session, headline }, progress.hooks);
    const allowed = PLANNED_PART * (wanted.left as TimeLeft)();
    return chooseWhole(allowed, asked, { scratch: scratch.length, further: pretrained.length }, cost);
  };
  const plan =
    wanted.left && config.scratchDraws === undefined
      ? withDraws(await decisions.once("whole", decide, isPlanFor(counts, headline)), asked.draws)
      : everything;
  notes.push(...wholeNote(config, plan, everything));
  const trained = plan.draws ? scratch : [];
  const few = { ...shared, variants: [whole], draws: plan.draws };
  progress.expect(session.representations.length + trained.length + (plan.further.length && pretrained.length));
  for (const one of trained) await work(one, { ...few, labelsPerClass: plan.scratch });
  if (plan.further.length) for (const one of pretrained) await work(one, { ...few, labelsPerClass: plan.further });
  return { measured, representations: compared(session.representations, trained), notes };
}

/** The numbers of labels that there is time for, found out by measuring one encoder. */
async function frozenCounts(
  { config, left, counts }: Wanted,
  session: Session,
  plan: Plan,
  hooks: Hooks,
): Promise<readonly LabelCount[]> {
  if (!left || config.labelsPerClass) return counts;
  const headline = headlineCount(counts);
  const choose = async () => {
    const [first] = session.representations as [Representation];
    await session.partsFor(first); // decoding is not what grows with the number of labels
    const weight = session.representations.reduce((sum, { encoder }) => sum + (encoder ? 1 : PLAIN_PART), 0);
    const { chosen, enough } = growingCounts(FROZEN_PART * left(), weight);
    const ordered = byImportance(counts, headline);
    const some = ordered.filter((count) => count !== "all");
    // Of so many a class, few images need features; "all" would make the others pay for those of every labelled one.
    const steps = headline === "all" ? [ordered] : [some, counts.includes("all") ? (["all"] as const) : []];
    let measured = 0;
    for (const labelsPerClass of steps) {
      if (chosen.length < measured || !labelsPerClass.length) break; // it was enough
      await measureRepresentation(first, session, { ...plan, labelsPerClass, enough }, hooks);
      measured += labelsPerClass.length;
    }
    return counts.filter((count) => chosen.includes(count));
  };
  return decisionsIn(benchmarkFiles(config.out).plan).once("counts", choose, areChosenFrom(counts, headline));
}

/** The protocol that trains whole networks: from every label, as probes do, so that the labels saved are those of learning alone. */
export function wholeVariants({
  scratchProtocol: name,
  scratchSteps: steps,
}: Pick<BenchmarkConfig, "scratchProtocol" | "scratchSteps">): Variant[] {
  return chooseVariants({
    protocol: [name],
    protocolOptions: { [name]: { ...protocolEntry(name).everyLabel, ...(steps !== undefined && { steps }) } },
  } satisfies Pick<EvaluateConfig, "protocol" | "protocolOptions">);
}

/** Seconds of one training by number of labels, judged by a short one. */
async function costOf(
  { protocol, options, name }: Variant,
  network: Representation,
  { wanted, session, headline }: { wanted: Wanted; session: Session; headline: LabelCount },
  hooks: Hooks,
): Promise<(count: LabelCount) => number> {
  const { sizes, config } = wanted;
  const short = { name, protocol, options: { ...(options as object), ...protocol.quick } };
  const { test } = await session.partsFor(network);
  const passes = (count: LabelCount, chosen: unknown) => {
    return (protocol.passes?.(drawn(count, sizes), chosen as never) ?? 0) + test.store.length;
  };
  const began = performance.now();
  const plan = { variants: [short], labelsPerClass: [headline], draws: 1, seed: config.seed };
  await measureRepresentation(network, session, plan, hooks);
  const each = (performance.now() - began) / 1000 / passes(headline, short.options);
  return (count) => each * passes(count, options);
}

/** Id of an untrained network when it is trained on the labels alone. */
const scratchId = (untrained: string): string => `scratch ${untrained}`;

/** The untrained networks, to be trained on the labels alone. */
function scratchOf({ representations }: Session): Representation[] {
  const untrained = representations.filter(({ kind }) => kind === "untrained");
  return untrained.map((one) => ({
    ...one,
    id: scratchId(one.id),
    label: untrained.length > 1 ? `${one.beginningOf}, from scratch` : "from scratch",
    role: "from scratch",
    kind: "from-scratch",
  }));
}

/** Compares each trained encoder with the same network from scratch too, where both were trained, and with weights from elsewhere. */
function compared(representations: readonly Representation[], scratch: readonly Representation[]): Representation[] {
  const given = representations.flatMap(({ id, kind }) => (kind === "weights" ? [id] : []));
  const compared = representations.map((one) => {
    if (one.kind !== "pre-trained") return one;
    const own = scratch.filter(({ id }) => one.baselines.some((baseline) => id === scratchId(baseline)));
    return { ...one, baselines: [...one.baselines, ...given, ...own.map(({ id }) => id)] };
  });
  return [...compared, ...scratch];
}

function frozenNote(
  { budget }: BenchmarkConfig,
  counts: readonly LabelCount[],
  chosen: readonly LabelCount[],
): string[] {
  const others = counts.filter((count) => !chosen.includes(count));
  if (!others.length) return [];
  return [
    `--budget ${budget} left no time to measure features with ${listed(others)} labels a class. The same command with --labels-per-class ${counts.join(",")} goes on with them, whatever time it takes.`,
  ];
}

function wholeNote({ budget }: BenchmarkConfig, plan: ScratchPlan, everything: ScratchPlan): string[] {
  if (!(plan.left > 0)) return [];
  const what = plan.draws
    ? `${plural(plan.draws, "draw")} of ${listed(plan.scratch)} labels a class ${plan.draws > 1 ? "were" : "was"} trained from scratch${plan.further.length ? `, and ${listed(plan.further)} from pre-trained networks` : ""}`
    : "no network was trained from scratch";
  return [
    `In the time that --budget ${budget} left, ${what}. All of it (${plural(everything.draws, "draw")} of every number of labels) would take about ${duration(plan.left * 1000)} more: the same command with --scratch-draws ${everything.draws} goes on with it.`,
  ];
}
