/** The columns of a table of labels: path, label, and perhaps split and group. */
import { basename } from "node:path";
import { UsageError } from "../errors.ts";
import { readTable } from "./csv.ts";
import { isImageName } from "./magic.ts";
import { columnAt, LABEL, PATH, SPLIT } from "./metadata-columns.ts";
import { plural } from "./names.ts";

export interface LabelTable {
  /** File name for messages. */
  name: string;
  /** One value for each line; "" for none. */
  paths: string[];
  labels: string[];
  splits: string[] | undefined;
  groups: string[] | undefined;
  notes: string[];
}

/**
 * Reads a table. Without a header, its columns are path, label and, if there is a third one, split.
 * @param group name of the column with the groups
 * @throws UsageError for a file that is no such table, and for a missing column
 */
export function readLabelTable(file: string, group?: string): LabelTable {
  const { rows, notes } = readTable(file);
  const name = basename(file);
  const [first = []] = rows;
  const header = isHeader(first) ? first : undefined;
  const { path, label, split } = header ? named(header, name) : byPosition(first, name);
  const grouped = group === undefined ? -1 : groupColumn(header, group, name);
  const all = header ? rows.slice(1) : rows;
  const lines = all.filter((row) => row[path] !== "");
  if (!lines.length) throw new UsageError(`${name} has a header, and no line with a path below it.`);
  if (lines.length < all.length)
    notes.push(`${plural(all.length - lines.length, "line")} of ${name} without a path: left out.`);
  const column = (at: number) => lines.map((row) => row[at] as string);
  return {
    name,
    paths: column(path),
    labels: column(label),
    splits: split < 0 ? undefined : column(split),
    groups: grouped < 0 ? undefined : column(grouped),
    notes,
  };
}

interface Columns {
  path: number;
  label: number;
  split: number;
}

/** A class may have the name of a column: a line that names an image is no header. */
function isHeader(row: readonly string[]): boolean {
  return columnAt(row, [...PATH, ...LABEL, ...SPLIT]) >= 0 && !row.some(isImageName);
}

function named(header: readonly string[], name: string): Columns {
  const [path, label, split] = [columnAt(header, PATH), columnAt(header, LABEL), columnAt(header, SPLIT)];
  const lacking = path < 0 ? ["paths", PATH] : label < 0 ? ["labels", LABEL] : undefined;
  if (!lacking) return { path, label, split };
  const [what, names] = lacking as [string, string[]];
  throw new UsageError(
    `${name} has no column of ${what}: it has ${header.join(", ")}; expected one of ${names.join(", ")}.`,
  );
}

function byPosition(row: readonly string[], name: string): Columns {
  if (row.length === 2 || row.length === 3) return { path: 0, label: 1, split: row.length === 3 ? 2 : -1 };
  throw new UsageError(
    `${name} has no header and ${row.length} ${row.length === 1 ? "column" : "columns"} (${row.join(", ")}). ` +
      "Expected path,label or path,label,split, or a first line with these names.",
  );
}

function groupColumn(header: readonly string[] | undefined, group: string, name: string): number {
  if (!header)
    throw new UsageError(`${name} has no header, so no column ${group} to group by. Add a first line with names.`);
  const at = columnAt(header, [group]);
  if (at >= 0) return at;
  throw new UsageError(
    `${name} has no column ${group} to group by: it has ${header.join(", ")}. --group folder groups by sub-folder.`,
  );
}
