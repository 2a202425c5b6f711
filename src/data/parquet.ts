/**
 * Images in Hugging Face's Parquet: a column `image` or `img` of { bytes, path }, a column `label`, class names in the
 * `huggingface` metadata. Two row groups of a file are held at a time. https://huggingface.co/docs/hub/datasets-image
 */
import { statSync } from "node:fs";
import { basename } from "node:path";
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
import { concatenate, hash, type ImageCollection, type ImageSet, numberedClasses } from "./images.ts";

export function isParquet(file: string): boolean {
  return file.endsWith(".parquet");
}

/**
 * Files named train-00000-of-00005.parquet are shards of a split; others are splits of their own name.
 * @throws UsageError for a file that is damaged or has no images, and for a missing shard
 */
export async function openParquet(name: string, paths: readonly string[]): Promise<ImageCollection> {
  const asked = paths.some((path) => basename(path) === name); // one file, named by the user
  if (!asked) requireAllShards(paths);
  const files = await Promise.all([...paths].sort().map(openFile));
  const classes = sharedClasses(files);
  const splits = new Map<string, ImageSet[]>();
  for (const file of files) splits.set(file.split, [...(splits.get(file.split) ?? []), fileSet(file, classes)]);
  return { name, splits: Object.fromEntries([...splits].map(([split, sets]) => [split, concatenate(sets, split)])) };
}

/** Named by a file's metadata, else numbered; the same for all files, so that a number means the same in each. */
function sharedClasses(files: readonly ParquetImages[]): readonly string[] | undefined {
  if (!files.some((file) => file.labels)) return undefined;
  const numbered = numberedClasses(files.map(({ labels }) => labels?.reduce((a, b) => Math.max(a, b), -1) ?? -1));
  const { path, classes: named = numbered } = files.find((file) => file.classes) ?? {};
  if (numbered.length <= named.length) return named;
  throw new UsageError(`There is a label ${numbered.length - 1}, but ${path} names ${named.length} classes only.`);
}

const shardName = /^(.*?)-(\d{5})-of-(\d{5})/;

function splitOf(path: string): string {
  const stem = shardName.exec(basename(path))?.[1] ?? basename(path, ".parquet");
  return ["val", "valid"].includes(stem) ? "validation" : stem;
}

/** A set of which a part was not downloaded must not pass for the whole. */
function requireAllShards(paths: readonly string[]): void {
  const names = paths.map((path) => basename(path));
  for (const name of names) {
    const [, split = "", , count = "0"] = shardName.exec(name) ?? [];
    for (let i = 0; i < Number(count); i++) {
      const shard = `${split}-${String(i).padStart(5, "0")}-of-${count}`;
      if (!names.some((other) => other.startsWith(shard)))
        throw new UsageError(`${shard}.parquet is missing beside ${name}. Get it, or name the files one by one.`);
    }
  }
}

interface ParquetImages {
  path: string;
  split: string;
  metadata: FileMetaData;
  groups: RowGroups;
  /** By row; -1 for none. */
  labels: Int32Array | undefined;
  classes: string[] | undefined;
}

async function openFile(path: string): Promise<ParquetImages> {
  try {
    const buffer = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(buffer);
    const columns = parquetSchema(metadata).children;
    const find = (names: readonly string[]) => columns.find(({ element }) => names.includes(element.name));
    const image = find(["image", "img"]);
    if (!image?.children.some(({ element }) => element.name === "bytes")) {
      const there = columns.map(({ element }) => element.name).join(", ");
      throw new UsageError(
        `${path} has no images: expected a column "image" or "img" of { bytes, path }, got ${there}.`,
      );
    }
    const label = find(["label", "fine_label", "coarse_label", "labels"])?.element.name;
    return {
      path,
      split: splitOf(path),
      metadata,
      groups: new RowGroups(buffer, metadata, image.element.name),
      labels: label === undefined ? undefined : await readLabels(path, { buffer, metadata }, label),
      classes: label === undefined ? undefined : classNames(metadata, label),
    };
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`${path} is no sound Parquet file: ${(cause as Error).message}. Get it again.`, { cause });
  }
}

function fileSet({ path, groups, metadata, labels }: ParquetImages, classes: readonly string[] | undefined): ImageSet {
  const { size, mtimeMs } = statSync(path);
  return {
    name: basename(path),
    length: Number(metadata.num_rows),
    ...(labels && classes && { classes }),
    label: (i) => labels?.[i] ?? -1,
    id: (i) => `${basename(path)}#${i}`,
    group: (i) => i,
    read: async (i) => ({ encoded: await groups.bytes(i) }),
    fingerprint: hash([path, String(size), String(mtimeMs)]),
  };
}

/** Reads row groups as they are asked for, and keeps the last two: images are read in order, by several workers. */
class RowGroups {
  private readonly starts: number[] = [];
  private readonly cached = new Map<number, Promise<(Uint8Array | undefined)[]>>();
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

  async bytes(row: number): Promise<Uint8Array> {
    const group = this.starts.findLastIndex((start) => start <= row);
    const images = await this.read(group);
    const bytes = images[row - (this.starts[group] ?? 0)];
    if (!bytes) throw new SelfsightError("the row has no image");
    return bytes;
  }

  private read(group: number): Promise<(Uint8Array | undefined)[]> {
    let images = this.cached.get(group);
    if (!images) {
      images = this.decode(group);
      this.cached.set(group, images);
      for (const old of this.cached.keys()) if (this.cached.size > 2) this.cached.delete(old);
    }
    return images;
  }

  private async decode(group: number): Promise<(Uint8Array | undefined)[]> {
    const { buffer: file, metadata, column } = this;
    const [rowStart = 0, rowEnd = 0] = this.starts.slice(group, group + 2);
    const columns = [column];
    const rows = await parquetReadObjects({ file, metadata, compressors, columns, rowStart, rowEnd, utf8: false });
    return rows.map((row) => (row[column] as { bytes?: Uint8Array } | null)?.bytes ?? undefined);
  }
}

async function readLabels(
  path: string,
  { buffer, metadata }: { buffer: AsyncBuffer; metadata: FileMetaData },
  column: string,
): Promise<Int32Array> {
  const rows = await parquetReadObjects({ file: buffer, metadata, compressors, columns: [column] });
  return Int32Array.from(rows, (row) => {
    const label = row[column];
    if (label === null || label === undefined) return -1;
    if (typeof label === "bigint" || Number.isInteger(label)) return Number(label);
    throw new UsageError(`${path}: the column "${column}" must hold numbers of classes, got ${JSON.stringify(label)}.`);
  });
}

/** From the description of the columns that the library `datasets` leaves in the file. */
function classNames(metadata: FileMetaData, column: string): string[] | undefined {
  const text = metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
  if (!text) return undefined;
  const { info } = JSON.parse(text) as { info?: { features?: Record<string, { names?: string[] }> } };
  return info?.features?.[column]?.names;
}
