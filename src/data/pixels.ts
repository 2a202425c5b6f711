/**
 * Decoded images: each is decoded once, then kept in memory, or where that is too small in a packed file of the cache
 * that later runs open without decoding anything.
 */
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism, freemem } from "node:os";
import { join } from "node:path";
import { SelfsightError } from "../errors.ts";
import { randomAt, shuffle } from "../random.ts";
import { cacheDir } from "../setup/paths.ts";
import { decodeImage, imageSize } from "./decode.ts";
import { hash, type ImageSet } from "./images.ts";

export interface PixelStore {
  /** Images that could be decoded. */
  readonly length: number;
  /** Side of each, in pixels. */
  readonly size: number;
  /** Where each stands in the set. */
  readonly source: Int32Array;
  /** What could not be decoded, and why. */
  readonly skipped: readonly { id: string; reason: string }[];
  /** B × size × size × 3 bytes, RGB. */
  get(indices: ArrayLike<number>): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface PixelOptions {
  /** Side of the square images, in pixels. */
  size: number;
  /** Sets larger than this go to a file; default: a quarter of the free memory. */
  memoryLimitBytes?: number;
  /** Where such files are; default: the user's cache. */
  cache?: string;
  onProgress?: (done: number, total: number) => void;
}

/** More than this part of unreadable images is no accident. */
const TOLERATED = 0.05;

/**
 * Decodes a set on all cores.
 * @throws SelfsightError when more than 5 % of the images cannot be decoded
 */
export async function openPixels(set: ImageSet, options: PixelOptions): Promise<PixelStore> {
  const { size, memoryLimitBytes = freemem() / 4, cache = join(cacheDir(), "pixels") } = options;
  const bytes = size * size * 3;
  if (set.length * bytes <= memoryLimitBytes) {
    const pixels = new Uint8Array(set.length * bytes);
    const skipped = await decodeAll(set, options, (i, image) => pixels.set(image, i * bytes));
    return inMemory(pixels, { set, size, skipped });
  }
  const file = join(cache, `${hash([set.fingerprint, String(size)])}.rgb`);
  const skipped = (await readSkipped(file)) ?? (await pack(set, options, file));
  return inFile(await open(file, "r"), { set, size, skipped });
}

/** By position in the set. */
type Skipped = ReadonlyMap<number, string>;

async function decodeAll(
  set: ImageSet,
  { size, onProgress }: PixelOptions,
  put: (i: number, image: Uint8Array) => unknown,
): Promise<Skipped> {
  const skipped = new Map<number, string>();
  let next = 0;
  let done = 0;
  const worker = async () => {
    while (next < set.length) {
      const i = next++;
      try {
        await put(i, await decodeImage(await set.read(i), size));
      } catch (error) {
        if (isDiskError(error)) throw error;
        skipped.set(i, (error as Error).message);
      }
      onProgress?.(++done, set.length);
    }
  };
  // Two images a core in flight: one decodes while the next is read.
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, worker));
  if (skipped.size > TOLERATED * set.length) throw tooMany(set, skipped);
  return new Map([...skipped].sort(([a], [b]) => a - b));
}

function isDiskError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOSPC" && (error as NodeJS.ErrnoException).syscall === "write";
}

function tooMany(set: ImageSet, skipped: Skipped): SelfsightError {
  const some = [...skipped].slice(0, 5).map(([i, reason]) => `  ${set.id(i)}: ${reason}`);
  return new SelfsightError(
    `${skipped.size} of ${set.length} images in ${set.name} cannot be read (more than ${TOLERATED * 100} %). ` +
      `Remove or mend them:\n${some.join("\n")}${skipped.size > 5 ? "\n  …" : ""}`,
  );
}

interface Contents {
  set: ImageSet;
  size: number;
  skipped: Skipped;
}

function describe({ set, size, skipped }: Contents): Pick<PixelStore, "length" | "size" | "source" | "skipped"> {
  const source = Int32Array.from({ length: set.length }, (_, i) => i).filter((i) => !skipped.has(i));
  return {
    length: source.length,
    size,
    source,
    skipped: [...skipped].map(([i, reason]) => ({ id: set.id(i), reason })),
  };
}

function inMemory(pixels: Uint8Array, contents: Contents): PixelStore {
  const bytes = contents.size ** 2 * 3;
  const description = describe(contents);
  return {
    ...description,
    async get(indices) {
      const batch = new Uint8Array(indices.length * bytes);
      for (let i = 0; i < indices.length; i++) {
        const at = (description.source[indices[i] ?? -1] ?? Number.NaN) * bytes;
        batch.set(pixels.subarray(at, at + bytes), i * bytes);
      }
      return batch;
    },
    close: async () => {},
  };
}

function inFile(file: FileHandle, contents: Contents): PixelStore {
  const bytes = contents.size ** 2 * 3;
  const description = describe(contents);
  return {
    ...description,
    async get(indices) {
      const batch = new Uint8Array(indices.length * bytes);
      const reads = Array.from(indices, (index, i) =>
        file.read(batch, i * bytes, bytes, (description.source[index] ?? 0) * bytes),
      );
      await Promise.all(reads);
      return batch;
    },
    close: () => file.close(),
  };
}

/** The list of what was skipped is written last: where it is, the packed file is complete. */
async function readSkipped(file: string): Promise<Skipped | undefined> {
  try {
    await stat(file);
    return new Map(JSON.parse(await readFile(`${file}.json`, "utf8")) as [number, string][]);
  } catch {
    return undefined;
  }
}

async function pack(set: ImageSet, options: PixelOptions, file: string): Promise<Skipped> {
  await mkdir(join(file, ".."), { recursive: true });
  const part = `${file}.${process.pid}.part`;
  const bytes = options.size ** 2 * 3;
  const handle = await open(part, "w");
  try {
    const skipped = await decodeAll(set, options, (i, image) => handle.write(image, 0, bytes, i * bytes));
    await handle.truncate(set.length * bytes);
    await handle.close();
    await rename(part, file);
    await writeFile(`${file}.json`, JSON.stringify([...skipped]));
    return skipped;
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(part, { force: true });
    if (!isDiskError(error)) throw error;
    throw new SelfsightError(
      `No room in the cache: ${file} needs ${((set.length * bytes) / 1e6).toFixed(0)} MB. Make room, or set SELFSIGHT_CACHE to another disk.`,
      { cause: error },
    );
  }
}

/**
 * How large to keep images that are cropped at random for a network's input: twice its side, so that a crop of a
 * quarter of the area still has real pixels, but no larger than the images are (median of 32) and no smaller than the input.
 */
export async function decodeSizeFor(set: ImageSet, inputSize: number): Promise<number> {
  const sample = Array.from({ length: Math.min(32, set.length) }, (_, k) =>
    Math.floor((k * set.length) / Math.min(32, set.length)),
  );
  const sides: number[] = [];
  for (const i of sample) {
    try {
      const { width, height } = await imageSize(await set.read(i));
      sides.push(Math.min(width, height));
    } catch {
      // openPixels counts and names what cannot be read
    }
  }
  const median = sides.sort((a, b) => a - b)[sides.length >> 1] ?? inputSize;
  return Math.max(inputSize, Math.min(2 * inputSize, median));
}

/** The order of the images in one epoch, from the seed and the epoch's number alone. */
export function epochOrder(length: number, seed: number, epoch: number): Int32Array {
  return shuffle(
    Int32Array.from({ length }, (_, i) => i),
    randomAt(seed, 0, epoch),
  );
}
