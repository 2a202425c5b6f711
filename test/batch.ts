/** Batches made up for tests: what the training loop would hand to a task. */
import { randomAt } from "../src/random.ts";
import type { Batch, TaskImages, TaskInstance } from "../src/tasks/task.ts";
import { cat, fromTypedArray, randn, resize } from "../src/torch/ops.ts";
import type { Tensor } from "../src/torch/tensor.ts";

export const CLASSES = ["a", "b", "c"];

/** 64 labelled images of noise. */
export function noiseImages(size: number, count = 64): TaskImages {
  return { size, count, classes: CLASSES, sample: smooth(16, size) };
}

/** Pictures of blurred spots (count, 3, size, size). */
const smooth = (count: number, size: number) => resize(randn([count, 3, 6, 6]), size, size).mul(2);

/** Views of `count` images for a task; of two views of one image, the second is a little noisier. */
export function noiseViews({ views = 1 }: Pick<TaskInstance, "views">, size: number, count: number): Tensor {
  const side = views === 0 ? 2 * size : size;
  const images = smooth(count, side);
  if (views === 0) return images;
  return cat(Array.from({ length: views }, (_, i) => images.add(randn(images.shape).mul(0.05 * i))));
}

/** The same batch for the same `place`. */
export function fixedBatch(count: number, place = 0): Batch {
  const labels = Int32Array.from({ length: count }, (_, i) => i % CLASSES.length);
  return {
    indices: Int32Array.from({ length: count }, (_, i) => i),
    labels: fromTypedArray(labels, [count], "i32").to("i64"),
    random: randomAt(1, place),
  };
}
