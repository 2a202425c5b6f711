/**
 * Decoded images: each is decoded once, then kept in memory. If that is too small, they go to a packed file in the cache,
 * which later runs open without decoding anything.
 */
import { constants } from "node:buffer";
import { join } from "node:path";
import { SelfsightError, UsageError } from "../errors.ts";
import { refuseAborted } from "../interrupt.ts";
import { randomAt, shuffle } from "../random.ts";
import { cacheDir } from "../setup/paths.ts";
import { imagesAtOnce } from "./at-once.ts";
import { decodeImage, imageSize } from "./decode.ts";
import { imageDigest } from "./digest.ts";
import { hash, type ImageSet, spreadOver } from "./images.ts";
import { some } from "./names.ts";
import { type Decoded, openPacked, type Put, readAll, type Skipped } from "./packed.ts";

export interface PixelStore {
  /** Number of images that could be decoded. */
  readonly length: number;
  /** Side of each image, in pixels. */
  readonly size: number;
  /** Position of each image in the set. */
  readonly source: Int32Array;
  /** Images that could not be decoded, and why. */
  readonly skipped: readonly { id: string; reason: string }[];
  /** B × size × size × 3 bytes, RGB. @throws UsageError for an index that is not below `length` */
  get(indices: ArrayLike<number>): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A store of a set that was read completely. */
export interface DecodedStore extends PixelStore {
  /** Content hash of each stored image: see `imageDigest`. */
  readonly digests: readonly string[];
}

export interface PixelOptions {
  /** Side of the square images, in pixels. */
  size: number;
  /** Sets larger than this go to a file; default: a quarter of the memory that this process may still use. */
  memoryLimitBytes?: number;
  /** Folder of such files; default: the user's cache. */
  cache?: string;
  /** A larger fraction of unreadable images is an error; default: 0.05. */
  tolerated?: number | undefined;
  onProgress?: ((done: number, total: number) => void) | undefined;
  /** Aborts the decoding. */
  signal?: AbortSignal | undefined;
}

const TOLERATED = 0.05;

/** Bump when decoding changes, so that older files in the cache are not used. */
const DECODER = 4;

/**
 * Decodes a set on as many cores as may compute.
 * @throws SelfsightError when too many images cannot be decoded (see {@link refuseUnreadable}), or the cache's disk is full;
 *   InterruptedError when the signal aborts
 */
export async function openPixels(set: ImageSet, options: PixelOptions): Promise<DecodedStore> {
  const store = await decodedStore(set, options);
  try {
    refuseUnreadable(set, store.skipped, options.tolerated); // here: a packed file may be of an earlier, more tolerant call
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function decodedStore(set: ImageSet, options: PixelOptions): Promise<DecodedStore> {
  const { size, memoryLimitBytes = process.availableMemory() / 4, cache = join(cacheDir(), "pixels") } = options;
  const bytes = size * size * 3;
  const total = set.length * bytes;
  const fill = (put: Put) => decodeAll(set, options, put);
  if (total <= Math.min(memoryLimitBytes, constants.MAX_LENGTH)) {
    const pixels = new Uint8Array(total);
    const decoded = await fill((i, image) => pixels.set(image, i * bytes));
    const read: Read = (target, position) => target.set(pixels.subarray(position, position + target.length));
    return { ...createStore({ set, size, ...decoded }, read), close: async () => {} };
  }
  const file = join(cache, `${hash([set.fingerprint, String(size), String(DECODER)])}.rgb`);
  const { handle, ...decoded } = await openPacked(file, { count: set.length, bytes }, fill);
  const read: Read = (target, position) => readAll(handle, target, position);
  return { ...createStore({ set, size, ...decoded }, read), close: () => handle.close() };
}

async function decodeAll(set: ImageSet, options: PixelOptions, put: Put): Promise<Decoded> {
  const { size, onProgress, signal } = options;
  const skipped = new Map<number, string>();
  const digests = new Array<string>(set.length).fill("");
  let [next, done] = [0, 0];
  let unread = false;
  const worker = async () => {
    const image = new Uint8Array(size * size * 3); // reused: `put` is done with it before the next image
    while (next < set.length) {
      refuseAborted(signal, "the images were decoded");
      const i = next++;
      const result = await decodeOne(set, i, size, image);
      if ("reason" in result) {
        skipped.set(i, result.reason);
        unread ||= result.unread;
      } else {
        digests[i] = result.digest;
        await put(i, image);
      }
      onProgress?.(++done, set.length);
    }
  };
  // When one worker fails, all stop.
  const workers = Array.from({ length: imagesAtOnce() }, () =>
    worker().catch((error) => {
      next = set.length;
      throw error;
    }),
  );
  const failed = (await Promise.allSettled(workers)).find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  return { skipped: new Map([...skipped].sort(([a], [b]) => a - b)), digests, unread }; // workers finish in any order
}

/** Decodes an image into `into`, or says why it cannot, and whether its file could not be read. */
async function decodeOne(
  set: ImageSet,
  i: number,
  size: number,
  into: Uint8Array,
): Promise<{ digest: string } | { reason: string; unread: boolean }> {
  let unread = true;
  try {
    const image = await set.read(i);
    unread = false;
    await decodeImage(image, size, into);
    return { digest: imageDigest(image) };
  } catch (error) {
    const { message, cause = error } = error as Error;
    return { reason: message, unread: unread && "code" in (cause as object) }; // the disk's, not what is in the file
  }
}

const named = (set: ImageSet, skipped: Skipped) => [...skipped].map(([i, reason]) => ({ id: set.id(i), reason }));

/** @throws SelfsightError when more than this fraction of a set's images cannot be decoded; default: 0.05 */
export function refuseUnreadable(
  { name, length }: Pick<ImageSet, "name" | "length">,
  skipped: PixelStore["skipped"],
  tolerated = TOLERATED,
): void {
  if (skipped.length <= tolerated * length) return;
  const first = skipped.slice(0, 5).map(({ id, reason }) => `  ${id}: ${reason}`);
  throw new SelfsightError(
    `${skipped.length} of ${length} images in ${name} cannot be read (more than ${tolerated * 100} %). ` +
      `Remove or fix them:\n${first.join("\n")}${skipped.length > 5 ? "\n  …" : ""}`,
  );
}

/** A sentence about images that could not be read; none if all could. @param all "120 images" */
export function unreadNote(skipped: PixelStore["skipped"], all: string): string[] {
  if (!skipped.length) return [];
  return [`${skipped.length} of ${all} cannot be read: ${some(skipped.map(({ id, reason }) => `${id} (${reason})`))}.`];
}

/** Fills `target` with the decoded bytes from `position`. */
type Read = (target: Uint8Array, position: number) => void | Promise<void>;

function createStore(
  { set, size, skipped, digests }: Decoded & { set: ImageSet; size: number },
  read: Read,
): Omit<DecodedStore, "close"> {
  const bytes = size * size * 3;
  const source = Int32Array.from({ length: set.length }, (_, i) => i).filter((i) => !skipped.has(i));
  return {
    length: source.length,
    size,
    source,
    digests: Array.from(source, (i) => digests[i] as string),
    skipped: named(set, skipped),
    async get(indices) {
      const positions = Array.from(indices, (index) => {
        const at = source[index];
        if (at === undefined) throw new UsageError(`There is no image ${index}: the store holds ${source.length}.`);
        return at * bytes;
      });
      const batch = new Uint8Array(positions.length * bytes);
      await Promise.all(positions.map((at, i) => read(batch.subarray(i * bytes, (i + 1) * bytes), at)));
      return batch;
    },
  };
}

/**
 * Side to keep images at that are randomly cropped for a network's input: twice the input, so that a crop of a quarter
 * of the area is not upsampled, but not larger than the images are (median of 32) and not smaller than the input. For crops that
 * are only shifted, the input itself: nothing is scaled.
 */
export async function decodeSizeFor(
  set: ImageSet,
  inputSize: number,
  crop?: "auto" | "resized" | "shifted",
): Promise<number> {
  if (crop === "shifted") return inputSize;
  const sample = spreadOver(set, 32);
  const sides: number[] = [];
  for (let i = 0; i < sample.length; i++) {
    try {
      const { width, height } = await imageSize(await sample.read(i));
      sides.push(Math.min(width, height));
    } catch {
      // openPixels counts and names unreadable images
    }
  }
  const median = sides.sort((a, b) => a - b)[sides.length >> 1] ?? inputSize;
  return Math.max(inputSize, Math.min(2 * inputSize, median));
}

/** Keeps these draws apart from others of the same seed. */
const EPOCHS = 2;

/** The order of the images in one epoch. It depends only on the seed and the epoch's number. */
export function epochOrder(length: number, seed: number, epoch: number): Int32Array {
  return shuffle(
    Int32Array.from({ length }, (_, i) => i),
    randomAt(seed, EPOCHS, epoch),
  );
}
