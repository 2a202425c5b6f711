/** Opens whatever `<images>` names on the command line: a folder, a file of a known format, a data set's name. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { nearest, UsageError } from "../errors.ts";
import { isCifar, openCifar } from "./cifar.ts";
import { type DatasetName, datasets, openDataset } from "./datasets.ts";
import type { FileTable } from "./file-table.ts";
import { openFolder } from "./folder.ts";
import { isIdx, openIdx } from "./idx.ts";
import type { ImageCollection } from "./images.ts";
import { plural, some } from "./names.ts";
import { findParquet, isParquet } from "./parquet.ts";
import { scanFolder } from "./scan.ts";

export interface OpenOptions {
  /** Is told, now and then, how a download goes. */
  say?: ((line: string) => void) | undefined;
}

/**
 * The images of a folder (nested, flat or a sub-folder a class), of Parquet, IDX or CIFAR files, or of a known data
 * set, which is looked for in `$SELFSIGHT_DATA` and the cache, and else downloaded. What is there by that name comes first.
 * @throws UsageError for what is not there, cannot be read, holds no images or is of no known format
 */
export async function openImages(source: string, options: OpenOptions = {}): Promise<ImageCollection> {
  if (existsSync(source)) return openPath(source);
  if (Object.hasOwn(datasets, source)) return openDataset(source as DatasetName, openPath, options.say);
  const known = Object.keys(datasets);
  const guess = nearest(source, known) ?? neighbour(source);
  const hint = guess ? `Did you mean "${guess}"? ` : "";
  throw new UsageError(`There is no file or folder "${source}". ${hint}Known data sets: ${known.join(", ")}.`);
}

/** What lies in the same folder under nearly the same name. */
function neighbour(path: string): string | undefined {
  try {
    const name = nearest(basename(path), readdirSync(dirname(path)));
    return name && join(dirname(path), name);
  } catch {
    return undefined;
  }
}

/** Looks into files of a format: undefined when they hold no images after all. `needed`: there is nothing else. */
type Look = (
  root: string,
  paths: readonly string[],
  about: { name: string; needed: boolean; classes?: readonly string[] | undefined },
) => Promise<Candidate | undefined>;

interface Candidate {
  /** How many images there are. */
  images: number;
  open(): Promise<ImageCollection>;
}

/** Formats of which one file holds many images, by the files' names. All else is a folder of image files. */
const formats: readonly { is: (name: string) => boolean; look: Look }[] = [
  { is: isParquet, look: findParquet },
  { is: isIdx, look: together(openIdx) },
  { is: isCifar, look: together(openCifar) },
];
const isCollection = (name: string) => formats.some(({ is }) => is(name));

/** Files that are read at once, all of one folder: the uppermost that has some. */
function together(
  open: (name: string, files: readonly string[], classes?: readonly string[]) => ImageCollection,
): Look {
  return async (root, paths, { name, needed, classes }) => {
    const depth = (path: string) => path.split(/[\\/]/).length;
    const [first = ""] = [...paths].sort((a, b) => depth(a) - depth(b));
    const files = paths.filter((path) => dirname(path) === dirname(first)).sort();
    try {
      const collection = open(
        name,
        files.map((path) => join(root, path)),
        classes,
      );
      const images = Object.values(collection.splits).reduce((sum, { length }) => sum + length, 0);
      return { images, open: async () => collection };
    } catch (error) {
      if (needed || !(error instanceof UsageError)) throw error;
      return undefined; // only called like such a file
    }
  };
}

/** `classes` names the classes of a format that only numbers them. */
async function openPath(path: string, classes?: readonly string[]): Promise<ImageCollection> {
  const name = basename(resolve(path));
  if (statSync(path).isDirectory()) return openTree(hubSnapshot(path), { name, classes });
  const format = formats.find(({ is }) => is(name));
  const found = await format?.look(dirname(path), [name], { name, needed: true, classes });
  if (found) return found.open();
  throw new UsageError(
    `${path} is of no known format. Expected a folder of images, or .parquet, IDX (-ubyte, -ubyte.gz) or CIFAR (.bin) files.`,
  );
}

/** Of images and of files that hold many, what there is more of. The rest is noted. */
async function openTree(
  root: string,
  { name, classes }: { name: string; classes: readonly string[] | undefined },
): Promise<ImageCollection> {
  const scan = scanFolder(root, { isCollection });
  const { images, collections, metadata, leftOut } = scan;
  if (!images.length && !collections.length) collections.push(...metadata.filter(isParquet));
  const candidates: (Candidate & { paths: string[] })[] = [];
  for (const { is, look } of formats) {
    const paths = collections.filter((path) => is(basename(path)));
    const needed = !images.length && !candidates.length;
    const found = paths.length ? await look(root, paths, { name, needed, classes }) : undefined;
    if (found) candidates.push({ ...found, paths });
  }
  const [best] = candidates.sort((a, b) => b.images - a.images);
  const kept = best && best.images >= images.length ? best.paths : [];
  for (const path of collections) if (!kept.includes(path)) leftOut.add("other", path);
  if (!best || best.images < images.length) return { ...(await openFolder(scan)), name };
  const beside = images.length
    ? [
        `${plural(images.length, "image file")} beside them ${images.length === 1 ? "was" : "were"} left out: ${some(firstOf(images), images.length)}.`,
      ]
    : [];
  const collection = await best.open();
  const notes = [...(collection.notes ?? []), ...beside];
  return { ...collection, ...(notes.length && { notes }) };
}

function firstOf(images: FileTable): string[] {
  return Array.from({ length: Math.min(3, images.length) }, (_, i) => images.path(i));
}

/** In the Hub's cache a set lies in snapshots/<commit>, of links to files without a name. */
function hubSnapshot(folder: string): string {
  const [refs, snapshots] = [join(folder, "refs", "main"), join(folder, "snapshots")];
  if (!existsSync(refs) || !existsSync(snapshots)) return folder;
  const snapshot = join(snapshots, readFileSync(refs, "utf8").trim());
  return existsSync(snapshot) ? snapshot : folder;
}
