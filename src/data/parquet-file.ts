/** One Parquet file with images: a column of { bytes, path } as Hugging Face writes it, or of plain bytes. */
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { SelfsightError, UsageError } from "../errors.ts";
import { type Column, columnReader } from "./labels.ts";
import { headOf, kindOf } from "./magic.ts";
import { LABEL } from "./metadata-columns.ts";
import { diskPath, shown } from "./names.ts";

export interface ParquetFile {
  path: string;
  rows: number;
  /** Names of all columns. */
  columns: string[];
  /** Undefined for a file without images. */
  images: RowGroups | undefined;
  /** Columns that may hold labels, likeliest first. */
  labelColumns: string[];
  /** The labels of a column, by row. */
  labels(column: string): Promise<Column>;
  /** Class names that a column's numbers index, if the file has them. */
  names(column: string): readonly string[] | undefined;
}

const IMAGE = ["image", "img", "images", "picture", "photo", "jpg", "jpeg", "png", "image_bytes"];

/** @throws UsageError for a file that is damaged, or only a Git LFS pointer */
export async function openParquetFile(path: string): Promise<ParquetFile> {
  try {
    const buffer = await openBuffer(path);
    const metadata = await parquetMetadataAsync(buffer);
    const features = featuresOf(metadata);
    const columns = parquetSchema(metadata).children;
    const image = imageColumn(columns, features);
    return {
      path,
      rows: Number(metadata.num_rows),
      columns: columns.map(({ element }) => element.name),
      images: image === undefined ? undefined : new RowGroups(buffer, metadata, image),
      labelColumns: labelColumns(columns, features),
      labels: (column) => sound(path, () => readLabels(buffer, metadata, column)),
      names: (column) => features[column]?.names,
    };
  } catch (cause) {
    throw unsound(path, cause);
  }
}

async function sound<Result>(path: string, read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (cause) {
    throw unsound(path, cause);
  }
}

function unsound(path: string, cause: unknown): UsageError {
  if (kindOf(path, headOf(path)).is === "pointer")
    return new UsageError(`${shown(path)} only stands for a file in Git LFS. Get it with "git lfs pull".`, { cause });
  return new UsageError(`${shown(path)} is no sound Parquet file: ${(cause as Error).message}. Get it again.`, {
    cause,
  });
}

export function openBuffer(path: string): Promise<AsyncBuffer> {
  return asyncBufferFromFile(diskPath(path) as string); // it also passes a Buffer on to the file system
}

type Columns = ReturnType<typeof parquetSchema>["children"];
type Features = Readonly<Record<string, { _type?: string; names?: string[] }>>;

/** Descriptions of the columns, which the library `datasets` writes into the file. */
function featuresOf(metadata: FileMetaData): Features {
  const text = metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
  if (!text) return {};
  const { info } = JSON.parse(text) as { info?: { features?: Features } };
  return info?.features ?? {};
}

/** Chosen by type, and among several by name. */
function imageColumn(columns: Columns, features: Features): string | undefined {
  const holdsBytes = columns.filter(
    ({ element, children }) =>
      children.some((child) => child.element.name === "bytes" && child.element.type === "BYTE_ARRAY") ||
      (element.type === "BYTE_ARRAY" && !element.converted_type && IMAGE.includes(element.name.toLowerCase())),
  );
  const names = holdsBytes.map(({ element }) => element.name);
  return (
    IMAGE.map((wanted) => names.find((name) => name.toLowerCase() === wanted)).find((name) => name !== undefined) ??
    names.find((name) => features[name]?._type === "Image") ??
    names[0]
  );
}

function labelColumns(columns: Columns, features: Features): string[] {
  const names = columns.map(({ element }) => element.name);
  const known = LABEL.flatMap((wanted) => names.filter((name) => name.toLowerCase() === wanted));
  const declared = names.filter((name) => features[name]?._type === "ClassLabel");
  const first = known.filter((name) => declared.includes(name));
  return [...new Set([...first, ...known, ...declared])];
}

/** Group by group: all rows at once would take more memory than the labels. */
async function readLabels(file: AsyncBuffer, metadata: FileMetaData, name: string): Promise<Column> {
  const { put, column } = columnReader(Number(metadata.num_rows));
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await parquetReadObjects({ file, metadata, compressors, columns: [name], rowStart, rowEnd });
    for (const [i, row] of rows.entries()) put(rowStart + i, row[name]);
    rowStart = rowEnd;
  }
  return column;
}

/** Row groups that were read last: at most this many of one file, and of all files. A set may have thousands of files. */
const [OF_ONE, OF_ALL] = [2, 4];
const recent: { file: RowGroups; group: number; images: Promise<(Uint8Array | undefined)[]> }[] = [];

/** Reads row groups on demand and keeps the last ones: images are read in order, by several workers. */
export class RowGroups {
  private readonly starts: number[] = [];
  private readonly buffer: AsyncBuffer;
  private readonly metadata: FileMetaData;
  private readonly column: string;

  constructor(buffer: AsyncBuffer, metadata: FileMetaData, column: string) {
    this.buffer = buffer;
    this.metadata = metadata;
    this.column = column;
    let start = 0;
    for (const group of metadata.row_groups) {
      this.starts.push(start);
      start += Number(group.num_rows);
    }
    this.starts.push(start);
  }

  /** The encoded image of a row. @throws SelfsightError when it has none */
  async bytes(row: number): Promise<Uint8Array> {
    const group = this.starts.findLastIndex((start) => start <= row);
    const images = await this.read(group);
    const bytes = images[row - (this.starts[group] ?? 0)];
    if (!bytes) throw new SelfsightError("the row has no image");
    return bytes;
  }

  private read(group: number): Promise<(Uint8Array | undefined)[]> {
    const known = recent.find((one) => one.file === this && one.group === group);
    if (known) return known.images;
    const images = this.decode(group);
    recent.push({ file: this, group, images });
    const own = recent.filter(({ file }) => file === this);
    const old = own.length > OF_ONE ? own[0] : recent.length > OF_ALL ? recent[0] : undefined;
    if (old) recent.splice(recent.indexOf(old), 1);
    return images;
  }

  private async decode(group: number): Promise<(Uint8Array | undefined)[]> {
    const { buffer: file, metadata, column } = this;
    const [rowStart = 0, rowEnd = 0] = this.starts.slice(group, group + 2);
    const columns = [column];
    const rows = await parquetReadObjects({ file, metadata, compressors, columns, rowStart, rowEnd, utf8: false });
    return rows.map((row) => {
      const value = row[column] as Uint8Array | { bytes?: Uint8Array } | null;
      return (value instanceof Uint8Array ? value : value?.bytes) ?? undefined;
    });
  }
}
