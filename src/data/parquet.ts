/**
 * Images in Hugging Face's Parquet files, in all layouts of the Hub: shards in one folder, one folder for each split, or
 * named by its automatic conversion. https://huggingface.co/docs/hub/datasets-image
 */
import { statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { UsageError } from "../errors.ts";
import { concatenate, hash, type ImageCollection, type ImageSet } from "./images.ts";
import { nameLabels } from "./labels.ts";
import { diskPath, realPath, shown, some } from "./names.ts";
import { openParquetFile, type ParquetFile } from "./parquet-file.ts";
import { inPartOrder, partName, plainPart } from "./parts.ts";

export function isParquet(file: string): boolean {
  return /\.(parquet|parq|pq)$/i.test(file);
}

/** Parquet files below a folder, some of which hold images. */
export interface ParquetCollection {
  /** Number of images in them. */
  images: number;
  open(): Promise<ImageCollection>;
}

/**
 * Looks into the files, without reading an image.
 * @param paths relative to `root`
 * @returns undefined when none of them holds images, and `needed` is false
 * @throws UsageError for a damaged file, a missing shard, or several sets in one folder
 */
export async function findParquet(
  root: string,
  paths: readonly string[],
  { name, needed }: { name: string; needed: boolean },
): Promise<ParquetCollection | undefined> {
  const asked = paths.length === 1 && basename(paths[0] ?? "") === name; // one file, named by the user
  const files = await Promise.all(
    describeAll([...paths].sort()).map(async (found) => ({
      ...found,
      file: await openParquetFile(join(root, found.path)),
    })),
  );
  const order = inPartOrder(new Set(files.map(({ part }) => part))); // class names come from the first
  const found = files.filter(({ file }) => file.images).sort((a, b) => order.indexOf(a.part) - order.indexOf(b.part));
  const others = files.filter(({ file }) => !file.images);
  if (!found.length) {
    const [first] = others;
    if (!needed || !first) return undefined;
    throw new UsageError(
      `${shown(first.file.path)} has no images: expected a column "image" or "img" of { bytes, path }, got ${first.file.columns.join(", ")}.`,
    );
  }
  if (!asked) requireAllShards(found);
  refuseSeveralSets(root, found);
  const images = found.reduce((sum, { file }) => sum + file.rows, 0);
  return { images, open: () => openFound(name, found, others) };
}

interface Described {
  /** Relative to the root. */
  path: string;
  part: string;
  /** The set that the file belongs to: its folder, without that of the split. */
  set: string;
}

interface Found extends Described {
  file: ParquetFile;
}

const SHARD = /^(?:(.*?)[-_.])?(\d{5})-of-(\d{5})(.*)$/;
/** Names that only count files: 0000, part-0, data_12, part-00000-9f1c.c000.snappy. */
const COUNTED =
  /^((part|data|shard|file|chunk|block|batch|rows?|images?|dataset)?[-_.]?\d*)([-_.]c?[0-9a-f-]{3,})*(\.snappy|\.gz|\.zstd)?$/i;

/** Of several files that differ in the word for a part alone, as `beans-train` and `beans-test`, that word is the part. */
function describeAll(paths: readonly string[]): Described[] {
  const all = paths.map(describe);
  const names = all.map(({ part }) => partName(part));
  const rests = new Set(names.map((name) => name?.rest));
  const parts = new Set(names.map((name) => name?.part));
  const oneSet = rests.size === 1 && new Set(all.map(({ set }) => set)).size === 1;
  if (!oneSet || parts.size < 2 || parts.has(undefined)) return all;
  return all.map((one, i) => ({ ...one, part: names[i]?.part as string }));
}

/** From `train-00000-of-00002.parquet`, `train/0000.parquet`, `default/partial-train/0000.parquet`, `data/test.parquet`, … */
function describe(path: string): Described {
  const stem = basename(path).replace(/\.[^.]+$/, "");
  const own = SHARD.exec(stem)?.[1] ?? (SHARD.test(stem) ? "" : stem);
  const folders = dirname(path) === "." ? [] : dirname(path).split(/[\\/]/);
  const at = folders.findLastIndex((folder) => plainPart(folder));
  if (own && !COUNTED.test(own) && (plainPart(own) || at < 0))
    return { path, part: plainPart(own) ?? own, set: folders.join("/") };
  const last = folders.at(-1);
  if (at >= 0) return { path, part: plainPart(folders[at] ?? "") ?? "", set: folders.toSpliced(at, 1).join("/") };
  if (last === undefined || last === "data" || last === "default")
    return { path, part: "train", set: folders.join("/") };
  return { path, part: last, set: folders.slice(0, -1).join("/") };
}

/** A set with missing or duplicate shards must not be taken for the whole. */
function requireAllShards(files: readonly Found[]): void {
  const series = new Map<string, { count: number; files: (string | undefined)[] }>();
  for (const { path } of files) {
    const [, own = "", number = "", count = ""] = SHARD.exec(basename(path)) ?? [];
    if (!count) continue;
    const key = join(dirname(path), own);
    const shards = series.get(key) ?? { count: Number(count), files: [] };
    series.set(key, shards);
    const twin = shards.files[Number(number)];
    if (twin !== undefined || shards.count !== Number(count)) {
      const other = twin ?? shards.files.find((file) => file !== undefined);
      throw new UsageError(
        `${shown(other ?? "")} and ${shown(path)} are of two versions of one set. Remove the files of one of them.`,
      );
    }
    shards.files[Number(number)] = path;
  }
  for (const [key, { count, files: shards }] of series) {
    for (let i = 0; i < count; i++) {
      if (shards[i] !== undefined) continue;
      const missing = `${basename(key)}-${String(i).padStart(5, "0")}-of-${String(count).padStart(5, "0")}`;
      const there = shards.find((file) => file !== undefined) ?? "";
      throw new UsageError(
        `${missing}.parquet is missing beside ${basename(there)}. Get it, or name the files one by one.`,
      );
    }
  }
}

/** `small/train.parquet` and `large/train.parquet` are two sets, and may hold the same images. */
function refuseSeveralSets(root: string, files: readonly Found[]): void {
  const sets = new Map<string, Set<string>>();
  for (const { part, set } of files) sets.set(part, (sets.get(part) ?? new Set()).add(set));
  const several = [...sets].find(([, found]) => found.size > 1);
  if (!several) return;
  const [part, found] = several;
  const names = [...found].map((set) => set || ".");
  throw new UsageError(
    `${shown(root)} holds several sets with a part ${part}: in ${some(names)}. Name one of them: ${shown(join(root, names[0] ?? ""))}.`,
  );
}

async function openFound(name: string, found: readonly Found[], others: readonly Found[]): Promise<ImageCollection> {
  const files = found.map(({ file }) => file);
  const column = labelColumn(files);
  const labelFiles = await Promise.all(
    files.map(async (file) => {
      const has = column !== undefined && file.columns.includes(column);
      return {
        file: shown(file.path),
        column: has ? await file.labels(column) : undefined,
        names: has ? file.names(column) : undefined,
      };
    }),
  );
  const { classes, labels, notes } = nameLabels(labelFiles);
  if (others.length) notes.push(`Parquet files without images were left out: ${some(others.map(({ path }) => path))}.`);
  const sets = new Map<string, ImageSet[]>();
  for (const [k, { part, path, file }] of found.entries()) {
    const set = fileSet({ file, path, labels: labels[k], classes });
    sets.set(part, [...(sets.get(part) ?? []), set]);
  }
  return {
    name,
    splits: Object.fromEntries([...sets].map(([part, list]) => [part.replaceAll("+", "_"), concatenate(list, part)])),
    ...(notes.length && { notes }),
  };
}

/** The likeliest of the label columns that most files have: fine and coarse labels must not be mixed. */
function labelColumn(files: readonly ParquetFile[]): string | undefined {
  const counts = new Map<string, number>();
  for (const { labelColumns } of files) for (const name of labelColumns) counts.set(name, (counts.get(name) ?? 0) + 1);
  const most = Math.max(0, ...counts.values());
  return files.flatMap(({ labelColumns }) => labelColumns).find((name) => counts.get(name) === most);
}

function fileSet({
  file,
  path,
  labels,
  classes,
}: {
  file: ParquetFile;
  path: string;
  labels: Int32Array | undefined;
  classes: readonly string[] | undefined;
}): ImageSet {
  const { size, mtimeMs } = statSync(diskPath(file.path));
  return {
    name: basename(path),
    length: file.rows,
    ...(classes && labels?.some((label) => label >= 0) && { classes }),
    label: (i) => labels?.[i] ?? -1,
    id: (i) => `${shown(path)}#${i}`,
    group: (i) => i,
    read: async (i) => ({ encoded: (await file.images?.bytes(i)) as Uint8Array }),
    fingerprint: hash([realPath(file.path), String(size), String(mtimeMs)]),
  };
}
