/** `study`: a grid of trainings, each measured. Any number of processes that share the folder work on it together. */
import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { plural } from "../../data/names.ts";
import { diskError, InterruptedError, onDisk, SelfsightError, UsageError } from "../../errors.ts";
import { writeJson } from "../../files.ts";
import type { Hooks } from "../../run/events.ts";
import { nameForFolder, runFiles } from "../../run/folder.ts";
import { makeFolder } from "../../setup/folders.ts";
import type { Cell, CellResult } from "./cell.ts";
import { runCell } from "./cell-run.ts";
import { type Claim, type Claims, openClaims, PACE, type Pace } from "./claim.ts";
import { cellsOf } from "./combine.ts";
import { type Plan, planStudy } from "./dry-run.ts";
import {
  cellFiles,
  cellsInFolder,
  type Failure,
  hasGrown,
  openStudyFolder,
  readJson,
  type Study,
  studyFiles,
  VERSION,
} from "./folder.ts";
import { openStudyImages } from "./images.ts";
import type { StudyConfig, StudyOptions } from "./options.ts";
import { parseStudy } from "./parse.ts";
import { impossibleCells } from "./possible.ts";
import { type Counts, studyProgress } from "./progress.ts";
import type { Shard } from "./shard.ts";

/** How a study is run, whatever it is about. */
export interface StudyRun {
  /** Try again what has failed. */
  retry?: boolean;
  /** More than 10,000 cells are wanted. */
  yes?: boolean;
  /** Work only on every `of`-th cell, from the `part`-th on, which counts from 1. */
  shard?: Shard | undefined;
  pace?: Pace;
}

export interface StudyResult {
  folder: string;
  /** Undefined while other processes still work on it, which is only so with a shard. */
  study: Study | undefined;
  /** Cells that have failed so far. */
  failed: Failure[];
  /** Cells that cannot be trained, and were left out as `impossible` says. */
  leftOut: Failure[];
}

export interface DryRun extends Plan {
  /** Number of cells that are done already, or have failed. */
  finished: number;
  leftOut: Failure[];
}

/** More cells than this are hardly meant. */
const MANY = 10_000;

/**
 * Trains and measures every cell, or goes on with a study that was interrupted; waits for cells of other processes. Writes `study.json`.
 * A cell that fails is noted, and the others go on.
 * @throws UsageError for options that are wrong or do not fit together, cells that cannot be trained, a folder of another study, and more than
 *   10,000 cells without `yes`; InterruptedError if the signal aborts, after saving
 */
export async function study(options: StudyOptions, hooks: Hooks = {}, how: StudyRun = {}): Promise<StudyResult> {
  const progress = studyProgress(hooks);
  const { config, cells: all, leftOut, images } = await openStudy(options, hooks, how);
  await images.close();
  const claims = openClaims(how.pace);
  const named = await openStudyFolder(config, all, claims);
  const impossible = new Set(leftOut.map(({ name }) => name));
  const cells = named.filter((_, i) => !impossible.has(all[i]?.name as string));
  await workOn(config, cells, claims, how, progress);
  return { folder: config.out, ...collect(config, named, cells, leftOut), leftOut };
}

/** What it would do, and how long that takes. Trains nothing, and writes nothing. @throws as {@link study} */
export async function dryRun(options: StudyOptions, hooks: Hooks = {}, how: StudyRun = {}): Promise<DryRun> {
  const { config, cells: all, leftOut, images } = await openStudy(options, hooks, how);
  try {
    const cells = all.filter(({ name }) => !leftOut.some((one) => one.name === name));
    const open = cells.filter((cell) => isOpen(config, cell));
    return { ...(await planStudy(config, open, images, hooks)), finished: cells.length - open.length, leftOut };
  } finally {
    await images.close();
  }
}

/** All cells, and those that cannot be trained: everything is checked before the first one is. The caller closes the images. */
async function openStudy(options: StudyOptions, hooks: Hooks, { yes }: StudyRun) {
  const parsed = parseStudy(options);
  const config: StudyConfig = { ...parsed, out: parsed.out ?? join("runs", `study-${nameForFolder(parsed.images)}`) };
  const wanted = cellsOf(config);
  if (wanted.length > MANY && !yes) {
    throw new UsageError(
      `The study has ${wanted.length.toLocaleString("en-US")} cells, each a training. If that is meant, add --yes; else name fewer values.`,
    );
  }
  const cells = cellsInFolder(config, wanted);
  hooks.onEvent?.({ type: "working", what: "looking at the images" });
  const images = await openStudyImages(config, hooks);
  try {
    hooks.onEvent?.({ type: "working", what: `checking ${plural(cells.length, "cell")}` });
    const open = cells.filter((cell) => isOpen(config, cell));
    const leftOut = await impossibleCells(config, open, images, hooks.signal);
    if (leftOut.length && (config.impossible === "refuse" || leftOut.length === cells.length)) throw refusal(leftOut);
    return { config, cells, leftOut, images };
  } catch (error) {
    await images.close();
    throw error;
  }
}

function refusal(impossible: readonly Failure[]): UsageError {
  const shown = impossible.slice(0, 10).map(({ name, message }) => `  ${name}: ${message}`);
  const more = impossible.length > 10 ? `\n  and ${impossible.length - 10} more` : "";
  return new UsageError(
    `${impossible.length} ${impossible.length === 1 ? "cell" : "cells"} cannot be trained:\n${shown.join("\n")}${more}\n` +
      "Change them, name them under exclude, or leave them out with impossible: leave-out.",
  );
}

const isDone = (config: StudyConfig, name: string) => existsSync(cellFiles(config.out, name).result);
const isOpen = (config: StudyConfig, { name }: Cell) => !isDone(config, name) && !hasFailed(config, name);
const hasFailed = (config: StudyConfig, name: string) => existsSync(cellFiles(config.out, name).failed);

/** Works on cells until none is left, or those that are left are in the hands of others: these are waited for, unless it is a shard. */
async function workOn(
  config: StudyConfig,
  all: readonly Cell[],
  claims: Claims,
  { retry, shard, pace = PACE }: StudyRun,
  { tell, begin, end, hooks }: ReturnType<typeof studyProgress>,
): Promise<void> {
  const { part, of } = shard ?? { part: 1, of: 1 };
  const own = all.filter((_, i) => i % of === part - 1);
  const open = new Set(own);
  /** When those failed that are tried once more, by one process: one that failed since was tried by another. */
  const again = new Map(
    own.filter((cell) => retry && failedAt(config, cell)).map((cell) => [cell, failedAt(config, cell)]),
  );
  const isFinished = (cell: Cell) =>
    isDone(config, cell.name) || (hasFailed(config, cell.name) && again.get(cell) !== failedAt(config, cell));
  const counts = (elsewhere: readonly Cell[]): Counts => ({
    all: own.length,
    done: own.filter(({ name }) => isDone(config, name)).length,
    failed: own.filter(({ name }) => hasFailed(config, name)).length,
    running: elsewhere.filter((cell) => !isFinished(cell)).length,
  });
  let waitingSince: number | undefined;
  for (;;) {
    let worked = false;
    const elsewhere: Cell[] = [];
    for (const cell of open) {
      if (hooks.signal?.aborted) throw new InterruptedError("Interrupted. The same command goes on.");
      if (isFinished(cell)) {
        open.delete(cell);
        continue;
      }
      const { folder } = cellFiles(config.out, cell.name);
      onDisk(`${folder} cannot be made`, () => makeFolder(folder));
      const claim = onDisk(`${folder} cannot be written to`, () => claims.take(folder));
      if (!claim) {
        elsewhere.push(cell);
        continue;
      }
      let finished = isFinished(cell); // by another process, just before the claim
      try {
        if (finished) continue;
        worked = true;
        begin(counts(elsewhere), cell.name);
        if (again.delete(cell)) forgetFailure(config, cell);
        finished = await attempt(config, cell, claim, hooks);
        end();
      } finally {
        await claim.release(finished);
      }
    }
    if (!open.size) return;
    if (worked) {
      waitingSince = undefined;
      continue;
    }
    waitingSince ??= performance.now();
    if (shard && performance.now() - waitingSince > pace.stale + 2 * pace.beat) return; // the others are alive
    tell(counts(elsewhere), "waiting for other processes");
    await sleep(pace.beat, undefined, { signal: hooks.signal }).catch(() => {});
  }
}

/** When a cell failed, in milliseconds; undefined if it has not. */
const failedAt = (config: StudyConfig, { name }: Cell): number | undefined =>
  statSync(cellFiles(config.out, name).failed, { throwIfNoEntry: false })?.mtimeMs;

/** A failure is forgotten, and a training that was not finished begins anew. */
function forgetFailure(config: StudyConfig, { name }: Cell): void {
  const { failed, run } = cellFiles(config.out, name);
  onDisk(`${failed} cannot be removed`, () => {
    if (!existsSync(runFiles(run).encoder)) rmSync(run, { recursive: true, force: true });
    rmSync(failed, { force: true });
  });
}

/** Runs a cell, and writes its result or why it failed. Returns whether it is finished: not if another process took over. */
async function attempt(config: StudyConfig, cell: Cell, claim: Claim, hooks: Hooks): Promise<boolean> {
  const { result, failed } = cellFiles(config.out, cell.name);
  try {
    const found = await runCell(config, cell, hooks, claim.lost);
    if (!claim.held()) return false;
    writeJson(result, found);
  } catch (error) {
    if (!claim.held()) return false;
    if (error instanceof InterruptedError || isOfTheDisk(error)) throw error;
    const known = error instanceof SelfsightError;
    writeJson(failed, { name: cell.name, message: known ? error.message : ((error as Error).stack ?? String(error)) });
  }
  return true;
}

/** Of the disk: the next cell would fail too. */
function isOfTheDisk(error: unknown): boolean {
  const { cause } = error as Error;
  return diskError(error) !== undefined || (cause !== undefined && diskError(cause) !== undefined);
}

/**
 * Writes the study's result if every cell is finished, and no other process has let the study grow. Processes that end at once write the same.
 * @param all with those that were left out
 */
function collect(
  config: StudyConfig,
  known: readonly Cell[],
  all: readonly Cell[],
  leftOut: readonly Failure[],
): Pick<StudyResult, "study" | "failed"> {
  const done = all.filter(({ name }) => isDone(config, name));
  const failed = all
    .filter((cell) => !done.includes(cell) && hasFailed(config, cell.name))
    .map(({ name }) => readJson<Failure>(cellFiles(config.out, name).failed));
  if (done.length + failed.length < all.length || hasGrown(config, known)) return { study: undefined, failed };
  const study: Study = {
    version: VERSION,
    config,
    cells: done.map(({ name }) => readJson<CellResult>(cellFiles(config.out, name).result)),
    failed,
    leftOut: [...leftOut],
  };
  writeJson(studyFiles(config.out).study, study);
  return { study, failed };
}
