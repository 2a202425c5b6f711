/** Opens whatever `<images>` names on the command line: a folder, a file of a known format, a data set's name. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { nearest, UsageError } from "../errors.ts";
import { isCifar, openCifar } from "./cifar.ts";
import { type DatasetName, datasets, openDataset } from "./datasets.ts";
import { entriesOf, openFolder } from "./folder.ts";
import { isIdx, openIdx } from "./idx.ts";
import type { ImageCollection } from "./images.ts";
import { isParquet, openParquet } from "./parquet.ts";

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

/** Formats that are files, by their names. All else is a folder of image files. */
const formats = [
  { is: isParquet, open: openParquet },
  { is: isIdx, open: openIdx },
  { is: isCifar, open: openCifar },
] as const;

/** `classes` names the classes of a format that only numbers them. */
async function openPath(path: string, classes?: readonly string[]): Promise<ImageCollection> {
  const folder = statSync(path).isDirectory() ? path : undefined;
  const names = folder === undefined ? [basename(path)] : knownFilesIn(folder);
  for (const { is, open } of formats) {
    const files = names.filter(is).map((name) => join(folder ?? dirname(path), name));
    if (files.length) return open(basename(path), files, classes);
  }
  if (folder !== undefined) return openFolder(folder);
  throw new UsageError(
    `${path} is of no known format. Expected a folder of images, or .parquet, IDX (-ubyte, -ubyte.gz) or CIFAR (.bin) files.`,
  );
}

/** Only what is of a known format: a folder may hold a million pictures. */
function knownFilesIn(folder: string): string[] {
  const names: string[] = [];
  for (const { name } of entriesOf(folder)) if (formats.some(({ is }) => is(name))) names.push(name);
  return names.sort();
}
