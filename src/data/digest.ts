/** Identifies images by their content. Names, folders and dates do not count. */
import { createHash } from "node:crypto";
import { refuseAborted } from "../interrupt.ts";
import { imagesAtOnce } from "./at-once.ts";
import type { ImageData, ImageSet } from "./images.ts";
import { greySquare, Looks } from "./looks.ts";

/** 128-bit hash in hexadecimal: of the file's bytes, or of the size and pixels if there is no file. */
export function imageDigest(image: ImageData): string {
  const digest = createHash("sha256");
  if ("pixels" in image) digest.update(`${image.width}x${image.height} `).update(image.pixels);
  else digest.update(image.encoded);
  return digest.digest("hex").slice(0, 32);
}

export interface ReadHooks {
  onRead?: ((done: number, total: number) => void) | undefined;
  /** Aborts the reading. */
  signal?: AbortSignal | undefined;
}

/**
 * Reads every image of a set and returns their digests, "" for an image that cannot be read.
 * @throws InterruptedError when the signal aborts
 */
export async function digestsOf(set: ImageSet, hooks: ReadHooks = {}): Promise<string[]> {
  const digests = new Array<string>(set.length).fill("");
  await readEach(set, hooks, (i, image) => {
    digests[i] = imageDigest(image);
  });
  return digests;
}

/** What a set's images are by their content. */
export interface Contents {
  /** "" for an image that cannot be read. */
  digests: string[];
  looks: Looks;
}

/**
 * Reads every image of a set once, and decodes it small. Nothing is kept for later: each command does it again. On two cores, 5,000
 * JPEGs take 5 seconds if they are 128 pixels wide, 13 at 640, 26 at 1,600 and two minutes at 4,000.
 * @throws InterruptedError when the signal aborts
 */
export async function contentsOf(set: ImageSet, hooks: ReadHooks = {}): Promise<Contents> {
  const digests = new Array<string>(set.length).fill("");
  const looks = new Looks(set.length);
  await readEach(set, hooks, async (i, image) => {
    digests[i] = imageDigest(image);
    looks.put(i, await greySquare(image));
  });
  return { digests, looks };
}

/** Visits every image that can be read, several at a time. Errors of `visit` are those of the image. */
async function readEach(
  set: ImageSet,
  { onRead, signal }: ReadHooks,
  visit: (i: number, image: ImageData) => void | Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < set.length) {
      refuseAborted(signal, "the images were read");
      const i = next++;
      onRead?.(i, set.length);
      try {
        await visit(i, await set.read(i));
      } catch {
        // openPixels counts and names unreadable images
      }
    }
  };
  await Promise.all(Array.from({ length: imagesAtOnce() }, worker));
}
