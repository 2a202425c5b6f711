/** Converts labels in files (numbers, strings, booleans) to classes numbered from 0, the same for all files of a set. */
import { plural, some } from "./names.ts";

type Value = string | number | bigint;

/** The labels of one file. */
export interface Column {
  /** For each image: an index into `values`, or -1 for no label. */
  codes: Int32Array;
  values: Value[];
  /** Kind of values found that cannot be labels: "lists or dictionaries", "fractions". */
  unusable?: string;
}

/** Collects a column's values one by one: a list of all strings would take more memory than all that is kept. */
export function columnReader(length: number): { put(i: number, value: unknown): void; column: Column } {
  const column: Column = { codes: new Int32Array(length).fill(-1), values: [] };
  const known = new Map<Value, number>();
  const put = (i: number, raw: unknown) => {
    const value = toValue(raw);
    if (value === undefined) return;
    if (typeof value === "object") {
      column.unusable = value.unusable;
      return;
    }
    let code = known.get(value);
    if (code === undefined) {
      code = column.values.push(value) - 1;
      known.set(value, code);
    }
    column.codes[i] = code;
  };
  return { put, column };
}

export function columnOf(values: ArrayLike<unknown>): Column {
  const { put, column } = columnReader(values.length);
  for (let i = 0; i < values.length; i++) put(i, values[i]);
  return column;
}

function toValue(raw: unknown): Value | { unusable: string } | undefined {
  if (raw === null || raw === undefined || raw === "") return undefined;
  if (typeof raw === "string") return raw;
  if (typeof raw === "boolean") return String(raw);
  if (typeof raw === "bigint") return Number.isSafeInteger(Number(raw)) ? Number(raw) : raw;
  if (typeof raw !== "number") return { unusable: raw instanceof Date ? "dates" : "lists or dictionaries" };
  if (Number.isNaN(raw)) return undefined;
  return Number.isInteger(raw) ? raw : { unusable: "fractions" };
}

export interface LabelFile {
  /** File name for messages. */
  file: string;
  column: Column | undefined;
  /** Class names, which numbers in the column index. */
  names?: readonly string[] | undefined;
}

export interface NamedLabels {
  classes: string[] | undefined;
  /** For each file: the class index of each image; -1 for none. */
  labels: (Int32Array | undefined)[];
  notes: string[];
}

/** Up to this many values are classes, however few images there are. */
const SURELY_CLASSES = 16;

/**
 * Numbers the labels of several files so that each number means the same class in all. A numeric label indexes the names of
 * its own file, so files may list them in different orders. If no file has names, values are numbered in sorted order.
 * Values that cannot be classes are not used, with a note.
 * @param sure the user says that they are labels: they are used even if nearly all differ
 */
export function nameLabels(files: readonly LabelFile[], sure = false): NamedLabels {
  const notes: string[] = [];
  const usable = files.map((file) => {
    const { unusable } = file.column ?? {};
    if (unusable) notes.push(`The labels of ${file.file} are ${unusable}: they are not used.`);
    return unusable ? undefined : file.column;
  });
  const lists = files.map(({ names }) => names && distinctNames(names));
  const named = lists.filter((list) => list !== undefined);
  const [longest = []] = [...named].sort((a, b) => b.length - a.length);
  const agree = named.every((list) => list.every((name, i) => longest[i] === name));
  const dropsMinus = named.length > 0 || minusIsNone(usable);
  const isNone = (value: Value) => dropsMinus && value === -1;
  /** For each file: the class of each of its values, or undefined for a value that is not a label. */
  const meanings = usable.map((column, k) => {
    const list = lists[k] ?? (agree ? longest : undefined);
    const numbers = column?.values.some((value) => typeof value !== "string") ?? false;
    if (numbers && !list && named.length) {
      notes.push(
        `The labels of ${files[k]?.file} have no names, and other files name them in different orders: they are not used.`,
      );
      return undefined;
    }
    return column?.values.map((value) => (isNone(value) ? undefined : meaning(value, list ?? [])));
  });
  const found = new Set(meanings.flatMap((names) => names ?? []).filter((name) => name !== undefined));
  if (!sure && !named.length && areIds(found.size, usable)) {
    notes.push(
      `The labels are not used: there are ${found.size} different ones for ${countOf(usable)} images, as if they were numbers of images.`,
    );
    return { classes: undefined, labels: files.map(() => undefined), notes };
  }
  const none = usable.reduce((sum, column, k) => sum + (meanings[k] && column ? countOf([column], isNone) : 0), 0);
  if (none) {
    const remedy = sure ? " If it is a class, write the class's name in its place." : "";
    notes.push(`${plural(none, "image")} with the label -1 ${none > 1 ? "count" : "counts"} as unlabelled.${remedy}`);
  }
  const beyond = named.length ? [...found].filter((name) => !named.some((list) => list.includes(name))) : [];
  if (beyond.length)
    notes.push(`Labels that have no name among those of the classes are called by what they are: ${some(beyond)}.`);
  const classes = [...new Set([longest, ...named].flat()), ...inOrder(beyond)];
  if (!named.length) classes.push(...inOrder(found));
  const position = new Map(classes.map((name, i) => [name, i]));
  const labels = usable.map((column, k) => {
    const numbers = meanings[k]?.map((name) => (name === undefined ? -1 : (position.get(name) ?? -1)));
    return column && numbers && column.codes.map((code) => numbers[code] ?? -1);
  });
  return { classes: found.size ? classes : undefined, labels, notes };
}

const meaning = (value: Value, names: readonly string[]) =>
  typeof value === "string" ? value : (names[Number(value)] ?? String(value));

/** A name that is listed twice means two classes: "crane" is a bird and a machine. */
function distinctNames(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return times > 1 ? `${name} (${times})` : name;
  });
}

/** Whether -1 stands for "not known": nothing else is below 0, and the labels are not -1 and 1 alone, for no and yes. */
function minusIsNone(columns: readonly (Column | undefined)[]): boolean {
  const values = new Set(columns.flatMap((column) => column?.values ?? []));
  const scale = [...values].some((value) => typeof value !== "string" && value < 0 && value !== -1);
  return !scale && !(values.size === 2 && values.has(1));
}

function areIds(distinct: number, columns: readonly (Column | undefined)[]): boolean {
  return distinct > SURELY_CLASSES && 2 * distinct > countOf(columns);
}

/** The number of images with such a label. */
function countOf(columns: readonly (Column | undefined)[], such: (value: Value) => boolean = () => true): number {
  return columns.reduce((sum, column) => {
    const counts = column?.values.map(such) ?? [];
    return sum + (column?.codes.reduce((n, code) => n + Number(counts[code] ?? false), 0) ?? 0);
  }, 0);
}

/** Numbers in ascending order, then words. */
function inOrder(names: Iterable<string>): string[] {
  const isNumber = (name: string) => /^-?\d+$/.test(name);
  const all = [...names];
  const numbers = all.filter(isNumber).sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
  return [...numbers, ...all.filter((name) => !isNumber(name)).sort()];
}
