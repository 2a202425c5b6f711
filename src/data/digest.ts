/** Identifies images by their content. Names, folders and dates do not count. */
import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { InterruptedError } from "../errors.ts";
import type { ImageData, ImageSet } from "./images.ts";

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
export async function digestsOf(set: ImageSet, { onRead, signal }: ReadHooks = {}): Promise<string[]> {
  const digests = new Array<string>(set.length).fill("");
  let next = 0;
  const worker = async () => {
    while (next < set.length) {
      if (signal?.aborted) throw new InterruptedError("Interrupted while the images were read.");
      const i = next++;
      onRead?.(i, set.length);
      try {
        digests[i] = imageDigest(await set.read(i));
      } catch {
        // openPixels counts and names unreadable images
      }
    }
  };
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, worker));
  return digests;
}
