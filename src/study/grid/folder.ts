/** The folder of a study, which several processes may share: its files, and whether it belongs to the same study. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { some } from "../../data/names.ts";
import { onDisk, SelfsightError, UsageError } from "../../errors.ts";
import { writeJson } from "../../files.ts";
import { makeFolder } from "../../setup/folders.ts";
import type { Cell, CellResult } from "./cell.ts";
import { type Claims, isClaim } from "./claim.ts";
import { freeName } from "./combine.ts";
import { gridOptions, type StudyConfig } from "./options.ts";

/** Bump when cells of an older study could not be compared with new ones. */
export const VERSION = 3;

/** Paths inside the folder. */
export const studyFiles = (folder: string) => ({
  config: join(folder, "config.json"),
  cells: join(folder, "cells"),
  /** What was measured, by content: cells share what is measured of untrained networks. */
  measured: join(folder, "measured"),
  study: join(folder, "study.json"),
});

/** Paths inside a cell's folder. The run is called like the cell, so that other commands show that name. */
export function cellFiles(folder: string, name: string) {
  const own = join(studyFiles(folder).cells, name);
  return { folder: own, run: join(own, name), result: join(own, "result.json"), failed: join(own, "failed.json") };
}

export const isDone = ({ out }: StudyConfig, { name }: Cell): boolean => existsSync(cellFiles(out, name).result);
export const hasFailed = ({ out }: StudyConfig, { name }: Cell): boolean => existsSync(cellFiles(out, name).failed);

/** A cell that failed, or cannot be. */
export interface Failure {
  name: string;
  message: string;
}

/** Contents of study.json. */
export interface Study {
  version: number;
  config: StudyConfig;
  cells: CellResult[];
  failed: Failure[];
  /** Cells that cannot be trained. */
  leftOut: Failure[];
}

/** Settings that may differ when it goes on, and between processes: they do not change what is computed. */
const MAY_CHANGE = ["out", "device", "threads", "saveMinutes", "impossible"];
/** Settings that say which cells there are: a study may grow. */
const GRID = [...Object.keys(gridOptions.shape), "include", "exclude"];

/** Contents of config.json. */
interface Begun {
  version: number;
  /** Which images there were: see `collectionIdentity`. */
  collection: string;
  config: StudyConfig;
  cells: Cell[];
}

/** Milliseconds between two tries to open a folder that another process is just opening. */
const RETRY = 100;

/**
 * Makes the folder, or goes on with that of the same study, which may have had fewer cells. One process at a time: of two that let the study
 * grow at once, the later one must know what the other has added.
 * @param collection identifies the images
 * @returns the cells as {@link cellsInFolder} names them
 * @throws UsageError as {@link cellsInFolder}, and for other images than it began with; SelfsightError if it cannot be made
 */
export async function openStudyFolder(
  config: StudyConfig,
  cells: readonly Cell[],
  collection: string,
  claims: Claims,
): Promise<Cell[]> {
  const { out } = config;
  const files = studyFiles(out);
  onDisk(`${out} cannot be made`, () => makeFolder(out));
  let claim = onDisk(`${out} cannot be written to`, () => claims.take(out));
  for (; !claim; claim = claims.take(out)) await sleep(RETRY);
  try {
    const named = cellsInFolder(config, cells);
    const begun = begunIn(files.config);
    refuseOtherImages(config, collection);
    if (!claim.held()) throw new SelfsightError(`Another process has taken over ${out} meanwhile. Repeat the command.`);
    if (named.length > begun.length)
      writeJson(files.config, { version: VERSION, collection, config, cells: named } satisfies Begun);
    onDisk(`${out} cannot be written to`, () => {
      makeFolder(files.cells);
      makeFolder(files.measured);
    });
    return named;
  } finally {
    await claim.release(true);
  }
}

/** Whether the study has grown beyond these cells, by another process. */
export function hasGrown({ out }: StudyConfig, cells: readonly Cell[]): boolean {
  const known = new Set(cells.map(keyOf));
  return begunIn(studyFiles(out).config).some((cell) => !known.has(keyOf(cell)));
}

/**
 * The cells by the names that they have in the study's folder: what was begun there keeps its name when the study grows. Writes nothing.
 * @throws UsageError for a folder of another study or version, or of anything else, and for cells in it that are no longer part of the study
 */
export function cellsInFolder(config: StudyConfig, cells: readonly Cell[]): Cell[] {
  const { out, images } = config;
  const file = studyFiles(out).config;
  if (resolve(out) === resolve(images))
    throw new UsageError(
      `--out ${out} is also what the images are called: they could not be found again. Choose another.`,
    );
  const names = onDisk(`${out} cannot be read`, () => (existsSync(out) ? readdirSync(out) : []));
  if (existsSync(file)) refuseOther(config, file);
  else if (!names.every((name) => name.startsWith(basename(file)) || isClaim(name)))
    // another process may just be opening it
    throw new UsageError(`${out} exists and is not a study's folder. Choose another with --out.`);
  const begun = begunIn(file);
  const known = new Map(cells.map((cell) => [keyOf(cell), cell]));
  const lost = begun.filter((cell) => !known.has(keyOf(cell)));
  if (lost.length)
    throw new UsageError(
      `${out} holds a study with cells that are no part of this one: ${some(lost.map(({ name }) => name))}. A study may grow, not lose cells: keep these, or choose another --out.`,
    );
  const before = new Map(begun.map((cell) => [keyOf(cell), cell.name]));
  const taken = new Set(before.values());
  return cells.map((cell) => ({ ...cell, name: before.get(keyOf(cell)) ?? freeName(cell.name, taken) }));
}

/** The cells that the folder was begun with; none if there is none. */
function begunIn(file: string): Cell[] {
  return existsSync(file) ? requireJson<Begun>(file).cells : [];
}

/** What tells a cell from others, whatever its name. */
const keyOf = ({ factors }: Cell) => JSON.stringify(factors);

function refuseOther(config: StudyConfig, file: string): void {
  const { out } = config;
  const { version, config: before = {} } = requireJson<{
    version?: number;
    config?: Readonly<Record<string, unknown>>;
  }>(file);
  if (version !== VERSION) {
    throw new UsageError(
      `${out} holds a study of another version of Selfsight (its files have version ${version}, this one writes ${VERSION}). ` +
        "Choose another --out, or go on with that version.",
    );
  }
  const now: Readonly<Record<string, unknown>> = { ...config };
  const changed = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
    (key) => ![...MAY_CHANGE, ...GRID].includes(key) && JSON.stringify(before[key]) !== JSON.stringify(now[key]),
  );
  if (!changed.length) return;
  const shown = (value: unknown) => JSON.stringify(value) ?? "left open";
  const list = changed.map((key) => `${key} was ${shown(before[key])}, is ${shown(now[key])}`);
  throw new UsageError(
    `${out} holds a study with other settings: ${list.join("; ")}. Repeat that study to go on with it, or choose another --out.`,
  );
}

/** @throws UsageError if the study was begun with other images */
export function refuseOtherImages({ out, images }: StudyConfig, collection: string): void {
  const { config } = studyFiles(out);
  if (!existsSync(config)) return;
  const { collection: before } = requireJson<Begun>(config);
  if (before === collection) return;
  const [were, are] = [before, collection].map((one) => one.split(" ")[0]);
  throw new UsageError(
    `${images} holds other images than when ${out} was begun (${were} then, ${are} now${were === are ? ", but with other names, labels or groups" : ""}): ` +
      "its cells could not be compared. Put the images back, or begin anew with another --out.",
  );
}

/** The test images have changed since the study began. Every cell that is measured from now on would be lost. */
export class OtherTests extends UsageError {}

/** @throws OtherTests if a finished cell was measured on other test images than those of this hash */
export function refuseOtherTests(config: StudyConfig, tested: string): void {
  const { out, images } = config;
  const done = begunIn(studyFiles(out).config).find((cell) => isDone(config, cell));
  const before = done && requireJson<CellResult>(cellFiles(out, done.name).result);
  if (!before || before.tested === tested) return;
  throw new OtherTests(
    `The test images of ${images} are not those that ${before.name} was measured on: some were added, removed or changed, or have other labels or groups. ` +
      "Put them back and repeat the command, or begin anew with another --out.",
  );
}

/** @throws SelfsightError for a damaged file */
export function requireJson<Contents>(file: string): Contents {
  const text = onDisk(`${file} cannot be read`, () => readFileSync(file, "utf8"));
  try {
    return JSON.parse(text) as Contents;
  } catch (cause) {
    throw new SelfsightError(`${file} is damaged: it is no JSON. Delete it, or choose another --out.`, { cause });
  }
}
