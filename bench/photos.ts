/** Folders of JPEG photos, made for one benchmark and removed after it. */
import { copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { SelfsightError } from "../src/errors.ts";
import type { Context } from "./runner.ts";

/** Runs `body` with a new, empty folder, and removes the folder. */
export async function withFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "selfsight-bench-"));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Copies the first `count` photos, by name, of the clothing set's unlabelled split into folder/name. */
export async function copyPhotos(context: Context, folder: string, name: string, count: number): Promise<string> {
  const source = join(dataFolder(context), "clothing", "unlabelled");
  const target = join(folder, name);
  await mkdir(target);
  for (const file of await jpegs(source, count)) await copyFile(join(source, file), join(target, file));
  return target;
}

/** Makes larger photos: the blood cells' 640 × 480, resized to 533 × 400 at quality 85. */
export async function makeLargePhotos(context: Context, folder: string, name: string, count: number): Promise<string> {
  const source = join(dataFolder(context), "bccd", "JPEGImages");
  const target = join(folder, name);
  await mkdir(target);
  for (const file of await jpegs(source, count)) {
    await sharp(join(source, file)).resize(533, 400).jpeg({ quality: 85 }).toFile(join(target, file));
  }
  return target;
}

async function jpegs(folder: string, count: number): Promise<string[]> {
  const files = await readdir(folder).catch(() => []);
  const found = files
    .filter((file) => file.endsWith(".jpg"))
    .sort()
    .slice(0, count);
  if (found.length < count) {
    throw new SelfsightError(`Expected ${count} .jpg files in ${folder}, found ${found.length}.`);
  }
  return found;
}

function dataFolder({ data }: Context): string {
  if (data) return data;
  throw new SelfsightError("This benchmark reads the clothing and bccd photos: set SELFSIGHT_DATA to their folder.");
}
