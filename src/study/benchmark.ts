/** `benchmark`: which pretext task suits these images, did it help, and how many labels did it save? */

import { refuseSeveral } from "../data/images.ts";
import { labelledParts } from "../data/splits.ts";
import { SelfsightError, UsageError } from "../errors.ts";
import { compare, type Measured } from "../evaluate/compare.ts";
import { byClass, type LabelCount } from "../evaluate/draws.ts";
import { chooseVariants } from "../evaluate/evaluate.ts";
import type { Variant } from "../evaluate/measure.ts";
import { measureRepresentation } from "../evaluate/measurements.ts";
import { evaluateOptions } from "../evaluate/options.ts";
import type { Representation } from "../evaluate/representations.ts";
import type { Difference, ResultRow } from "../evaluate/result.ts";
import { openSession, type Session } from "../evaluate/session.ts";
import { writeJson } from "../files.ts";
import { parseOptions } from "../options.ts";
import { counting, type Hooks } from "../run/events.ts";
import { openGiven } from "../run/images.ts";
import { taskEntry } from "../tasks/index.ts";
import { benchmarkFiles, claimFolder, defaultFolder } from "./folder.ts";
import { type Gallery, gallery } from "./gallery.ts";
import { type DataHealth, dataHealth } from "./health.ts";
import { headlineCount, inOrder, labelCounts } from "./label-counts.ts";
import { type BenchmarkConfig, type BenchmarkOptions, benchmarkOptions } from "./options.ts";
import { overallProgress } from "./progress.ts";
import { type TaskResult, taskResults } from "./task-results.ts";
import { type Training, trainAll, trainingsOf } from "./train-all.ts";

export interface Benchmark {
  images: string;
  options: BenchmarkConfig;
  classes: readonly string[];
  /** Number of training images with a label, and of test images. */
  labelled: number;
  tested: number;
  /** Labels per class that the verdicts are about. */
  headline: LabelCount;
  /** The best first, by accuracy on held-out training labels. */
  tasks: TaskResult[];
  rows: ResultRow[];
  differences: Difference[];
  notes: readonly string[];
  health: DataHealth;
}

export interface BenchmarkResult extends Benchmark {
  folder: string;
  trainings: readonly Training[];
  /** Of the best task: pictures and a confusion matrix, which report.json does not hold. */
  gallery: Gallery;
}

/**
 * Trains each task, measures every encoder beside its baselines, and trains the same network from scratch on the same labels. Writes
 * `report.json`. Repeated after an interruption, it goes on where it was.
 * @throws UsageError as `pretrain` and `evaluate`, and for a folder of another benchmark; InterruptedError if the signal aborts
 */
export async function benchmark(options: BenchmarkOptions, hooks: Hooks = {}): Promise<BenchmarkResult> {
  const given = parseOptions(benchmarkOptions, options);
  const config: BenchmarkConfig = { ...given, out: given.out ?? defaultFolder(given.images) };
  const trainings = trainingsOf(config, minutesOf(config.budget));
  refuseProbe(config.probe);
  const { counts, labelled, tested } = await countLabels(config, hooks);
  const release = await claimFolder(config);
  try {
    const progress = overallProgress(trainings.length, hooks);
    const { done, failures } = await trainAll(trainings, progress.hooks, ({ task, seed }) =>
      progress.begin(config.seeds > 1 ? `training ${task}, seed ${seed}` : `training ${task}`),
    );
    if (done.every(({ task }) => taskEntry(task).usesLabels))
      throw new SelfsightError(
        `There is nothing to compare: no task without labels was trained. ${failures.join(" ")}`,
      );
    return await measureAll(config, done, { counts, labelled, tested, failures }, progress);
  } finally {
    release();
  }
}

interface Found {
  counts: readonly LabelCount[];
  labelled: number;
  tested: number;
  failures: readonly string[];
}

async function measureAll(
  config: BenchmarkConfig,
  trainings: readonly Training[],
  { counts, labelled, tested, failures }: Found,
  progress: ReturnType<typeof overallProgress>,
): Promise<BenchmarkResult> {
  const { probe, images, labels, group, trainSplit, testSplit, seed, draws, device, precision, threads, out } = config;
  const evaluation = parseOptions(evaluateOptions, {
    ...{ runs: trainings.map(({ folder }) => folder), images, labels, group, trainSplit, testSplit, seed, draws },
    ...{
      device,
      precision,
      threads,
      protocol: [...new Set(["knn", probe])],
      protocolOptions: { knn: { neighbours: [KNN] } },
    },
  });
  progress.begin("reading the images");
  const session = await openSession(evaluation, progress.hooks);
  try {
    const cache = benchmarkFiles(out).measured;
    const frozen = { variants: chooseVariants(evaluation), labelsPerClass: counts, draws, seed, cache };
    const headline = headlineCount(counts);
    const scratch = scratchOf(session, config);
    const representations = session.representations.map((one) => withScratch(one, scratch));
    const few = { variants: wholeVariants(config), draws: Math.min(config.scratchDraws, draws), seed, cache };
    const work = [
      ...representations.map((one) => ({ one, plan: frozen })),
      ...scratch.map((one) => ({ one, plan: { ...few, labelsPerClass: counts } })),
      ...(scratch.length
        ? representations
            .filter(({ kind }) => kind === "pre-trained")
            .map((one) => ({ one, plan: { ...few, labelsPerClass: [...new Set<LabelCount>([headline, "all"])] } }))
        : []),
    ];
    progress.expect(work.length);
    const measured: Measured[] = [];
    for (const { one, plan } of work) {
      progress.begin(`measuring ${one.label}`);
      const result = await measureRepresentation(one, session, plan, progress.hooks);
      measured.push(...result.measured);
      session.notes.push(...result.notes);
    }
    progress.begin("writing the report");
    const { classes, seen, notes } = session;
    const all = [...representations, ...scratch];
    const differences = compare(measured, all, { seed, classes: classes.length, seen });
    const tasks = taskResults({
      trainings,
      measured,
      differences,
      representations: all,
      probe,
      headline,
      counts,
      allLabels: labelled / classes.length,
    });
    const best = tasks[0] as TaskResult;
    const file = benchmarkFiles(out).suspects;
    const { health, suspects } = await dataHealth({ session, measured, best, headline, seed, file });
    const result: Benchmark = {
      ...{ images, options: config, classes, labelled, tested, headline, tasks },
      ...{ rows: measured.map(({ row }) => row), differences, notes: [...failures, ...notes], health },
    };
    writeJson(benchmarkFiles(out).report, result);
    const pictures = await gallery({ session, measured, best, headline });
    return { ...result, folder: out, trainings, gallery: { ...pictures, suspects } };
  } finally {
    await session.close();
  }
}

const KNN = { k: 20, temperature: 0.07 };

const wholeVariants = ({ scratchSteps: steps }: BenchmarkConfig): Variant[] =>
  chooseVariants({
    protocol: [WHOLE],
    protocolOptions: { [WHOLE]: { steps, mostSteps: Math.max(steps, MOST_STEPS) } },
  });

/** The protocol that trains whole networks: from scratch, or further. */
const WHOLE = "finetune";

/** However many labels there are, training from scratch takes no more steps than this. */
const MOST_STEPS = 2000;

/** Id of an untrained network when it is trained on the labels alone. */
export const scratchId = (untrained: string): string => `scratch ${untrained}`;

/** The untrained networks, to be trained on the labels alone. */
function scratchOf({ representations }: Session, { scratchDraws }: BenchmarkConfig): Representation[] {
  if (!scratchDraws) return [];
  const untrained = representations.filter(({ kind }) => kind === "untrained");
  return untrained.map((one) => ({
    ...one,
    id: scratchId(one.id),
    label: untrained.length > 1 ? `${one.beginningOf}, from scratch` : "from scratch",
    kind: "from-scratch",
  }));
}

/** Compares a trained encoder with the same network from scratch too, where both are fine-tuned. */
function withScratch(one: Representation, scratch: readonly Representation[]): Representation {
  const own = scratch.filter(({ id }) => one.baselines.some((baseline) => id === scratchId(baseline)));
  return own.length ? { ...one, baselines: [...one.baselines, ...own.map(({ id }) => id)] } : one;
}

/** @throws UsageError for a protocol that is unknown, or that verdicts cannot be about */
function refuseProbe(name: string): void {
  const variants = chooseVariants({ protocol: [name], protocolOptions: {} });
  const [{ protocol }] = variants as [Variant];
  if (variants.length === 1 && variants[0]?.name === name && protocol.needs === "features") return;
  throw new UsageError(
    `--probe ${name}: expected a protocol with one result on frozen features, such as linear or svm.`,
  );
}

/** The labels that there are: checked before anything is trained. */
async function countLabels(config: BenchmarkConfig, hooks: Hooks): Promise<Omit<Found, "failures">> {
  const collection = await openGiven(config, hooks);
  const reading = { onRead: counting(hooks, "read"), signal: hooks.signal };
  const { train, test } = await labelledParts(collection, config, reading);
  for (const set of [train, test]) refuseSeveral(set, "benchmark");
  const labels = Int32Array.from({ length: train.length }, (_, i) => train.label(i));
  const sizes = byClass(labels).map(({ length }) => length);
  return { counts: inOrder(config.labelsPerClass ?? labelCounts(sizes)), labelled: train.length, tested: test.length };
}

/** "45m", "1.5h", "90" (minutes) to minutes. @throws UsageError for anything else */
export function minutesOf(budget: string): number {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*(s|m|min|h)?\s*$/.exec(budget) ?? [];
  const minutes = Number(number) * ({ s: 1 / 60, h: 60 }[unit ?? ""] ?? 1);
  if (number !== undefined && minutes > 0) return minutes;
  throw new UsageError(`--budget: expected a time such as 30m or 2h; got "${budget}".`);
}
