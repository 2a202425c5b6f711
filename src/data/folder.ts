/**
 * Folders of image files: flat, nested, or a sub-folder a class. Names are packed in one buffer, so that a million files
 * cost little more than their names.
 */
import { type Dirent, readdirSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { UsageError } from "../errors.ts";
import { hash, type ImageCollection, type ImageSet } from "./images.ts";

const EXTENSIONS = /\.(jpe?g|png|webp|gif|bmp|tiff?|avif|heic|svg|ppm|pgm|pnm)$/i;

/** Names that sub-folders with a split's images go by. */
const splitNames: Readonly<Record<string, string>> = {
  train: "train",
  training: "train",
  val: "validation",
  valid: "validation",
  validation: "validation",
  test: "test",
  testing: "test",
  unlabelled: "unlabelled",
  unlabeled: "unlabelled",
};

/**
 * Opens a folder. Sub-folders named after splits become splits; sub-folders that hold images become classes.
 * @throws UsageError when it holds no images, or cannot be read
 */
export function openFolder(folder: string): ImageCollection {
  const children = list(folder).filter((entry) => entry.isDirectory() && splitNames[entry.name.toLowerCase()]);
  const name = basename(folder) || folder;
  if (!children.length) return { name, splits: { all: folderSet(folder, name) } };
  const splits = children.map((entry): [string, ImageSet] => {
    const split = splitNames[entry.name.toLowerCase()] as string;
    return [split, folderSet(join(folder, entry.name), split)];
  });
  return { name, splits: Object.fromEntries(splits) };
}

/** File names packed end to end, and the folder that each is in. */
export class FileTable {
  private names = Buffer.alloc(1 << 12);
  private used = 0;
  private offsets = new Uint32Array(1 << 8);
  private folderOf = new Uint32Array(1 << 8);
  private readonly folders: string[] = [];
  length = 0;

  /** Starts a folder: the files added from now on are in it. */
  enter(folder: string): void {
    this.folders.push(folder);
  }

  add(name: string): void {
    const bytes = Buffer.byteLength(name);
    if (this.used + bytes > this.names.length)
      this.names = Buffer.concat([this.names], 2 * (this.names.length + bytes));
    if (this.length + 1 >= this.offsets.length) {
      this.offsets = grown(this.offsets);
      this.folderOf = grown(this.folderOf);
    }
    this.names.write(name, this.used);
    this.used += bytes;
    this.folderOf[this.length] = this.folders.length - 1;
    this.offsets[++this.length] = this.used;
  }

  /** The path as it was entered and added. */
  path(i: number): string {
    if (!(i >= 0 && i < this.length)) throw new RangeError(`image ${i} of ${this.length}`);
    return join(this.folder(i), this.names.toString("utf8", this.offsets[i], this.offsets[i + 1]));
  }

  folder(i: number): string {
    return this.folders[this.folderOf[i] ?? -1] ?? "";
  }
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * array.length);
  larger.set(array);
  return larger;
}

/** All images under a folder. Classes are its direct sub-folders with images, if no image lies beside them. */
function folderSet(folder: string, name: string): ImageSet {
  const table = new FileTable();
  const sizes: string[] = [];
  walk(folder, "", table, sizes);
  if (!table.length)
    throw new UsageError(`${folder} holds no images (jpg, png, webp, bmp, gif, tiff, svg …), nor do its sub-folders.`);
  const top = (i: number) => table.folder(i).split(/[\\/]/)[0] ?? "";
  const classes = classNames(table, top);
  const labels = classes && new Map(classes.map((label, i) => [label, i]));
  return {
    name,
    length: table.length,
    ...(classes && { classes }),
    label: (i) => labels?.get(top(i)) ?? -1,
    id: (i) => table.path(i),
    group: (i) => i,
    read: async (i) => ({ encoded: await readFile(join(folder, table.path(i))) }),
    fingerprint: hash([folder, ...sizes]),
  };
}

function classNames(table: FileTable, top: (i: number) => string): string[] | undefined {
  const names = new Set<string>();
  for (let i = 0; i < table.length; i++) names.add(top(i));
  return names.has("") || names.size < 2 ? undefined : [...names].sort();
}

/** Depth first in order of names, so that a listing is the same on every machine. */
function walk(root: string, relative: string, table: FileTable, digests: string[]): void {
  const entries = list(join(root, relative)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const files = entries.filter(
    (entry) => !entry.name.startsWith(".") && EXTENSIONS.test(entry.name) && isFile(join(root, relative), entry),
  );
  if (files.length) table.enter(relative);
  for (const { name } of files) table.add(name);
  // One digest a folder: its names, sizes and dates.
  digests.push(hash(files.map(({ name }) => `${name} ${stamp(join(root, relative, name))}`)));
  for (const entry of entries) {
    if (entry.isDirectory() && !entry.name.startsWith(".")) walk(root, join(relative, entry.name), table, digests);
  }
}

function stamp(file: string): string {
  const { size, mtimeMs } = statSync(file);
  return `${size} ${mtimeMs}`;
}

function isFile(folder: string, entry: Dirent): boolean {
  return (
    entry.isFile() ||
    (entry.isSymbolicLink() && (statSync(join(folder, entry.name), { throwIfNoEntry: false })?.isFile() ?? false))
  );
}

function list(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (cause) {
    throw new UsageError(`${folder} cannot be read: ${(cause as Error).message}. Check its permissions.`, { cause });
  }
}
