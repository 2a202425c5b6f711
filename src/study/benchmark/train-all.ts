/** The trainings of a benchmark, one after the other. Finished ones are kept, an interrupted one goes on. */
import { join } from "node:path";
import { diskError, InterruptedError, SelfsightError, UsageError } from "../../errors.ts";
import { parseOptions } from "../../options.ts";
import type { Hooks } from "../../run/events.ts";
import { clearToGoOn, isDone, runFiles } from "../../run/folder.ts";
import { secondsTrained } from "../../run/log.ts";
import { type PretrainOptions, pretrainOptions } from "../../run/options.ts";
import { resolveConfig } from "../../run/resolve.ts";
import { taskEntry, taskNames } from "../../tasks/index.ts";
import { pretrain } from "../../train/pretrain.ts";
import { benchmarkFiles } from "./folder.ts";
import type { BenchmarkConfig } from "./options.ts";

export interface Training {
  task: string;
  seed: number;
  /** Its run folder. */
  folder: string;
  options: PretrainOptions;
}

/** All trainings, task by task. @param minutes of each, unless the length is given in epochs @throws UsageError for an unknown task or model, or settings that do not fit together */
export function trainingsOf(config: BenchmarkConfig, minutes: number): Training[] {
  const { tasks, seeds, seed, images, out, epochs, model, width, imageSize, trainSplit, testSplit } = config;
  const { device, precision, threads, batchSize, labels, group, preset } = config;
  const holdBack = trainSplit !== undefined && testSplit === undefined;
  if (tasks.every((task) => taskEntry(task).usesLabels))
    throw new UsageError(
      `--tasks ${tasks.join(",")} learns from labels: it is a yardstick for tasks that do not. Name one of those too, such as ${taskNames().find((task) => !taskEntry(task).usesLabels)}.`,
    );
  const twice = tasks.find((task, i) => tasks.indexOf(task) < i);
  if (twice !== undefined)
    throw new UsageError(`--tasks names ${twice} twice. Name each once; --seeds repeats them all.`);
  return tasks.flatMap((task) =>
    Array.from({ length: seeds }, (_, i): Training => {
      const folder = join(benchmarkFiles(out).runs, i === 0 ? task : `${task}-${seed + i}`);
      const length = epochs === undefined ? { minutes } : { epochs };
      const options: PretrainOptions = {
        ...{ images, labels, group, split: trainSplit, holdBack, seed: seed + i, out: folder },
        ...{ task, preset, model, width, imageSize, device, precision, threads, batchSize, ...length },
      };
      resolveConfig(parseOptions(pretrainOptions, options));
      return { task, seed: seed + i, folder, options };
    }),
  );
}

/** Seconds that these have trained so far, all together. */
export function secondsOfAll(trainings: readonly Training[]): number {
  return trainings.reduce((sum, { folder }) => sum + secondsTrained(runFiles(folder).metrics), 0);
}

/**
 * Trains what is not trained yet.
 * @param tell called before each training
 * @returns the finished ones, and a sentence for each that failed
 * @throws InterruptedError after saving, if the signal aborts
 */
export async function trainAll(
  trainings: readonly Training[],
  hooks: Hooks,
  tell: (training: Training) => void,
): Promise<{ done: Training[]; failures: string[] }> {
  const done: Training[] = [];
  const failures: string[] = [];
  const several = trainings.some(({ seed }) => seed !== trainings[0]?.seed);
  for (const training of trainings) {
    tell(training);
    const { folder, options, task, seed } = training;
    try {
      if (!isDone(folder)) await pretrain({ ...options, resume: clearToGoOn(folder) }, hooks);
      done.push(training);
    } catch (error) {
      if (!(error instanceof SelfsightError) || error instanceof InterruptedError) throw error;
      if (error.cause !== undefined && diskError(error.cause)) throw error; // the next one would fail too
      failures.push(`${task}${several ? `, seed ${seed},` : ""} could not be trained: ${error.message}`);
    }
  }
  return { done, failures };
}
