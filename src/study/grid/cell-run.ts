/** One cell of a study: trains its encoder, and measures it beside the same network untrained. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { firstLabels } from "../../data/images.ts";
import { SelfsightError, TakenOverError } from "../../errors.ts";
import { compare, type Measured } from "../../evaluate/compare.ts";
import { chooseVariants } from "../../evaluate/evaluate.ts";
import { labelAmounts } from "../../evaluate/label-amounts.ts";
import { measureRepresentation } from "../../evaluate/measurements.ts";
import { type EvaluateOptions, evaluateOptions } from "../../evaluate/options.ts";
import type { Representation } from "../../evaluate/representations.ts";
import type { Difference } from "../../evaluate/result.ts";
import { openSession } from "../../evaluate/session.ts";
import { subtract } from "../../evaluate/statistics.ts";
import { estimateMean, type Rows } from "../../evaluate/variance.ts";
import { parameterCount } from "../../models/model.ts";
import { parseOptions } from "../../options.ts";
import type { Hooks } from "../../run/events.ts";
import { clearToGoOn, isDone, loadEncoder, lockOf, type RunStatus, runFiles } from "../../run/folder.ts";
import { readMetrics, secondsTrained } from "../../run/log.ts";
import type { PretrainOptions } from "../../run/options.ts";
import { isSign } from "../../setup/lock.ts";
import { pretrain } from "../../train/pretrain.ts";
import type { Cell, CellResult } from "./cell.ts";
import type { Claim } from "./claim.ts";
import { cellFiles, refuseOtherTests, requireJson, studyFiles } from "./folder.ts";
import type { StudyConfig } from "./options.ts";

/** What a cell is trained with. */
export function trainingOf(config: StudyConfig, { name, factors }: Cell): PretrainOptions {
  const { images, labels, group, split, preset, crop, minArea, flip, epochs, minutes, batchSize, optimizer } = config;
  const { learningRate, weightDecay, firstLayer, schedule, warmup, deterministic, saveMinutes } = config;
  const { device, precision, threads } = config;
  const { options, trainImages, ...own } = factors;
  return {
    ...{ images, labels, group, split, preset, crop, minArea, flip, epochs, minutes, batchSize, optimizer },
    ...{ learningRate, weightDecay, firstLayer, schedule, warmup, deterministic, saveMinutes },
    ...{ device, precision, threads, out: cellFiles(config.out, name).run },
    ...{ ...own, stem: own.stem as PretrainOptions["stem"], taskOptions: { ...options } },
    trainImages: trainImages === "all" ? undefined : trainImages,
  };
}

/** What all cells are measured with. Draws of labels are the same for all, so that cells can be compared in pairs. */
export function evaluationOf(config: StudyConfig, runs: string[]): EvaluateOptions {
  const { images, labels, group, protocol, protocolOptions, labelsPerClass, draws, trainSplit, testSplit } = config;
  const { device, precision, threads } = config;
  return {
    ...{ runs, images, labels, group, protocol, protocolOptions, labelsPerClass, draws, trainSplit, testSplit },
    ...{ device, precision, threads },
  };
}

/**
 * Trains and measures what is not trained or measured yet. The caller holds the cell's claim.
 * @param hooks their signal aborts: what was trained is saved
 * @param claim once it is lost, nothing is saved any more: another process goes on with the cell
 * @throws InterruptedError if one of them aborts; OtherTests if other cells were measured on other images; errors of `pretrain` and `evaluate`
 */
export async function runCell(config: StudyConfig, cell: Cell, hooks: Hooks, claim: Claim): Promise<CellResult> {
  await trainCell(config, cell, hooks, claim);
  const { onEvent, signal } = hooks;
  const { lost } = claim;
  return measureCell(config, cell, { onEvent, signal: signal ? AbortSignal.any([signal, lost]) : lost });
}

async function trainCell(config: StudyConfig, cell: Cell, hooks: Hooks, claim: Claim): Promise<void> {
  const { run } = cellFiles(config.out, cell.name);
  if (isDone(run)) return;
  const resume = clearToGoOn(run);
  if (resume) removeSigns(run);
  const onEvent: Hooks["onEvent"] = (event) => {
    if (claim.isLost()) throw new TakenOverError(`${run} was taken over by another process.`);
    hooks.onEvent?.(event);
  };
  const options = trainingOf(config, cell);
  const { images, device, threads, saveMinutes, out } = options;
  const own = resume ? { images, device, threads, saveMinutes, out, resume } : options; // the run's folder has the others, resolved
  await pretrain(own, { ...hooks, onEvent });
}

/** The locks of processes that lost the claim: they may be asleep, or on another machine, where nobody can say whether they still run. */
function removeSigns(run: string): void {
  for (const name of readdirSync(run)) if (isSign(lockOf(run), name)) rmSync(join(run, name), { force: true });
}

async function measureCell(config: StudyConfig, cell: Cell, hooks: Hooks): Promise<CellResult> {
  const started = performance.now();
  const { run } = cellFiles(config.out, cell.name);
  const evaluation = parseOptions(evaluateOptions, evaluationOf(config, [run]));
  const { draws, seed } = evaluation;
  const cache = studyFiles(config.out).measured;
  const session = await openSession(evaluation, hooks);
  try {
    const { classes, classCounts, seen, tested, train } = session;
    refuseOtherTests(config, tested);
    const { counts: labelsPerClass, percents } = labelAmounts(evaluation.labelsPerClass, firstLabels(train));
    const plan = { variants: chooseVariants(evaluation), labelsPerClass, percents, draws, seed, cache };
    const own = named(session.representations, cell.name);
    const measured: Measured[] = [];
    const said: string[] = [];
    for (const one of own) {
      const found = await measureRepresentation(one, session, plan, hooks);
      measured.push(...found.measured);
      said.push(...found.notes);
    }
    const [difference] = compare(measured, own, { classes: classes.length, classCounts, seen });
    if (!difference)
      throw new SelfsightError(`${cell.name}: ${evaluation.protocol.join(", ")} gave no result to compare.`);
    const { encoder } = loadEncoder(run);
    const parameters = parameterCount(encoder);
    encoder.dispose();
    const trained = measuredAt(measured, difference, difference.id, difference.layer);
    const untrained = measuredAt(measured, difference, difference.baselineId, difference.baselineLayer);
    return {
      ...cell,
      pretext: pretextOf(run),
      rows: measured.map(({ row }) => row),
      difference,
      heldOut: Number.isNaN(trained.heldOut) ? undefined : trained.heldOut,
      perImage: { trained: perImage(trained), untrained: perImage(untrained) },
      drawVariance: {
        trained: drawVariance(trained.values),
        untrained: drawVariance(untrained.values),
        gain: drawVariance(subtract(trained.values, untrained.values)),
      },
      ...{ tested, parameters, notes: [...session.notes, ...said] },
      seconds: { training: secondsTrained(runFiles(run).metrics), measuring: (performance.now() - started) / 1000 },
    };
  } finally {
    await session.close();
  }
}

/** The encoder and the same network as it began, called by the cell's name. */
function named(representations: readonly Representation[], name: string): Representation[] {
  return representations.flatMap((one) => {
    if (one.kind === "pre-trained") return { ...one, label: name };
    return one.kind === "untrained" ? { ...one, label: `${name}, untrained` } : [];
  });
}

function measuredAt(measured: readonly Measured[], difference: Difference, id: string, layer: string): Measured {
  const { protocol, labelsPerClass } = difference;
  const found = measured.find(
    ({ row }) =>
      row.id === id && row.layer === layer && row.protocol === protocol && row.labelsPerClass === labelsPerClass,
  );
  return found as Measured; // the difference was computed from it
}

/** Numbers whose mean is the metric, averaged over draws. */
function perImage({ values }: Measured): number[] {
  return Array.from(
    values[0] ?? [],
    (_, i) => values.reduce((sum, row) => sum + (row[i] as number), 0) / values.length,
  );
}

function drawVariance(values: Rows): number {
  const { variance, shares } = estimateMean(values);
  return variance * (1 - shares.images);
}

/** Part of the training, and most of its steps, over which the pretext task's metric is averaged: single batches vary. */
const [LAST_PART, MOST_STEPS] = [0.1, 100];

function pretextOf(run: string): CellResult["pretext"] {
  const { status, metrics } = runFiles(run);
  const { metric, guess } = requireJson<RunStatus>(status);
  const records = readMetrics(metrics);
  const last = records.slice(-Math.max(1, Math.min(MOST_STEPS, Math.round(records.length * LAST_PART))));
  const value = last.reduce((sum, record) => sum + (record[metric.name] ?? Number.NaN), 0) / last.length;
  return { metric, value, guess: guess.value };
}
