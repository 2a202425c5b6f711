/** A pixel store of generated images. */
import type { PixelStore } from "../src/data/pixels.ts";

/** @param images size × size × 3 bytes each */
export function memoryStore(size: number, images: readonly Uint8Array[]): PixelStore {
  return {
    length: images.length,
    size,
    source: Int32Array.from(images, (_, i) => i),
    skipped: [],
    get: async (indices) => Buffer.concat(Array.from(indices, (i) => images[i] as Uint8Array)),
    close: async () => {},
  };
}
