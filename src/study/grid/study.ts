/** `study`: a grid of trainings, each measured. Any number of processes that share the folder work on it together. */
import { join } from "node:path";
import { plural } from "../../data/names.ts";
import { UsageError } from "../../errors.ts";
import { writeJson } from "../../files.ts";
import type { Hooks } from "../../run/events.ts";
import { nameForFolder } from "../../run/folder.ts";
import type { Cell, CellResult } from "./cell.ts";
import { openClaims } from "./claim.ts";
import { cellsOf } from "./combine.ts";
import { type Plan, planStudy } from "./dry-run.ts";
import {
  cellFiles,
  cellsInFolder,
  type Failure,
  hasFailed,
  hasGrown,
  isDone,
  openStudyFolder,
  refuseOtherImages,
  requireJson,
  type Study,
  studyFiles,
  VERSION,
} from "./folder.ts";
import { openStudyImages } from "./images.ts";
import type { StudyConfig, StudyOptions } from "./options.ts";
import { parseStudy } from "./parse.ts";
import { impossibleCells } from "./possible.ts";
import { studyProgress } from "./progress.ts";
import { shardPart } from "./shard.ts";
import { type StudyRun, workOn } from "./work.ts";

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

const isOpen = (config: StudyConfig, cell: Cell) => !isDone(config, cell) && !hasFailed(config, cell);

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
  const named = await openStudyFolder(config, all, images.collection, claims);
  const impossible = new Set(leftOut.map(({ name }) => name));
  const cells = named.filter((_, i) => !impossible.has(all[i]?.name as string));
  await workOn(config, cells, claims, how, progress);
  return { folder: config.out, ...collect(config, named, cells, leftOut), leftOut };
}

/** What it would do, and how long that takes. Trains nothing, and writes nothing. @throws as {@link study} */
export async function dryRun(options: StudyOptions, hooks: Hooks = {}, how: StudyRun = {}): Promise<DryRun> {
  const { config, cells: all, leftOut, images } = await openStudy(options, hooks, how);
  try {
    const possible = all.filter(({ name }) => !leftOut.some((one) => one.name === name));
    const cells = shardPart(possible, how.shard);
    const open = cells.filter((cell) => isOpen(config, cell) || (how.retry && !isDone(config, cell)));
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
    refuseOtherImages(config, images.collection);
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

/**
 * Writes the study's result if every cell is finished, and no other process has let the study grow. Processes that end at once write the same.
 * @param known all cells, with those that were left out
 */
function collect(
  config: StudyConfig,
  known: readonly Cell[],
  all: readonly Cell[],
  leftOut: readonly Failure[],
): Pick<StudyResult, "study" | "failed"> {
  const done = all.filter((cell) => isDone(config, cell));
  const failed = all
    .filter((cell) => !done.includes(cell) && hasFailed(config, cell))
    .map(({ name }) => requireJson<Failure>(cellFiles(config.out, name).failed));
  if (done.length + failed.length < all.length || hasGrown(config, known)) return { study: undefined, failed };
  const study: Study = {
    version: VERSION,
    config,
    cells: done.map(({ name }) => requireJson<CellResult>(cellFiles(config.out, name).result)),
    failed,
    leftOut: [...leftOut],
  };
  writeJson(studyFiles(config.out).study, study);
  return { study, failed };
}
