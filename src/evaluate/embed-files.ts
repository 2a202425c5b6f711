/** The files that `embed` writes beside NumPy's: Parquet, and comma-separated values. */
import { appendFileSync, writeFileSync } from "node:fs";
import { csvFormatRows } from "d3-dsv";
import { type ColumnSource, fileWriter, ParquetWriter } from "hyparquet-writer";
import { onDisk } from "../errors.ts";
import type { ImageRow } from "./embed-rows.ts";
import type { Nearest } from "./nearest.ts";

type Schema = ConstructorParameters<typeof ParquetWriter>[0]["schema"];

const list = (name: string, type: "FLOAT" | "INT32"): Schema => [
  { name, converted_type: "LIST", repetition_type: "REQUIRED", num_children: 1 },
  { name: "list", repetition_type: "REPEATED", num_children: 1 },
  { name: "element", type, repetition_type: "REQUIRED" },
];
const text = (name: string, repetition_type: "REQUIRED" | "OPTIONAL" = "REQUIRED"): Schema => [
  { name, type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type },
];
/** As embedding-atlas reads them with --neighbors: https://apple.github.io/embedding-atlas/tool.html */
const neighbours: Schema = [
  { name: "neighbors", repetition_type: "REQUIRED", num_children: 2 },
  ...list("ids", "INT32"),
  ...list("distances", "FLOAT"),
];

/** Features in a row group. Each group is encoded by itself, in arrays of several times its size. */
const GROUP = 2 ** 17;

/** Numbers hardly shrink, and statistics of them help no reader. */
const asTheyAre = { encoding: "PLAIN", codec: "UNCOMPRESSED", statistics: false, offsetIndex: false } as const;

/** What a file says of an image beside its features. */
type Columns = readonly (keyof ImageRow)[];

/** A file with a row for each image. */
export interface Table {
  /** Appends rows. @param read gives their features, rows.length · D values @throws SelfsightError when the disk is full */
  write(rows: readonly ImageRow[], read: () => Float32Array, nearest?: Nearest): void;
  /** Writes the end of the file: it is complete then. */
  finish(): void;
}

/**
 * A Parquet file with the columns that are named, embedding and, if wanted, neighbors.
 * @param about kept in the file under the key `selfsight`, as JSON
 */
export function parquetFile(
  file: string,
  { neighbours: wanted, about, columns: named }: { neighbours: boolean; about: object; columns: Columns },
): Table {
  const failure = `${file} cannot be written`;
  const texts = named.map((name) => text(name, name === "label" ? "OPTIONAL" : "REQUIRED"));
  const columns = [...texts, list("embedding", "FLOAT")];
  if (wanted) columns.push(neighbours);
  const writer = onDisk(
    failure,
    () =>
      new ParquetWriter({
        writer: fileWriter(file),
        schema: [{ name: "schema", num_children: columns.length }, ...columns.flat()],
        kvMetadata: [{ key: "selfsight", value: JSON.stringify(about) }],
      }),
  );
  return {
    write(rows, read, nearest) {
      const features = read();
      const width = features.length / rows.length;
      const size = Math.max(1, Math.floor(GROUP / width)); // rows
      for (let from = 0; from < rows.length; from += size) {
        const to = Math.min(from + size, rows.length);
        const own = rows.slice(from, to);
        const columnData: ColumnSource[] = [
          ...named.map((name) => ({ name, data: own.map((row) => row[name]) })),
          { name: "embedding", data: lists(features, width, from, to), ...asTheyAre },
        ];
        if (nearest) {
          const { count } = nearest;
          const distances = lists(nearest.distances, count, from, to);
          const data = lists(nearest.ids, count, from, to).map((ids, i) => ({ ids, distances: distances[i] }));
          columnData.push({ name: "neighbors", data, ...asTheyAre });
        }
        onDisk(failure, () => writer.write({ columnData, rowGroupSize: size }));
      }
    },
    finish: () => void onDisk(failure, () => writer.finish()),
  };
}

/** Rows `from` to `to` of a table with `width` columns, as arrays: the writer takes no typed ones as lists. */
function lists(table: Float32Array | Int32Array, width: number, from: number, to: number): number[][] {
  return Array.from({ length: to - from }, (_, i) =>
    Array.from(table.subarray((from + i) * width, (from + i + 1) * width)),
  );
}

/** A CSV file (RFC 4180) with the columns row and those that are named. */
export function csvFile(file: string, columns: Columns): Table {
  const failure = `${file} cannot be written`;
  let row = 0;
  onDisk(failure, () => writeFileSync(file, `${["row", ...columns].join()}\n`));
  return {
    write(rows) {
      const lines = rows.map((one) => [String(row++), ...columns.map((name) => one[name] ?? "")]);
      onDisk(failure, () => appendFileSync(file, `${csvFormatRows(lines)}\n`));
    },
    finish() {},
  };
}
