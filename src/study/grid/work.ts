/** Works on a study's cells, while other processes do too. */
import { existsSync, rmSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { diskError, InterruptedError, memoryError, onDisk, SelfsightError } from "../../errors.ts";
import { writeJson } from "../../files.ts";
import type { Hooks } from "../../run/events.ts";
import { runFiles } from "../../run/folder.ts";
import { makeFolder } from "../../setup/folders.ts";
import type { Cell } from "./cell.ts";
import { runCell } from "./cell-run.ts";
import { type Claim, type Claims, PACE, type Pace } from "./claim.ts";
import { cellFiles, hasFailed, isDone, OtherTests } from "./folder.ts";
import type { StudyConfig } from "./options.ts";
import type { Counts, studyProgress } from "./progress.ts";
import { type Shard, shardPart } from "./shard.ts";

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

/** What a process works on. */
interface Work {
  config: StudyConfig;
  claims: Claims;
  /** Its cells that are not finished, as far as it knows. */
  open: Set<Cell>;
  /** When those failed that are tried once more, by one process: one that failed since was tried by another. */
  again: Map<Cell, number | undefined>;
  progress: ReturnType<typeof studyProgress>;
  /** @param elsewhere cells of other processes */
  counts(elsewhere: readonly Cell[]): Counts;
}

/**
 * Works on cells until none is left, or those that are left are in the hands of others: these are waited for, unless it is a shard.
 * @throws InterruptedError if the signal aborts, after saving; SelfsightError if the disk fails
 */
export async function workOn(
  config: StudyConfig,
  all: readonly Cell[],
  claims: Claims,
  { retry, shard, pace = PACE }: StudyRun,
  progress: ReturnType<typeof studyProgress>,
): Promise<void> {
  const own = shardPart(all, shard);
  const failed = own.filter((cell) => retry && hasFailed(config, cell));
  const work: Work = {
    ...{ config, claims, progress, open: new Set(own) },
    again: new Map(failed.map((cell) => [cell, failedAt(config, cell)])),
    counts: (elsewhere) => ({
      all: own.length,
      done: own.filter((cell) => isDone(config, cell)).length,
      failed: own.filter((cell) => hasFailed(config, cell)).length,
      running: elsewhere.filter((cell) => !isFinished(work, cell)).length,
    }),
  };
  let waitingSince: number | undefined;
  for (;;) {
    const { worked, elsewhere } = await workOnOne(work);
    if (!work.open.size) return;
    if (worked) {
      waitingSince = undefined;
      continue;
    }
    waitingSince ??= performance.now();
    if (shard && performance.now() - waitingSince > pace.stale + 2 * pace.beat) return; // the others are alive
    progress.tell(work.counts(elsewhere), "waiting for other processes");
    await sleep(pace.beat, undefined, { signal: progress.hooks.signal }).catch(() => {});
  }
}

/**
 * Works on the first open cell that no other process holds. Starting anew after each cell finds those early whose process died.
 * Returns those before it that others hold, and whether there was one to work on.
 */
async function workOnOne(work: Work): Promise<{ worked: boolean; elsewhere: Cell[] }> {
  const { config, claims, open, again, progress } = work;
  const elsewhere: Cell[] = [];
  for (const cell of open) {
    if (progress.hooks.signal?.aborted) throw interrupted();
    if (isFinished(work, cell)) {
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
    let finished = isFinished(work, cell); // by another process, just before the claim
    try {
      if (finished) continue;
      progress.begin(work.counts(elsewhere), cell.name);
      if (again.delete(cell)) forgetFailure(config, cell);
      finished = await attempt(config, cell, claim, progress.hooks);
      progress.end();
      return { worked: true, elsewhere };
    } finally {
      await claim.release(finished);
    }
  }
  return { worked: false, elsewhere };
}

const isFinished = ({ config, again }: Work, cell: Cell): boolean =>
  isDone(config, cell) || (hasFailed(config, cell) && again.get(cell) !== failedAt(config, cell));

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
    const found = await runCell(config, cell, hooks, claim);
    if (!claim.held()) return false;
    writeJson(result, found);
  } catch (error) {
    if (!claim.held()) return false;
    if (error instanceof InterruptedError) throw interrupted(error);
    if (error instanceof OtherTests || isOfTheDisk(error)) throw error;
    const known = error instanceof SelfsightError ? error : memoryError(error, ["batchSize", "imageSize", "width"]);
    writeJson(failed, { name: cell.name, message: known?.message ?? (error as Error).stack ?? String(error) });
  }
  return true;
}

const interrupted = (cause?: Error) => new InterruptedError("Interrupted. The same command goes on.", { cause });

/** Of the disk: the next cell would fail too. */
function isOfTheDisk(error: unknown): boolean {
  const { cause } = error as Error;
  return diskError(error) !== undefined || (cause !== undefined && diskError(cause) !== undefined);
}
