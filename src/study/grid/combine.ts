/** From a study's lists to its cells. */
import { UsageError } from "../../errors.ts";
import { WIDTH } from "../../run/resolve.ts";
import type { Cell, Factors } from "./cell.ts";
import type { GridOptions, StudyConfig } from "./options.ts";
import { type Locate, nowhere } from "./parse.ts";

/** The values of each factor. */
type Grid = { [Name in Exclude<keyof Factors, "options">]: readonly Factors[Name][] } & {
  /** By task and option. */
  options: Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>>;
};

const DEFAULTS: Omit<Grid, "options"> = {
  task: ["rotation"],
  model: ["resnet10"],
  width: [WIDTH],
  stem: [undefined],
  imageSize: [64],
  trainImages: ["all"],
  seed: [0],
};

/** More cells than this are not even counted one by one. */
const MOST = 1_000_000;

/**
 * The cells: all combinations of the grid's values, without those that `exclude` matches, and with those that `include` adds. All cells of one
 * seed come before those of the next.
 * @throws UsageError for entries that match nothing, options of tasks that no cell has, and more cells than can be counted
 */
export function cellsOf(config: Omit<StudyConfig, "out">, locate: Locate = nowhere): Cell[] {
  const base: Grid = { ...DEFAULTS, options: {}, ...valuesOf(config) };
  const included = config.include.map((entry): Grid => {
    const own = valuesOf(entry);
    const options = Object.entries(own.options ?? {}).map(([task, some]) => [task, { ...base.options[task], ...some }]);
    return { ...base, ...own, options: { ...base.options, ...Object.fromEntries(options) } };
  });
  const size = [base, ...included].reduce((sum, grid) => sum + sizeOf(grid), 0);
  if (size > MOST) throw new UsageError(`The study has ${size.toLocaleString("en-US")} cells. Name fewer values.`);
  const excluded = config.exclude.map(valuesOf);
  const all = expand(base);
  for (const [i, entry] of excluded.entries()) {
    if (all.some((cell) => matches(cell, entry))) continue;
    throw new UsageError(`${locate(["exclude", i])}exclude: no cell of the grid matches this.`);
  }
  const kept = all.filter((cell) => !excluded.some((entry) => matches(cell, entry)));
  const unique = new Map([...kept, ...included.flatMap(expand)].map((cell) => [JSON.stringify(cell), cell]));
  const cells = [...unique.values()].sort((a, b) => a.seed - b.seed);
  if (!cells.length) throw new UsageError(`${locate(["exclude"])}exclude leaves no cell.`);
  const idle = Object.keys(base.options).find((task) => !cells.some((cell) => cell.task === task));
  if (idle !== undefined)
    throw new UsageError(
      `${locate(["options", idle], "key")}options: no cell has the task ${idle}. Leave its options out.`,
    );
  return named(cells);
}

/** The values that are named. */
function valuesOf(given: GridOptions): Partial<Grid> {
  const { options = {}, trainImages } = given;
  const lists = Object.fromEntries(
    Object.entries(options).map(([task, own]) => [
      task,
      Object.fromEntries(Object.entries(own).map(([name, value]) => [name, Array.isArray(value) ? value : [value]])),
    ]),
  );
  const either = <Value>(one: Value | undefined, several: Value[] | undefined) =>
    several ?? (one === undefined ? undefined : [one]);
  const values: { [Name in keyof Grid]: Grid[Name] | undefined } = {
    task: either(given.task, given.tasks),
    model: either(given.model, given.models),
    width: either(given.width, given.widths),
    stem: either(given.stem, given.stems),
    imageSize: either(given.imageSize, given.imageSizes),
    trainImages,
    seed: either(given.seed, given.seeds),
    options: Object.keys(lists).length ? lists : undefined,
  };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function sizeOf({ options, task, ...lists }: Grid): number {
  const others = Object.values(lists).reduce((product, { length }) => product * length, 1);
  const perTask = task.map((name) =>
    Object.values(options[name] ?? {}).reduce((product, { length }) => product * length, 1),
  );
  return others * perTask.reduce((sum, one) => sum + one, 0);
}

function expand({ options, ...lists }: Grid): Factors[] {
  return combinations<Omit<Factors, "options">>(lists).flatMap((cell) =>
    combinations<Record<string, unknown>>(options[cell.task] ?? {}).map((chosen) => ({ ...cell, options: chosen })),
  );
}

/** One object for each choice of a value from every list; the last list changes fastest. */
function combinations<Item extends object>(lists: { readonly [Name in keyof Item]: readonly Item[Name][] }): Item[] {
  let items: Partial<Item>[] = [{}];
  for (const [name, values] of Object.entries(lists) as [string, readonly unknown[]][])
    items = items.flatMap((item) => values.map((value) => ({ ...item, [name]: value })));
  return items as Item[];
}

/** Whether a cell has a named value of each factor. Options are those of one task: cells of other tasks do not match. */
function matches(cell: Factors, { options, ...lists }: Partial<Grid>): boolean {
  const own = Object.entries(lists).every(([name, values]) =>
    (values as readonly unknown[]).includes(cell[name as keyof Factors]),
  );
  if (!own || !options) return own;
  const chosen = options[cell.task];
  return chosen !== undefined && Object.entries(chosen).every(([name, values]) => values.includes(cell.options[name]));
}

/** Names of the factors that differ, in the order of {@link Factors}. */
function named(cells: readonly Factors[]): Cell[] {
  const differs = <Value>(of: (cell: Factors) => Value, among = cells) => new Set(among.map(of)).size > 1;
  const show: { [Name in Exclude<keyof Factors, "options">]: (cell: Factors) => string } = {
    task: ({ task }) => task,
    model: ({ model }) => model,
    width: ({ width }) => `w${width}`,
    stem: ({ stem }) => stem ?? "own-stem",
    imageSize: ({ imageSize }) => `${imageSize}px`,
    trainImages: ({ trainImages }) => (trainImages === "all" ? "all" : `n${trainImages}`),
    seed: ({ seed }) => `seed${seed}`,
  };
  const { seed, ...others } = show;
  const shown = Object.entries(others).filter(([factor]) => differs((cell) => cell[factor as keyof Factors]));
  const seeds = differs((cell) => cell.seed);
  const optionsOf = new Map(
    [...new Set(cells.map(({ task }) => task))].map((task) => {
      const own = cells.filter((cell) => cell.task === task);
      const names = [...new Set(own.flatMap(({ options }) => Object.keys(options)))];
      return [task, names.filter((name) => differs(({ options }) => JSON.stringify(options[name]), own))];
    }),
  );
  const taken = new Set<string>();
  return cells.map((factors) => {
    const parts = [
      ...shown.map(([, text]) => text(factors)),
      ...(optionsOf.get(factors.task) ?? []).map((name) => `${name}${factors.options[name] ?? "-default"}`),
      ...(seeds ? [seed(factors)] : []),
    ];
    return { name: freeName((parts.join("-") || factors.task).replace(/[^\w.-]+/g, "_"), taken), factors };
  });
}

/** The name, with a number where it is taken. Takes it. */
export function freeName(plain: string, taken: Set<string>): string {
  let name = plain;
  for (let i = 2; taken.has(name); i++) name = `${plain}-${i}`;
  taken.add(name);
  return name;
}
