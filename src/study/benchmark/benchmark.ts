/** `benchmark`: which pretext task suits these images, did it help, and how many labels did it save? */

import { firstLabels, hash, type ImageCollection, refuseSeveral, spreadOver } from "../../data/images.ts";
import { openPixels } from "../../data/pixels.ts";
import { imagesToLearnFrom, labelledParts } from "../../data/splits.ts";
import { InterruptedError, SelfsightError, UsageError } from "../../errors.ts";
import { compare } from "../../evaluate/compare.ts";
import { byClass, type LabelCount } from "../../evaluate/draws.ts";
import { chooseVariants } from "../../evaluate/evaluate.ts";
import { labelAmounts, smallClasses } from "../../evaluate/label-amounts.ts";
import type { Variant } from "../../evaluate/measure.ts";
import { evaluateOptions } from "../../evaluate/options.ts";
import type { Difference, ResultRow } from "../../evaluate/result.ts";
import { checkWeights, openSession, refuseSingles } from "../../evaluate/session.ts";
import { writeJson } from "../../files.ts";
import { parseOptions } from "../../options.ts";
import { counting, type Hooks } from "../../run/events.ts";
import { openGiven } from "../../run/images.ts";
import { taskEntry } from "../../tasks/index.ts";
import { measuringTime, minutesEach, minutesOf, type TimeLeft, timeLeft } from "./budget.ts";
import { benchmarkFiles, claimFolder, defaultFolder } from "./folder.ts";
import { type Gallery, gallery } from "./gallery.ts";
import { type DataHealth, dataHealth } from "./health.ts";
import { headlineCount, inOrder, labelCounts } from "./label-counts.ts";
import { type Line, linesOf } from "./lines.ts";
import { measureAll, wholeVariants } from "./measure-all.ts";
import { type BenchmarkConfig, type BenchmarkOptions, BUDGET, benchmarkOptions, refuseIdle } from "./options.ts";
import { decisionsIn } from "./plan.ts";
import { overallProgress } from "./progress.ts";
import { type TaskResult, taskResults } from "./task-results.ts";
import { secondsOfAll, type Training, trainAll, trainingsOf } from "./train-all.ts";
import { staleYardsticks } from "./yardsticks.ts";

export interface Benchmark {
  images: string;
  options: BenchmarkConfig;
  classes: readonly string[];
  /** Number of training images with a label, and of test images. */
  labelled: number;
  tested: number;
  /** Labels per class that the verdicts are about. */
  headline: LabelCount;
  /** The best first, by accuracy on held-out training labels; in the order of the options where none could be held out. */
  tasks: TaskResult[];
  rows: ResultRow[];
  differences: Difference[];
  /** For charts: each task over all its trainings, and what it is compared with. */
  lines: Line[];
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
  refuseIdle(given);
  const { out = defaultFolder(given.images), budget: time = BUDGET } = given;
  const config: BenchmarkConfig = { ...given, out, budget: time };
  const budget = minutesOf(config.budget);
  const measuring = measuringTime(benchmarkFiles(config.out).spent);
  const spent = secondsOfAll(trainingsOf(config, budget)) + measuring.before; // by earlier starts of this benchmark
  let still = 0; // seconds in which a training stood still: they are no part of the budget
  const left =
    config.epochs === undefined ? timeLeft(budget, spent, () => performance.now() - 1000 * still) : undefined;
  refuseProtocols(config);
  checkWeights(config, config);
  const found = await lookAt(config, hooks);
  const release = await claimFolder(config, found.collection);
  try {
    const trainings = trainingsOf(config, left ? await minutesOfEach(config, found, left) : budget);
    const onEvent: Hooks["onEvent"] = (event) => {
      if (event.type === "step") still += event.record.stoodStill ?? 0;
      hooks.onEvent?.(event);
    };
    const progress = overallProgress(trainings.length, { ...hooks, onEvent });
    const { done, failures } = await trainAll(trainings, progress.hooks, ({ task, seed }) =>
      progress.begin(config.seeds > 1 ? `training ${task}, seed ${seed}` : `training ${task}`),
    );
    if (done.every(({ task }) => taskEntry(task).usesLabels))
      throw new SelfsightError(
        `There is nothing to compare: no task without labels was trained. ${failures.join(" ")}`,
      );
    return await report(config, done, { ...found, failures, left }, progress);
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    throw new InterruptedError(
      `Interrupted. What is done is kept in ${config.out}: the same command goes on with it.`,
      {
        cause: error,
      },
    );
  } finally {
    release();
  }
}

/** What the images are, found out before anything is trained. */
interface Found {
  /** Numbers of labels a class, in order. */
  counts: readonly LabelCount[];
  /** The percentage of all labels that a number is, where it was given as a share. */
  percents: ReadonlyMap<LabelCount, number>;
  /** Which shares came to the same number as others. */
  notes: readonly string[];
  /** Labelled training images of each class. */
  sizes: readonly number[];
  /** Identifies the images. */
  collection: string;
  /** About how many seconds it takes to read and decode them. */
  preparing: number;
}

async function report(
  config: BenchmarkConfig,
  trainings: readonly Training[],
  { failures, left, ...found }: Found & { failures: readonly string[]; left: TimeLeft | undefined },
  progress: ReturnType<typeof overallProgress>,
): Promise<BenchmarkResult> {
  const { probe, images, labels, group, trainSplit, testSplit, seed, draws, device, precision, threads, out } = config;
  const { counts, percents, sizes } = found;
  const evaluation = parseOptions(evaluateOptions, {
    ...{ runs: trainings.map(({ folder }) => folder), images, labels, group, trainSplit, testSplit, seed, draws },
    ...{ device, precision, threads, weights: config.weights, weightsSize: config.weightsSize },
    seenLabels: "leave-out", // of copies of test images that a yardstick has learned
  });
  progress.begin("reading the images");
  const session = await openSession(evaluation, progress.hooks);
  try {
    const variants = frozenVariants(config);
    const all = await measureAll({ config, variants, counts, percents, sizes, left }, session, progress);
    const { measured, representations } = all;
    progress.begin("writing the report");
    const { classes, classCounts, seen } = session;
    const [labelled, tested] = [session.train.length, session.test.length];
    const headline = headlineCount(counts);
    const differences = compare(measured, representations, { classes: classes.length, classCounts, seen });
    const tasks = taskResults({
      ...{ trainings, measured, differences, representations, probe, headline, counts, sizes },
    });
    const best = tasks[0] as TaskResult;
    const file = benchmarkFiles(out).suspects;
    const { signal } = progress.hooks;
    const { health, suspects } = await dataHealth({ session, measured, best, headline, seed, file, signal });
    const result: Benchmark = {
      ...{ images, options: config, classes, labelled, tested, headline, tasks },
      ...{ rows: measured.map(({ row }) => row), differences, health },
      notes: [
        ...failures,
        ...found.notes,
        ...smallClasses([...new Set(measured.map(({ row }) => row.labelsPerClass))], { percents, sizes }),
        ...staleYardsticks(trainings, session.train),
        ...all.notes,
        ...session.notes,
      ],
      lines: linesOf({ tasks, measured, representations, headline }),
    };
    writeJson(benchmarkFiles(out).report, result);
    const pictures = await gallery({ session, measured, best, headline, signal });
    return { ...result, folder: out, trainings, gallery: { ...pictures, suspects } };
  } finally {
    await session.close();
  }
}

/** The protocols on frozen features: the first variant of each. */
function frozenVariants({ protocol, probe }: BenchmarkConfig): Variant[] {
  return [...new Set([...protocol, probe])].flatMap((name) =>
    chooseVariants({ protocol: [name], protocolOptions: {} }).slice(0, 1),
  );
}

/** @throws UsageError for a protocol that is unknown, and for one that is no answer to what it is asked */
function refuseProtocols(config: BenchmarkConfig): void {
  const { probe, scratchProtocol } = config;
  const variants = chooseVariants({ protocol: [probe], protocolOptions: {} });
  const [{ protocol, name }] = variants as [Variant];
  if (variants.length > 1 || name !== probe || protocol.needs !== "features")
    throw new UsageError(
      `--probe ${probe}: expected a protocol with one result on frozen features, such as linear or svm.`,
    );
  const other = frozenVariants(config).find((one) => one.protocol.needs !== "features");
  if (other)
    throw new UsageError(`--protocol ${other.name}: expected protocols on frozen features, such as knn or svm.`);
  if (!wholeVariants(config)[0]?.protocol.passes)
    throw new UsageError(
      `--scratch-protocol ${scratchProtocol}: expected a protocol that trains the whole network, such as finetune.`,
    );
}

/** Images that are decoded to see how long it takes. */
const SAMPLE = 64;

/** The labels that there are, and how long the images take to prepare: before anything is trained. */
async function lookAt(config: BenchmarkConfig, hooks: Hooks): Promise<Found> {
  const reading = { onRead: counting(hooks, "read"), signal: hooks.signal };
  const collection = await openGiven(config, hooks);
  const began = performance.now();
  const { train, test } = await labelledParts(collection, config, reading);
  for (const set of [train, test]) refuseSeveral(set, "benchmark");
  refuseSingles(train);
  const { set } = await imagesToLearnFrom(collection, { split: config.trainSplit, holdBack: false });
  const read = performance.now();
  const sample = await openPixels(spreadOver(set, SAMPLE), {
    ...{ size: config.imageSize, signal: hooks.signal },
    tolerated: 1, // by chance more of the sample than of the whole may be unreadable: training counts them all
  });
  await sample.close();
  const decoding = ((performance.now() - read) * set.length) / Math.max(1, sample.length);
  const labels = firstLabels(train);
  const sizes = byClass(labels).map(({ length }) => length);
  const { counts, percents, notes } = labelAmounts(config.labelsPerClass ?? labelCounts(sizes), labels);
  return {
    counts: inOrder(counts),
    ...{ percents, notes, sizes, collection: identityOf(collection) },
    preparing: (read - began + decoding) / 1000,
  };
}

/** The number of images, and a hash that changes with their names, sizes or dates. */
function identityOf({ splits }: ImageCollection): string {
  const sets = Object.entries(splits);
  const images = sets.reduce((sum, [, { length }]) => sum + length, 0);
  return `${images} ${hash(sets.flatMap(([name, { fingerprint }]) => [name, fingerprint]))}`;
}

/** Minutes of each training: decided at the first start. */
function minutesOfEach(config: BenchmarkConfig, { preparing }: Found, left: TimeLeft): Promise<number> {
  const { out, budget, tasks, seeds } = config;
  const time = { left: left() / 60, trainings: tasks.length * seeds, preparing: preparing / 60 };
  return decisionsIn(benchmarkFiles(out).plan).once("minutes", () => minutesEach(minutesOf(budget), time));
}
