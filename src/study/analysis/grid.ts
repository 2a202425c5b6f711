/** How the cells of a study lie: tasks down, architectures across, and what else varies. */
import { modelEntry } from "../../models/index.ts";
import { taskEntry } from "../../tasks/index.ts";
import type { Cell, CellResult, Factors } from "../grid/cell.ts";

/** The factors that can vary beside the task with its options, the architecture and the seed. */
export const settingNames = ["width", "stem", "imageSize", "trainImages"] as const;
export type SettingName = (typeof settingNames)[number];

export interface Grid {
  /** Tasks, with those of their options that vary: "jigsaw (permutations 10)". */
  rows: string[];
  /** Architectures. */
  columns: string[];
  /** What else varies while task and architecture stay the same: "width 0.5, 1,000 images". One, "", if nothing does. */
  settings: string[];
  /** Which of the other factors these are. */
  varying: SettingName[];
  rowOf(cell: Cell): string;
  settingOf(cell: Cell): string;
  /** The same for cells that differ only in their seeds. */
  placeOf(cell: Cell): string;
  /** All cells at these places, which differ only in their seeds; in any setting if none is named. */
  at(row: string, column: string, setting?: string): CellResult[];
}

export function gridOf(cells: readonly CellResult[]): Grid {
  const options = varyingOptions(cells);
  const rowOf = ({ factors }: Cell) => {
    const own = (options.get(factors.task) ?? []).map((name) => `${name} ${factors.options[name] ?? "as it is"}`);
    return rowName(factors.task, own);
  };
  // A factor that follows from the task and the architecture is a part of these.
  const groups = groupBy(cells, (cell) => JSON.stringify([rowOf(cell), cell.factors.model]));
  const varying = settingNames.filter((name) =>
    [...groups.values()].some((group) => new Set(group.map(({ factors }) => factors[name])).size > 1),
  );
  const settingOf = ({ factors }: Cell) => settingText(factors, varying);
  const all = <Value>(of: (cell: CellResult) => Value) => [...new Set(cells.map(of))];
  return {
    rows: all(rowOf),
    columns: all(({ factors }) => factors.model),
    settings: [...all(settingOf)],
    varying,
    rowOf,
    settingOf,
    placeOf: (cell) => JSON.stringify([rowOf(cell), cell.factors.model, settingOf(cell)]),
    at: (row, column, setting) =>
      cells.filter(
        (cell) =>
          rowOf(cell) === row &&
          cell.factors.model === column &&
          (setting === undefined || settingOf(cell) === setting),
      ),
  };
}

/** "jigsaw (permutations 10)". */
export const rowName = (task: string, options: readonly string[]): string =>
  options.length ? `${task} (${options.join(", ")})` : task;

/** For each task, the options that its cells differ in. */
function varyingOptions(cells: readonly CellResult[]): Map<string, string[]> {
  const tasks = groupBy(cells, ({ factors }) => factors.task);
  return new Map(
    [...tasks].map(([task, own]) => {
      const names = [...new Set(own.flatMap(({ factors }) => Object.keys(factors.options)))];
      const differs = (name: string) =>
        new Set(own.map(({ factors }) => JSON.stringify(factors.options[name]))).size > 1;
      return [task, names.filter(differs)];
    }),
  );
}

/** Factors in words, the given ones only: "width 0.5, 64 pixels". */
export function settingText(factors: Factors, names: readonly SettingName[]): string {
  const { width, stem, imageSize, trainImages } = factors;
  const words: Record<SettingName, string> = {
    width: `width ${width}`,
    stem: stem === undefined ? "own stem" : `${stem} stem`,
    imageSize: `${imageSize} pixels`,
    trainImages: trainImages === "all" ? "all images" : `${trainImages.toLocaleString("en-US")} images`,
  };
  return names.map((name) => words[name]).join(", ");
}

/** A part of a grid in which every row has a cell in every column, in every setting. */
export interface FullGrid {
  rows: string[];
  columns: string[];
  settings: string[];
  /** All cells at a place, whatever their setting and seed. */
  at(row: string, column: string): CellResult[];
  /** What was left out because cells are missing: a sentence, or "". */
  leftOut: string;
}

/**
 * What can be compared without gaps: the settings in which no cell is missing; if there is none, the largest part without gaps that
 * begins with the columns of some row, several rows before one.
 */
export function fullGrid({ rows, columns, settings, at }: Grid): FullGrid {
  const filled = new Set<string>();
  const key = (row: string, column: string, setting: string) => JSON.stringify([row, column, setting]);
  for (const setting of settings)
    for (const row of rows)
      for (const column of columns) if (at(row, column, setting).length) filled.add(key(row, column, setting));
  const isFull = (row: string, some: readonly string[], setting: string) =>
    some.every((column) => filled.has(key(row, column, setting)));
  const parts = settings.flatMap((setting) =>
    rows.map((row) => {
      const own = columns.filter((column) => filled.has(key(row, column, setting)));
      const alike = own.length ? rows.filter((other) => isFull(other, own, setting)) : [];
      return { rows: alike, columns: own, size: alike.length * own.length };
    }),
  );
  const several = (some: readonly string[]) => Number(some.length > 1);
  parts.sort((a, b) => several(b.rows) - several(a.rows) || b.size - a.size || b.rows.length - a.rows.length);
  const whole = settings.some((setting) => rows.every((row) => isFull(row, columns, setting)));
  const [largest] = parts;
  const own = whole || !largest ? { rows, columns } : { rows: largest.rows, columns: largest.columns };
  const used = settings.filter((setting) => own.rows.every((row) => isFull(row, own.columns, setting)));
  const missing = (all: readonly string[], kept: readonly string[]) => all.filter((one) => !kept.includes(one));
  const left = [...missing(rows, own.rows), ...missing(columns, own.columns), ...missing(settings, used)];
  return {
    ...own,
    settings: used,
    at: (row, column) => used.flatMap((setting) => at(row, column, setting)),
    leftOut: left.length ? `Left out because cells are missing: ${left.join("; ")}.` : "",
  };
}

/** Whether a task learns from labels: a yardstick, which takes no part in rankings. Unknown tasks do not. */
export function usesLabels(task: string): boolean {
  try {
    return taskEntry(task).usesLabels ?? false;
  } catch {
    return false; // registered where the study ran, but not here
  }
}

/** The same for cells that are compared with the same untrained network: by what its weights follow from, as in evaluate/representations.ts. */
export function startOf({ factors: { task, model, width, stem, imageSize, seed } }: Pick<Cell, "factors">): string {
  return JSON.stringify([model, width, stem ?? ownStem(task, model), imageSize, seed]);
}

/** The stem that a task brings, if the architecture has it; else the architecture's own. */
function ownStem(task: string, model: string): string | undefined {
  try {
    const { stems } = modelEntry(model);
    return stems.find((stem) => stem === taskEntry(task).defaults?.stem) ?? stems[0];
  } catch {
    return undefined; // registered where the study ran, but not here
  }
}

/** The cells of tasks that learn without labels. */
export const withoutLabels = (cells: readonly CellResult[]): CellResult[] =>
  cells.filter(({ factors }) => !usesLabels(factors.task));

/** Groups in the order of their first members. */
export function groupBy<One>(list: readonly One[], key: (one: One) => string): Map<string, One[]> {
  const groups = new Map<string, One[]>();
  for (const one of list) {
    const name = key(one);
    const group = groups.get(name);
    if (group) group.push(one);
    else groups.set(name, [one]);
  }
  return groups;
}
