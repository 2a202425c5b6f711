/** What a task is shown of the images before training. */
import { expect, test } from "vitest";
import type { PixelStore } from "../../src/data/pixels.ts";
import type { TrainingConfig } from "../../src/run/options.ts";
import { describeImages } from "../../src/train/batches.ts";

/** Blank images of `size` pixels: what they hold does not matter. */
const blank = (length: number, size: number): PixelStore => ({
  ...{ length, size, source: Int32Array.from({ length }, (_, i) => i), skipped: [] },
  get: async (indices) => new Uint8Array(indices.length * 3 * size ** 2),
  close: async () => {},
});

test.each([
  [40, 64, 40],
  [300, 64, 256],
  [300, 256, 256],
  [300, 1024, 21],
  [300, 2048, 16],
])("of %d images of %d pixels, %d are a task's sample", async (length, size, count) => {
  const images = { store: blank(length, size), labels: null, classes: null };
  const { pixels } = await describeImages(images, { imageSize: size / 2 } as TrainingConfig);
  expect(pixels.length / (3 * size ** 2)).toBe(count);
});
