/**
 * Folders of image files: flat, nested, or a sub-folder a class. Names are packed in one buffer, so that a million files
 * cost little more than their names.
 */
import { createHash } from "node:crypto";
import { type Dirent, opendirSync, realpathSync, type Stats, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, extname, join, sep } from "node:path";
import { UsageError } from "../errors.ts";
import { hash, type ImageCollection, type ImageSet } from "./images.ts";

const EXTENSIONS = /\.(jpe?g|png|webp|gif|bmp|tiff?|avif|heic|svg|ppm|pgm|pnm)$/i;

/** Names that sub-folders with a split's images go by. */
const splitNames = new Map([
  ["train", "train"],
  ["training", "train"],
  ["val", "validation"],
  ["valid", "validation"],
  ["validation", "validation"],
  ["test", "test"],
  ["testing", "test"],
  ["unlabelled", "unlabelled"],
  ["unlabeled", "unlabelled"],
]);

/**
 * Opens a folder. Sub-folders named after splits become splits; sub-folders that hold images become classes.
 * @throws UsageError when it is empty, holds no images or cannot be read
 */
export function openFolder(folder: string): ImageCollection {
  const name = basename(folder) || folder;
  const listings = splitFolders(folder).map(([split, path]) => listImages(folder, split, path));
  const classes = sharedClasses(listings);
  return {
    name,
    splits: Object.fromEntries(listings.map((listing) => [listing.split, folderSet(folder, listing, classes)])),
  };
}

/**
 * Splits and their sub-folders, or all in the folder itself. One sub-folder "train" among others is no split: it may
 * well be the class of the trains.
 */
function splitFolders(folder: string): [split: string, path: string][] {
  const children: string[] = [];
  for (const entry of entriesOf(folder)) if (!isHidden(entry) && isFolder(folder, entry)) children.push(entry.name);
  const splits = [...splitNames].flatMap(([name, split]) =>
    children.filter((child) => child.toLowerCase() === name).map((child): [string, string] => [split, child]),
  );
  if (!splits.length || (splits.length === 1 && children.length > 1)) return [["all", ""]];
  refuseStrays(folder, splits);
  for (const [i, [split, path]] of splits.entries()) {
    const earlier = splits.slice(0, i).find(([other]) => other === split)?.[1];
    if (earlier) throw new UsageError(`${folder}: "${earlier}" and "${path}" are the same split. Merge or rename one.`);
  }
  return splits;
}

/** Images beside the splits would be left out without a word. */
function refuseStrays(folder: string, splits: readonly [split: string, path: string][]): void {
  const paths = splits.map(([, path]) => path);
  for (const entry of entriesOf(folder)) {
    if (isHidden(entry) || paths.includes(entry.name)) continue;
    const stray = isFolder(folder, entry) ? holdsImages(join(folder, entry.name)) : isImage(entry.name);
    if (stray) {
      throw new UsageError(
        `${folder}: "${entry.name}" is in none of the splits ${paths.join(", ")}. Move it into one, or elsewhere.`,
      );
    }
  }
}

/** Whether there is an image in a folder or just below. */
function holdsImages(folder: string, depth = 1): boolean {
  for (const entry of entriesOf(folder)) {
    if (isHidden(entry)) continue;
    if (isFolder(folder, entry) ? depth > 0 && holdsImages(join(folder, entry.name), depth - 1) : isImage(entry.name))
      return true;
  }
  return false;
}

const isImage = (name: string) => EXTENSIONS.test(name);

/** File names packed end to end, and the folder that each is in. */
export class FileTable {
  private names = Buffer.alloc(1 << 12);
  private used = 0;
  private offsets = new Uint32Array(1 << 8);
  private folderOf = new Uint32Array(1 << 8);
  readonly folders: string[] = [];
  length = 0;

  /** Files of one folder must follow one another. */
  add(folder: string, name: string): void {
    if (this.folders.at(-1) !== folder) this.folders.push(folder);
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

  /** The path, with its folder. */
  path(i: number): string {
    if (!(i >= 0 && i < this.length)) throw new RangeError(`image ${i} of ${this.length}`);
    const folder = this.folders[this.folderIndex(i)] ?? "";
    return join(folder, this.names.toString("utf8", this.offsets[i], this.offsets[i + 1]));
  }

  /** Where the folder of file i stands in `folders`. */
  folderIndex(i: number): number {
    return this.folderOf[i] ?? -1;
  }
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * array.length);
  larger.set(array);
  return larger;
}

interface Listing {
  split: string;
  /** The split's sub-folder of the collection. */
  path: string;
  table: FileTable;
  /** Of all names, sizes and dates. */
  digest: string;
}

function folderSet(root: string, listing: Listing, classes: readonly string[] | undefined): ImageSet {
  const { split, path, table, digest } = listing;
  const labelled = classes && isLabelled(listing);
  const numbers = new Map(classes?.map((name, i) => [name, i]));
  const labels = table.folders.map((folder) => (labelled ? numbers.get(classOf(folder)) : undefined));
  return {
    name: split,
    length: table.length,
    ...(labelled && { classes }),
    label: (i) => labels[table.folderIndex(i)] ?? -1,
    id: (i) => join(path, table.path(i)),
    group: (i) => i,
    read: async (i) => ({ encoded: await readFile(join(root, path, table.path(i))) }),
    fingerprint: hash([root, path, digest]),
  };
}

/** The uppermost sub-folder, or "". */
function classOf(folder: string): string {
  return folder.split(sep, 1)[0] ?? "";
}

/** Whether every image lies in a sub-folder. */
function isLabelled({ split, table }: Listing): boolean {
  return split !== "unlabelled" && !table.folders.includes("");
}

/** The classes of all splits together: one that a split lacks must not shift the numbers of the others. */
function sharedClasses(listings: readonly Listing[]): string[] | undefined {
  const names = new Set(listings.filter(isLabelled).flatMap(({ table }) => table.folders.map(classOf)));
  return names.size < 2 ? undefined : [...names].sort();
}

/** Depth first in order of names, so that a listing is the same on every machine. */
function listImages(root: string, split: string, path: string): Listing {
  const table = new FileTable();
  const digest = createHash("sha256");
  const others = new Set<string>();
  const visit = (relative: string, ancestors: readonly string[]): void => {
    const folder = join(root, path, relative);
    const real = readable(folder, () => realpathSync(folder));
    if (ancestors.includes(real)) return; // a link back up
    const folders: string[] = [];
    const files: string[] = [];
    for (const entry of entriesOf(folder)) {
      if (isHidden(entry)) continue;
      if (isFolder(folder, entry)) folders.push(entry.name);
      else if (isImage(entry.name)) files.push(entry.name);
      else others.add(extname(entry.name) || entry.name);
    }
    for (const name of files.sort()) {
      const stats = statIfThere(join(folder, name));
      if (!stats?.isFile()) continue;
      table.add(relative, name);
      digest.update(`${join(relative, name)} ${stats.size} ${stats.mtimeMs}\n`);
    }
    for (const name of folders.sort()) visit(join(relative, name), [...ancestors, real]);
  };
  visit("", []);
  if (!table.length) throw noImages(join(root, path), others);
  return { split, path, table, digest: digest.digest("hex") };
}

function noImages(folder: string, others: ReadonlySet<string>): UsageError {
  const found = others.size ? `only ${[...others].slice(0, 5).join(", ")}` : "it is empty";
  return new UsageError(
    `${folder} holds no images, nor do its sub-folders: ${found}. Expected jpg, png, webp, bmp, gif, tiff, avif or svg files.`,
  );
}

function isHidden(entry: Dirent): boolean {
  return entry.name.startsWith(".");
}

/** Links are followed. */
function isFolder(parent: string, entry: Dirent): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return statIfThere(join(parent, entry.name))?.isDirectory() ?? false;
}

/** Undefined for a link to nowhere, or to itself. */
function statIfThere(path: string): Stats | undefined {
  return readable(path, () => {
    try {
      return statSync(path);
    } catch (error) {
      if (["ENOENT", "ELOOP"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
      throw error;
    }
  });
}

/**
 * What a folder holds, one after another: a list of a million entries would take more memory than all that is kept.
 * @throws UsageError when it cannot be read
 */
export function* entriesOf(folder: string): Generator<Dirent> {
  const open = readable(folder, () => opendirSync(folder, { bufferSize: 1024 }));
  try {
    for (let entry = open.readSync(); entry; entry = open.readSync()) yield entry;
  } finally {
    open.closeSync();
  }
}

function readable<Result>(path: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: ${(cause as Error).message}. Check its permissions.`, { cause });
  }
}
