/** From stored images to a task's input: bytes, then crops on the device with what is known about them. */
import { randomResizedCrop, randomShift } from "../augment/geometry.ts";
import { normalise, pixelTensor } from "../augment/normalise.ts";
import { type ImageSet, refuseSeveral } from "../data/images.ts";
import { type DecodedStore, epochOrder, type PixelStore } from "../data/pixels.ts";
import { type RandomGenerator, randomAt } from "../random.ts";
import type { LearnedImage } from "../run/learned.ts";
import type { TrainingConfig } from "../run/options.ts";
import type { Batch, TaskImages, TaskInstance, View, Views } from "../tasks/task.ts";
import type { Compute } from "../torch/compute.ts";
import { cat, fromTypedArray } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";
import { alone, type World } from "../torch/world.ts";

/** Images to train on. */
export interface TrainingImages {
  readonly store: PixelStore;
  /** The label of each stored image, for a task that uses labels. */
  readonly labels: Int32Array | null;
  /** Class names, for such a task. */
  readonly classes: readonly string[] | null;
}

/** A batch as read from the store. */
export interface RawBatch {
  /** B × D × D × 3. */
  readonly pixels: Uint8Array;
  /** Indices of the images among those that the task uses: (B). */
  readonly indices: Int32Array;
}

/** Random streams of a step, next to the seed and the step's number. Other numbers would change what a resumed run draws. */
const [VIEWS, TASK] = [1, 3];
/** Images that a task may estimate from before training (mean colours, say): of large ones fewer, about 256 MiB in f32. */
const [SAMPLE, FEW, VALUES] = [256, 16, 2 ** 26];

/** @param usesLabels whether the task may see the labels */
export function trainingImages(set: ImageSet, store: PixelStore, usesLabels: boolean): TrainingImages {
  if (!usesLabels || !set.classes) return { store, labels: null, classes: null };
  refuseSeveral(set, "A task that learns from labels");
  return { store, labels: Int32Array.from(store.source, (i) => set.label(i)), classes: set.classes };
}

/** Number of images that the task learns from. */
export function imagesUsed({ store }: TrainingImages, { instances }: Pick<TaskInstance, "instances">): number {
  return Math.min(store.length, instances ?? store.length);
}

/** Steps per full epoch. The images left over differ from epoch to epoch. */
export function stepsPerEpoch(images: number, batchSize: number): number {
  return Math.floor(images / batchSize);
}

/** Returns a function from a step to the image indices of this process's batch, by the seed alone. Caches one epoch's order. */
export function batchIndices(
  used: number,
  { seed, batchSize }: Pick<TrainingConfig, "seed" | "batchSize">,
  { rank, size }: Pick<World, "rank" | "size"> = alone,
): (step: number) => Int32Array {
  const perEpoch = stepsPerEpoch(used, batchSize * size);
  let epoch = -1;
  let order: Int32Array = new Int32Array();
  return (step) => {
    const [wanted, first] = [Math.floor(step / perEpoch), ((step % perEpoch) * size + rank) * batchSize];
    if (wanted !== epoch) [epoch, order] = [wanted, epochOrder(used, seed, wanted)];
    return order.slice(first, first + batchSize);
  };
}

/** Reads images by their indices among the `used` ones, which are spread over the store. */
export async function readBatch({ store }: TrainingImages, used: number, indices: Int32Array): Promise<RawBatch> {
  return { pixels: await store.get(indices.map((i) => spread(i, used, store.length))), indices };
}

/** Index of the i-th of the `used` images among all `length` of them: they are spread evenly. */
export const spread = (i: number, used: number, length: number) => Math.floor((i * length) / used);

/** The images that a run learns from, in the order of their indices. */
export function learnedImages(
  set: ImageSet,
  { store, labels, classes }: TrainingImages & { store: DecodedStore },
  used: number,
): LearnedImage[] {
  return Array.from({ length: used }, (_, i) => {
    const at = spread(i, used, store.length);
    const label = labels ? classes?.[labels[at] ?? -1] : undefined;
    const image = set.id(store.source[at] as number);
    return { digest: store.digests[at] as string, image, ...(label !== undefined && { label }) };
  });
}

/** The bytes of some images from all over the set (n × D × D × 3), with what else a task may need to know. */
export async function describeImages(
  images: TrainingImages,
  config: TrainingConfig,
): Promise<Omit<TaskImages, "sample"> & { pixels: Uint8Array }> {
  const { store, classes } = images;
  const fitting = Math.floor(VALUES / (3 * store.size ** 2));
  const count = Math.min(SAMPLE, Math.max(FEW, fitting), store.length);
  const { pixels } = await readBatch(
    images,
    count,
    Int32Array.from({ length: count }, (_, i) => i),
  );
  return { size: config.imageSize, count: store.length, classes, pixels };
}

/** Arguments for a task's `step` and `preview`: its views of the images (channels-last), and the batch. */
export function toViews(
  { pixels, indices }: RawBatch,
  images: TrainingImages,
  { config, compute, task, world }: { config: TrainingConfig; compute: Compute; task: TaskInstance; world: World },
  { step, progress }: { step: number; progress: number },
): [views: Views, batch: Batch] {
  const { store, labels } = images;
  const used = imagesUsed(images, task);
  const place = step * world.size + world.rank; // random numbers differ between processes
  const whole = normalise(pixelTensor(pixels, store.size).to(compute.device));
  const own = labels && indices.map((i) => labels[spread(i, used, store.length)] ?? -1);
  const batch: Batch = {
    indices,
    labels: own && fromTypedArray(own, [own.length], "i32").to("i64").to(compute.device),
    random: randomAt(config.seed, TASK, place),
    progress,
  };
  const { views = [{ count: 1 }] } = task;
  if (views === "whole") return [[whole.contiguous("channels_last")], batch];
  const random = randomAt(config.seed, VIEWS, place);
  return [views.map((view) => crops(whole, config, view, random)) as unknown as Views, batch];
}

/** Images (B, 3, D, D) to crops (count · B, 3, S, S): all images' first crops, then their second crops, and so on. */
function crops(images: Tensor, config: TrainingConfig, view: View, random: RandomGenerator): Tensor {
  const { size = config.imageSize, minArea = config.minArea } = view;
  const { flip } = config;
  const shifted = config.crop === "shifted" || (config.crop === "auto" && images.size(3) <= size);
  const crop = () =>
    shifted
      ? randomShift(images, { size, padding: Math.round(images.size(3) / 8), flip }, random)
      : randomResizedCrop(images, { size, minArea, flip }, random);
  const all = Array.from({ length: view.count }, crop);
  return (all.length === 1 ? (all[0] as Tensor) : cat(all)).contiguous("channels_last");
}
