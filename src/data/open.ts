/** Opens whatever `<images>` names on the command line: a folder, a file of a known format, a data set's name. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { nearest, UsageError } from "../errors.ts";
import { isCifarFolder, openCifar } from "./cifar.ts";
import { type DatasetName, datasets } from "./datasets.ts";
import { openFolder, unreadable } from "./folder.ts";
import { isIdx, openIdx } from "./idx.ts";
import type { ImageCollection } from "./images.ts";
import { openParquet } from "./parquet.ts";

/**
 * The images of a folder (nested, flat or a sub-folder a class), Parquet, IDX or CIFAR files, or a known data set.
 * @throws UsageError for what is not there, holds no images, or is of no known format
 */
export async function openImages(source: string): Promise<ImageCollection> {
  if (Object.hasOwn(datasets, source) && !existsSync(source)) {
    const found = await datasets[source as DatasetName].locate();
    return { ...(typeof found === "string" ? await openPath(found) : found), name: source };
  }
  if (!existsSync(source)) {
    const guess = nearest(source, Object.keys(datasets));
    const hint = guess ? `Did you mean the data set "${guess}"? ` : "";
    throw new UsageError(
      `There is no file or folder "${source}". ${hint}Known data sets: ${Object.keys(datasets).join(", ")}.`,
    );
  }
  return openPath(source);
}

async function openPath(path: string): Promise<ImageCollection> {
  const name = basename(path);
  const folder = statSync(path).isDirectory();
  const files = folder ? filesIn(path) : [path];
  const parquet = files.filter((file) => file.endsWith(".parquet"));
  if (parquet.length) return openParquet(name, parquet);
  const idx = files.filter(isIdx);
  if (idx.length) return openIdx(name, idx);
  if (isCifarFolder(files)) return openCifar(name, files);
  if (folder) return openFolder(path);
  throw new UsageError(
    `${path} is of no known format. Expected a folder of images, or .parquet, IDX (-ubyte, -ubyte.gz) or CIFAR (.bin) files.`,
  );
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(folder, entry.name))
      .sort();
  } catch (cause) {
    throw unreadable(folder, cause);
  }
}
