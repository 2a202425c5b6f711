/** Batches made up for tests: what the training loop would hand to a task. */
import { Encoder } from "../src/models/model.ts";
import { randomAt } from "../src/random.ts";
import type { Batch, Task, TaskImages, TaskInstance } from "../src/tasks/task.ts";
import { adaptiveAvgPool2d, cat, fromTypedArray, randn, resize } from "../src/torch/ops.ts";
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

/**
 * Keeps the images that it was shown last, and answers with the means of their quarters: top left, top right, bottom left,
 * bottom right, channel by channel. No gradient passes.
 */
export class RecordingEncoder extends Encoder {
  override readonly featureDims = { quarters: 12 };
  override readonly outDim = 12;
  override readonly minImageSize = 2;
  shown: Tensor | undefined;

  override features(images: Tensor): Record<string, Tensor> {
    this.shown = images;
    return { quarters: adaptiveAvgPool2d(images.detach(), 2).reshape(-1, 12, 1, 1) };
  }
}

/** What a step shows the encoder of images (views · B, 3, S, S). Other random numbers for each `place`. */
export function shownBy(task: Pick<Task, "options">, options: object, images: Tensor, place = 0): Tensor {
  const encoder = new RecordingEncoder();
  const { modules, step, views = 1 } = createWith(task, options, encoder, images.size(2));
  step(images, fixedBatch(images.size(0) / views, place));
  for (const module of Object.values(modules)) module.dispose();
  return (encoder.shown as Tensor).contiguous();
}

/** A task at work on an encoder, about images of noise. */
export function createWith(task: Pick<Task, "options">, options: object, encoder: Encoder, size: number): TaskInstance {
  return (task as Task).create(encoder, task.options.parse(options), noiseImages(size));
}
