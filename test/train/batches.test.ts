/** What a task is shown of the images before training. */
import { expect, test } from "vitest";
import type { TrainingConfig } from "../../src/run/options.ts";
import { describeImages } from "../../src/train/batches.ts";
import { memoryStore } from "../memory-store.ts";

test.each([
  [40, 64, 40],
  [300, 64, 256],
  [300, 256, 256],
  [300, 1024, 21],
  [300, 2048, 16],
])("of %d images of %d pixels, %d are a task's sample", async (length, size, count) => {
  const blank = new Uint8Array(3 * size ** 2); // what they show does not matter
  const images = { store: memoryStore(size, new Array(length).fill(blank)), labels: null, classes: null };
  const { pixels } = await describeImages(images, { imageSize: size / 2 } as TrainingConfig);
  expect(pixels.length / (3 * size ** 2)).toBe(count);
});
