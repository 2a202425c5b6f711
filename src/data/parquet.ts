/**
 * Images in Hugging Face's Parquet: a column `image` or `img` of { bytes, path }, a column `label`, class names in the
 * `huggingface` metadata. One row group is held at a time. https://huggingface.co/docs/hub/datasets-image
 */
import { statSync } from "node:fs";
import { basename } from "node:path";
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
} from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { SelfsightError, UsageError } from "../errors.ts";
import { concatenate, hash, type ImageCollection, type ImageSet } from "./images.ts";

/** Files named train-00000-of-00005.parquet are shards of a split; others are splits of their own name. */
export async function openParquet(name: string, files: readonly string[]): Promise<ImageCollection> {
  const shards = new Map<string, ImageSet[]>();
  for (const file of [...files].sort()) {
    const stem = basename(file, ".parquet").replace(/-\d{5}-of-\d{5}.*$/, "");
    const split = { val: "validation", valid: "validation" }[stem] ?? stem;
    shards.set(split, [...(shards.get(split) ?? []), await fileSet(file)]);
  }
  return { name, splits: Object.fromEntries([...shards].map(([split, sets]) => [split, concatenate(sets)])) };
}

async function fileSet(file: string): Promise<ImageSet> {
  const buffer = await asyncBufferFromFile(file);
  const metadata = await readMetadata(buffer, file);
  const columns = metadata.schema.map((column) => column.name);
  const image = ["image", "img"].find((column) => columns.includes(column));
  const label = ["label", "fine_label", "labels"].find((column) => columns.includes(column));
  if (!image || !columns.includes("bytes")) {
    throw new UsageError(
      `${file} has no images: expected a column "image" or "img" with bytes, got ${columns.slice(1).join(", ")}.`,
    );
  }
  const groups = new RowGroups(file, buffer, metadata, image);
  const labels = label === undefined ? undefined : await readLabels(buffer, metadata, label);
  const classes =
    labels && (classNames(metadata, label) ?? Array.from({ length: Math.max(...labels, 0) + 1 }, (_, i) => String(i)));
  const { size, mtimeMs } = statSync(file);
  const name = basename(file, ".parquet");
  return {
    name,
    length: Number(metadata.num_rows),
    ...(classes && { classes }),
    label: (i) => labels?.[i] ?? -1,
    id: (i) => `${name}#${i}`,
    group: (i) => i,
    read: async (i) => ({ encoded: await groups.bytes(i) }),
    fingerprint: hash([file, String(size), String(mtimeMs)]),
  };
}

async function readMetadata(buffer: AsyncBuffer, file: string): Promise<FileMetaData> {
  try {
    return await parquetMetadataAsync(buffer);
  } catch (cause) {
    throw new UsageError(`${file} is no sound Parquet file: ${(cause as Error).message}.`, { cause });
  }
}

/** Reads row groups as they are asked for, and keeps the last two: images are read in order, by several workers. */
class RowGroups {
  private readonly starts: number[] = [];
  private readonly cached = new Map<number, Promise<Uint8Array[]>>();
  private readonly source: { file: string; buffer: AsyncBuffer; metadata: FileMetaData; column: string };

  constructor(file: string, buffer: AsyncBuffer, metadata: FileMetaData, column: string) {
    this.source = { file, buffer, metadata, column };
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

  private read(group: number): Promise<Uint8Array[]> {
    let images = this.cached.get(group);
    if (!images) {
      images = this.decode(group);
      this.cached.set(group, images);
      for (const old of this.cached.keys()) if (this.cached.size > 2) this.cached.delete(old);
    }
    return images;
  }

  private async decode(group: number): Promise<Uint8Array[]> {
    const { buffer, metadata, column } = this.source;
    const [rowStart, rowEnd] = [this.starts[group] ?? 0, this.starts[group + 1] ?? 0];
    const rows = await parquetReadObjects({
      file: buffer,
      metadata,
      compressors,
      columns: [column],
      rowStart,
      rowEnd,
      utf8: false,
    });
    return rows.map((row) => (row[column] as { bytes: Uint8Array } | null)?.bytes as Uint8Array);
  }
}

async function readLabels(file: AsyncBuffer, metadata: FileMetaData, column: string): Promise<Int32Array> {
  const rows = await parquetReadObjects({ file, metadata, compressors, columns: [column] });
  return Int32Array.from(rows, (row) => (row[column] === null ? -1 : Number(row[column])));
}

function classNames(metadata: FileMetaData, column: string | undefined): string[] | undefined {
  const text = metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
  if (!text || column === undefined) return undefined;
  const { info } = JSON.parse(text) as { info?: { features?: Record<string, { names?: string[] }> } };
  return info?.features?.[column]?.names;
}
