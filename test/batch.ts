/** Artificial batches for tests, like those that the training loop gives to a task. */
import { ConvEncoder, type Encoder, type Maps } from "../src/models/model.ts";
import { randomAt } from "../src/random.ts";
import type { Batch, Modules, Task, TaskContext, TaskImages, TaskInstance, View, Views } from "../src/tasks/task.ts";
import { adaptiveAvgPool2d, cat, fromTypedArray, randn, resize } from "../src/torch/ops.ts";
import type { Tensor } from "../src/torch/tensor.ts";
import { alone } from "../src/torch/world.ts";

export const CLASSES = ["a", "b", "c"];

/** Labelled images of noise. */
export function noiseImages(size: number, count = 64): TaskImages {
  return { size, count, classes: CLASSES, sample: smooth(16, size) };
}

/** Pictures of blurred spots (count, 3, size, size). */
const smooth = (count: number, size: number) => resize(randn([count, 3, 6, 6]), size, size).mul(2);

/** Views of `count` images for a task. If there are several crops of an image, later ones are a little noisier. */
export function noiseViews(
  { views = [{ count: 1 }] }: Pick<TaskInstance, "views">,
  size: number,
  count: number,
): Views {
  if (views === "whole") return [smooth(count, 2 * size)];
  const images = smooth(count, size);
  const crops = (view: View) => {
    const own = view.size === undefined || view.size === size ? images : resize(images, view.size, view.size);
    return cat(Array.from({ length: view.count }, (_, i) => own.add(randn(own.shape).mul(0.05 * i))));
  };
  return views.map(crops) as unknown as Views;
}

/** The same batch for the same `place`. */
export function fixedBatch(count: number, place = 0): Batch {
  const labels = Int32Array.from({ length: count }, (_, i) => i % CLASSES.length);
  return {
    indices: Int32Array.from({ length: count }, (_, i) => i),
    labels: fromTypedArray(labels, [count], "i32").to("i64"),
    random: randomAt(1, place),
    progress: 0,
  };
}

/**
 * Keeps the images that it was shown last, and returns the means of their quarters: top left, top right, bottom left,
 * bottom right, channel by channel. It passes no gradient.
 */
export class RecordingEncoder extends ConvEncoder {
  override readonly featureDims = { quarters: 12 };
  override readonly outDim = 12;
  override readonly minImageSize = 2;
  override readonly patchSize: number;
  shown: Tensor | undefined;

  constructor(patchSize = 1) {
    super();
    this.patchSize = patchSize;
  }

  override maps(images: Tensor): Maps {
    this.shown = images;
    return { quarters: adaptiveAvgPool2d(images.detach(), 2).reshape(-1, 12, 1, 1) };
  }
}

/**
 * What a step shows the encoder for one view of the images, (count · B, 3, S, S). Each `place` has other random numbers.
 */
export function shownBy(
  task: Pick<Task, "options">,
  options: object,
  images: Tensor,
  place = 0,
  patchSize = 1,
): Tensor {
  const encoder = new RecordingEncoder(patchSize);
  const made = createWith(task, options, encoder, images.size(2));
  const { views = [{ count: 1 }] } = made;
  made.step([images], fixedBatch(images.size(0) / (views === "whole" ? 1 : (views[0]?.count ?? 1)), place));
  disposeOf(made);
  return (encoder.shown as Tensor).contiguous();
}

/** A task created with an encoder and images of noise. */
export function createWith(task: Pick<Task, "options">, options: object, encoder: Encoder, size: number): TaskInstance {
  return (task as Task).create(contextOf(encoder, size), task.options.parse(options));
}

/** The context that a task is created with; its `copy` throws. */
export function contextOf(encoder: Encoder, size: number): TaskContext {
  const copy = () => {
    throw new Error("this test gives no other encoder");
  };
  return { encoder, copy, images: noiseImages(size), world: alone, seed: 0 };
}

/** All modules of a task except the encoder. */
export const modulesOf = ({ trained, state }: TaskInstance): Modules => ({ ...trained, ...state });

export function disposeOf(task: TaskInstance): void {
  for (const module of Object.values(modulesOf(task))) module.dispose();
}
