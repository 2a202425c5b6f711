/** `pretrain`: a folder of images in, a trained encoder out. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { withCleanup } from "../cleanup.ts";
import { plural } from "../data/names.ts";
import { type ImagesToLearnFrom, imagesToLearnFrom } from "../data/splits.ts";
import { InterruptedError, TakenOverError, UsageError } from "../errors.ts";
import { readJson, replaceFile, writeJson } from "../files.ts";
import { parseOptions } from "../options.ts";
import { saveState } from "../run/checkpoint.ts";
import { encoderMetadata } from "../run/description.ts";
import { type Environment, environment } from "../run/environment.ts";
import { counting, type Hooks, type Position, type StepRecord } from "../run/events.ts";
import {
  checkRunFolder,
  claimRunFolder,
  defaultRunFolder,
  holdRunFolder,
  initialEncoder,
  isDone,
  type RunStatus,
  resumedOptions,
  runFiles,
  saveEncoder,
} from "../run/folder.ts";
import { runOf } from "../run/foreign-weights.ts";
import { openGiven } from "../run/images.ts";
import { keepEncoders } from "../run/kept.ts";
import { identityOf, readLearned, withEarlier, writeLearned } from "../run/learned.ts";
import { openLog, type RunLog } from "../run/log.ts";
import { type PretrainOptions, pretrainOptions, type TrainingConfig } from "../run/options.ts";
import { resumeFrom, savePosition } from "../run/position.ts";
import { refuseContradictions, refuseMinutes, resolveConfig, resolveSaved } from "../run/resolve.ts";
import { duration } from "../setup/terminal.ts";
import { taskEntry } from "../tasks/index.ts";
import { type Compute, chooseCompute } from "../torch/compute.ts";
import { deterministic as setDeterministic } from "../torch/device.ts";
import { fixedWays } from "../torch/nn/convolution.ts";
import { imagesUsed, learnedImages } from "./batches.ts";
import { fastestConvolutions } from "./convolutions.ts";
import { budgetOf, progressAt, type TrainingRun, train } from "./loop.ts";
import { decodeImages, firstEncoder, learnOptions, prepareTraining, refuseIdleCrops } from "./prepare.ts";
import { sampleSheet } from "./samples.ts";

export interface PretrainResult {
  /** The run folder. */
  folder: string;
  steps: number;
  images: number;
  seconds: number;
  /** Record of the last step; undefined if all steps were done before, and only what follows them was missing. */
  last: StepRecord | undefined;
  /** What the encoder is not good for, if anything. */
  caveat: string | undefined;
}

/**
 * Pre-trains an encoder on images without labels, into a run folder.
 * @throws UsageError for unusable options, images, tasks or models; SelfsightError if training fails;
 *   InterruptedError after saving, if the signal aborts
 */
export function pretrain(options: PretrainOptions, hooks: Hooks = {}): Promise<PretrainResult> {
  return withCleanup(async (cleanup) => {
    const session = await openSession(resolveOptions(options), options, hooks, cleanup);
    const { folder, run, notes, log } = session;
    const { task, compute, images, start, config } = run;
    const { metric, guess } = task;
    hooks.onEvent?.({ type: "start", folder, images: imagesUsed(images, task), notes, metric, guess, compute });
    const last = isOver(run) ? undefined : await trainAndSave(session, hooks);
    const { step, seconds } = last ?? start;
    const caveat = taskEntry(config.task).caveat?.(config.taskOptions);
    try {
      saveEncoder(folder, task.output ?? run.encoder, config);
      const samples = await sampleSheet(run);
      replaceFile(join(runFiles(folder).samples, "last.png"), samples);
      log.image(step, "samples", samples);
      session.status("done", last);
    } catch (error) {
      recordFailure(session, error, last);
      throw error;
    }
    return { folder, steps: step, images: step * config.batchSize, seconds, last, caveat };
  });
}

/** Says in the run folder how the run ended, unless it belongs to another process now. */
function recordFailure({ status, log }: Session, error: unknown, last: StepRecord | undefined): void {
  try {
    if (error instanceof TakenOverError) log.abandon();
    else status(error instanceof InterruptedError ? "interrupted" : "failed", last);
  } catch {
    // the error itself (for example a full disk) matters more than failing to record it
  }
}

/** A run about to start or resume. */
interface Session {
  folder: string;
  run: TrainingRun;
  notes: readonly string[];
  log: RunLog;
  save(position: Position): void;
  status(state: RunStatus["state"], last?: StepRecord): void;
}

/** Opens and checks everything before it writes to the run folder, then claims the folder. `cleanup` closes what was opened. */
async function openSession(
  config: TrainingConfig,
  given: PretrainOptions,
  hooks: Hooks,
  cleanup: (() => unknown)[],
): Promise<Session> {
  cleanup.push(await holdRunFolder(config.out, config.resume));
  const compute = await chooseCompute(config);
  const encoder = firstEncoder(config);
  cleanup.push(() => encoder.dispose());
  const collection = await openGiven(config, hooks);
  const chosen = await imagesToLearnFrom(collection, learnOptions(config), {
    onRead: counting(hooks, "read"),
    signal: hooks.signal,
  });
  const images = await decodeImages(chosen.set, config, hooks);
  cleanup.push(() => images.store.close());
  const prepared = await prepareTraining({ config, compute, encoder, images }, cleanup);
  if (!config.resume) refuseIdleCrops(given, prepared.run.task);
  const { out: folder } = config;
  const files = runFiles(folder);
  const learned = learnedImages(chosen.set, images, imagesUsed(images, prepared.run.task));
  const saved = { modules: prepared.modules, optimizer: prepared.run.optimizer, images: identityOf(learned) };
  const start: Position = config.resume ? resumeFrom(files.checkpoint, saved) : { step: 0, seconds: 0 };
  const run: TrainingRun = { ...prepared.run, start };
  if (isOver(run) && isDone(folder)) {
    throw new UsageError(`${folder} is finished already. More --epochs or --minutes would go on with it.`);
  }
  const earlier = config.init === undefined ? undefined : readLearned(config.resume ? folder : runOf(config.init));
  claimRunFolder(folder, config);
  rmSync(files.encoder, { force: true }); // of a run that trains on: until it ends, that would be measured as this one
  writeLearned(folder, withEarlier(learned, earlier));
  if (config.init !== undefined && !config.resume) keepBeginning(config);
  const { skipped } = images.store;
  if (skipped.length) writeJson(files.skipped, skipped);
  const moved = config.resume ? elsewhere(files.environment, compute) : [];
  writeJson(files.environment, environment(compute));
  const { metric, guess, lossUnit } = run.task;
  const caveat = taskEntry(config.task).caveat?.(config.taskOptions);
  const log = openLog(folder, { resumeAtStep: start.step });
  cleanup.push(() => log.close());
  const begun = config.init === undefined ? [] : [`The encoder begins with the weights of ${config.init}.`];
  for (const line of [...(config.resume ? [] : begun), ...moved]) log.line(line);
  return {
    folder,
    run,
    notes: [
      ...(collection.notes ?? []),
      ...leftOut(chosen, skipped.length),
      ...begun,
      ...moved,
      ...(caveat ? [caveat] : []),
      ...(isQuick(config) ? [QUICK] : []),
    ],
    log,
    save: (position) => savePosition(files.checkpoint, saved, position),
    status: (state, last) =>
      writeJson(files.status, { state, metric, guess, lossUnit, ...(last ?? start) } satisfies RunStatus),
  };
}

/** Keeps the weights that the run begins with, as they were given: a task may have changed its encoder's already. */
function keepBeginning(config: TrainingConfig): void {
  const encoder = initialEncoder(config, config.out);
  try {
    saveState(runFiles(config.out).initial, encoder.state(), encoderMetadata(config));
  } finally {
    encoder.dispose();
  }
}

/** A sentence if a resumed run computes on another device or in another precision than until now. */
function elsewhere(file: string, { device, precision }: Compute): string[] {
  const before = { device, precision, ...readJson<Partial<Environment>>(file, {}) };
  if (before.precision === precision && before.device === device) return [];
  return [
    `The run goes on in ${precision} on ${device}; until now it computed in ${before.precision} on ${before.device}.`,
  ];
}

const QUICK =
  "Settings of the preset quick, for runs of a few minutes. --preset paper trains in the form of the paper.";

/** Whether the preset `quick` changes anything. */
const isQuick = ({ preset, firstLayer, task }: TrainingConfig) =>
  preset === "quick" && (firstLayer !== "trained" || taskEntry(task).quick?.options !== undefined);

/** What the run does not learn from: one sentence per reason. */
function leftOut({ parts, heldBack, unlabelled, unused, notes }: ImagesToLearnFrom, skipped: number): string[] {
  const others = unused.join("+");
  return [
    skipped && `${plural(skipped, "image")} cannot be read: skipped.json in the run folder lists them.`,
    heldBack &&
      `${plural(heldBack, "image")} ${heldBack === 1 ? "is" : "are"} left for evaluate to test on; --split ${parts} takes them too.`,
    ...notes,
    unlabelled && `Left out: ${plural(unlabelled, "image")} without a label. This task learns from labels.`,
    others && `Not used: ${others}. --split names the parts to learn from.`,
  ].filter((note) => typeof note === "string" && note !== "") as string[];
}

const isOver = (run: TrainingRun) => progressAt(run.start, budgetOf(run)) >= 1;

/** Trains to the end. Logs every step; saves at the start, every few minutes, at the end and when the signal aborts. */
async function trainAndSave(session: Session, { onEvent, signal }: Hooks): Promise<StepRecord> {
  const { run, log, save, status } = session;
  const { saveMinutes, keepCheckpoints, deterministic, out } = run.config;
  const before = setDeterministic(deterministic);
  const chooser = deterministic ? fixedWays : fastestConvolutions(runFiles(out).convolutions);
  let last: StepRecord | undefined;
  let savedAt = run.start.seconds;
  try {
    status("training");
    save(run.start); // a run can be resumed however early it is killed
    const keep = keepEncoders(out, {
      ...{ count: keepCheckpoints, encoder: run.task.output ?? run.encoder, start: run.start },
      metadata: encoderMetadata(run.config),
      progressAt: (at) => progressAt(at, budgetOf(run)),
    });
    for await (const record of train({ ...run, chooser })) {
      last = record;
      onEvent?.({ type: "step", record }); // before anything is written: it may say that another process goes on
      log.step(record);
      if (record.stoodStill) log.line(`stood still for ${duration(1000 * record.stoodStill)}, which does not count`);
      keep(record);
      if (record.seconds - savedAt >= saveMinutes * 60 || record.progress >= 1 || signal?.aborted) {
        save(record);
        onEvent?.({ type: "saved", at: record });
        savedAt = record.seconds;
      }
      if (signal?.aborted && record.progress < 1)
        throw new InterruptedError(`Interrupted at step ${record.step}, and saved. Go on with --resume.`);
    }
    return last as StepRecord;
  } catch (error) {
    recordFailure(session, error, last);
    throw error;
  } finally {
    setDeterministic(before);
  }
}

/** Checks the options and the run folder, and fills in defaults: when resuming, the values that the run started with. */
export function resolveOptions(options: PretrainOptions): TrainingConfig {
  const given = parseOptions(pretrainOptions, options);
  const out = given.out ?? defaultRunFolder(given);
  refuseContradictions(given);
  checkRunFolder(out, given.resume);
  const config = given.resume ? parseOptions(pretrainOptions, resumedOptions(out, options)) : given;
  refuseMinutes(config);
  return { ...(given.resume ? resolveSaved : resolveConfig)(config), out };
}
