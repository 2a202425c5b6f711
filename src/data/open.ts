/** Opens whatever `<images>` names on the command line: a folder, a file of a known format, or a data set. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { nearest, UsageError } from "../errors.ts";
import { isCifar, openCifar } from "./cifar.ts";
import { type DatasetName, datasets, openDataset } from "./datasets.ts";
import type { FileTable } from "./file-table.ts";
import { openFolder } from "./folder.ts";
import { byFolder, keepGroups } from "./groups.ts";
import { isIdx, openIdx } from "./idx.ts";
import type { ImageCollection } from "./images.ts";
import { withLabels } from "./label-file.ts";
import { plural, some } from "./names.ts";
import { findParquet, isParquet } from "./parquet.ts";
import { scanFolder } from "./scan.ts";

export interface OpenOptions {
  /** A table with the columns path, label and perhaps split: see label-file.ts. */
  labels?: string | undefined;
  /** What keeps images on one side of every split: a column of that table, or `folder` for their own sub-folder. */
  group?: string | undefined;
  /** Called with lines about the progress of a download. */
  say?: ((line: string) => void) | undefined;
}

/**
 * Opens a folder of images (nested, flat or one sub-folder per class), Parquet, IDX or CIFAR files, or a known data set.
 * An existing path takes precedence. A data set is looked for in `$SELFSIGHT_DATA` and the cache, else downloaded.
 * @throws UsageError for a source that does not exist, cannot be read, holds no images or has an unknown format; for a
 *   table of labels that does not fit the images; and for groups that do not fit the splits
 */
export async function openImages(source: string, { labels, group, say }: OpenOptions = {}): Promise<ImageCollection> {
  const column = group === FOLDER ? undefined : group;
  if (column !== undefined && labels === undefined)
    throw new UsageError(
      `--group ${column} is a column of a table: name that with --labels. --group ${FOLDER} groups by sub-folder.`,
    );
  const found = await openSource(source, { say, known: labels });
  const root = existsSync(source) ? source : undefined;
  const labelled = labels === undefined ? found : withLabels(found, { file: labels, root, group: column });
  if (group === undefined) return labelled;
  return keepGroups(column === undefined ? byFolder(labelled) : labelled, group);
}

/** Groups images by their own sub-folder. */
const FOLDER = "folder";

/** @param known a file that needs no note if it lies among the images */
async function openSource(
  source: string,
  { say, known }: { say: OpenOptions["say"]; known: string | undefined },
): Promise<ImageCollection> {
  if (existsSync(source)) return openPath(source, undefined, known);
  if (Object.hasOwn(datasets, source)) return openDataset(source as DatasetName, openPath, say);
  const names = Object.keys(datasets);
  const guess = nearest(source, names) ?? neighbour(source);
  const hint = guess ? `Did you mean "${guess}"? ` : "";
  throw new UsageError(`There is no file or folder "${source}". ${hint}Known data sets: ${names.join(", ")}.`);
}

/** A path in the same folder with nearly the same name. */
function neighbour(path: string): string | undefined {
  try {
    const name = nearest(basename(path), readdirSync(dirname(path)));
    return name && join(dirname(path), name);
  } catch {
    return undefined;
  }
}

/** Looks into files of a format; undefined if they hold no images after all. `needed`: there is nothing else to open. */
type Look = (
  root: string,
  paths: readonly string[],
  about: { name: string; needed: boolean; classes?: readonly string[] | undefined },
) => Promise<Candidate | undefined>;

interface Candidate {
  /** Number of images. */
  images: number;
  open(): Promise<ImageCollection>;
}

/** Formats with many images in a file, recognised by file name. Anything else is a folder of image files. */
const formats: readonly { is: (name: string) => boolean; look: Look }[] = [
  { is: isParquet, look: findParquet },
  { is: isIdx, look: together(openIdx) },
  { is: isCifar, look: together(openCifar) },
];
const isCollection = (name: string) => formats.some(({ is }) => is(name));

/** For formats whose files are opened together: takes those of one folder, the topmost that has any. */
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
      return undefined; // it only has such a file's name
    }
  };
}

/** `classes` names the classes of a format that only numbers them. */
async function openPath(path: string, classes?: readonly string[], known?: string): Promise<ImageCollection> {
  const name = basename(resolve(path));
  if (statSync(path).isDirectory()) return openTree(hubSnapshot(path), { name, classes, known });
  const format = formats.find(({ is }) => is(name));
  const found = await format?.look(dirname(path), [name], { name, needed: true, classes });
  if (found) return found.open();
  throw new UsageError(
    `${path} is of no known format. Expected a folder of images, or .parquet, IDX (-ubyte, -ubyte.gz) or CIFAR (.bin) files.`,
  );
}

/** Opens either the image files or the files of one other format, whichever hold more images. The rest is noted. */
async function openTree(
  root: string,
  { name, classes, known }: { name: string; classes: readonly string[] | undefined; known: string | undefined },
): Promise<ImageCollection> {
  const scan = scanFolder(root, { isCollection, known });
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
  if (!best || best.images < images.length) return { ...(await openFolder(scan, known !== undefined)), name };
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

/** The Hub's cache keeps a set in snapshots/<commit>, as links to files without proper names. */
function hubSnapshot(folder: string): string {
  const [refs, snapshots] = [join(folder, "refs", "main"), join(folder, "snapshots")];
  if (!existsSync(refs) || !existsSync(snapshots)) return folder;
  const snapshot = join(snapshots, readFileSync(refs, "utf8").trim());
  return existsSync(snapshot) ? snapshot : folder;
}
