/**
 * Labels from the files that Hugging Face puts beside images: metadata.csv, .jsonl or .parquet, with the columns
 * `file_name` and `label`. https://huggingface.co/docs/datasets/image_dataset#imagefolder
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { parseCsv } from "./csv.ts";
import { columnReader, nameLabels } from "./labels.ts";
import { LABEL } from "./metadata-columns.ts";
import { diskPath, plural, some } from "./names.ts";
import { openBuffer } from "./parquet-file.ts";
import type { Scan } from "./scan.ts";

interface Listed {
  labels?: { classes: readonly string[]; of: (row: number) => number };
  notes: string[];
}

const FILE = ["file_name", "image_file_name"];

/** @param labelled whether folders already give the classes; they take precedence */
export async function labelsFromFiles({ root, metadata, images }: Scan, labelled: boolean): Promise<Listed> {
  if (!metadata.length) return { notes: [] };
  if (labelled) return { notes: [`The folders give the labels: ${some(metadata)} was not read.`] };
  const byPath = new Map<string, unknown>();
  const notes: string[] = [];
  for (const file of metadata) {
    try {
      const rows = await readRows(join(root, file));
      if (!gather(rows, dirname(file), byPath))
        notes.push(`${file} gives no labels: it has no column ${LABEL[0]} beside ${FILE[0]}.`);
    } catch (error) {
      notes.push(`${file} cannot be read, and gives no labels: ${(error as Error).message}.`);
    }
  }
  if (!byPath.size) return { notes };
  const { put, column } = columnReader(images.length);
  for (let i = 0; i < images.length; i++) {
    const path = images.path(i).normalize("NFC");
    put(i, byPath.get(path));
    byPath.delete(path);
  }
  if (byPath.size)
    notes.push(
      `${plural(byPath.size, "row")} of ${some(metadata)} ${byPath.size === 1 ? "names" : "name"} no image: ${some([...byPath.keys()])}.`,
    );
  const { classes, labels, notes: more } = nameLabels([{ file: some(metadata), column }]);
  const [numbers] = labels;
  notes.push(...more);
  if (!classes || !numbers) return { notes };
  return { labels: { classes, of: (row) => numbers[row] ?? -1 }, notes };
}

type Row = Readonly<Record<string, unknown>>;

/** Adds the rows' labels to `into`, by path. @returns whether the rows have columns for files and labels */
function gather(rows: readonly Row[], folder: string, into: Map<string, unknown>): boolean {
  const columns = new Set(rows.flatMap((row) => Object.keys(row)));
  const [file, label] = [FILE, LABEL].map((names) => names.find((name) => columns.has(name)));
  if (file === undefined || label === undefined) return false;
  for (const row of rows) {
    const name = row[file];
    if (typeof name === "string")
      into.set(join(folder, name.replaceAll("\\", "/")).normalize("NFC"), asNumber(row[label]));
  }
  return true;
}

/** Text files have no types. Values that would be written differently as numbers, like 007, stay text, and so do NaN and Infinity. */
export function asNumber(value: unknown): unknown {
  const number = typeof value === "string" ? Number(value) : Number.NaN;
  return Number.isFinite(number) && String(number) === value ? number : value;
}

async function readRows(path: string): Promise<readonly Row[]> {
  if (/\.parquet$/i.test(path)) return parquetReadObjects({ file: await openBuffer(path), compressors });
  const text = readFileSync(diskPath(path), "utf8").replace(/^\ufeff/, "");
  if (/\.csv$/i.test(path)) return parseCsv(text);
  return text
    .split("\n")
    .filter((line) => line.trim())
    .map((line) => JSON.parse(line) as Row);
}
