/**
 * Exemplar: which augmented copies come from the same image? It has two forms.
 *
 * `softmax`: a patch of each image is its own class, and a classifier tells its distorted copies from those of all others.
 * Dosovitskiy, Springenberg, Riedmiller & Brox, NIPS 2014, https://arxiv.org/abs/1406.6909
 * `triplet`: the copies of an image are embedded close together, without classes, so that any number of images works.
 * Kolesnikov, Zhai & Beyer, CVPR 2019, https://arxiv.org/abs/1901.09005
 *
 * Departures: triplets change contrast and colours (`contrast`) instead of standardising each image; images no larger than the network's
 * input are only shifted, not scaled; patches are half as wide as the image, not a third. As in Kolesnikov's code, all copies of an image are grey or none is: with `grey` at 0.66 that alone tells 45 % of triplets.
 */
import { z } from "zod";
import { sometimes, toGrey } from "../augment/colour.ts";
import { ColourAxes, changeColours } from "../augment/contrast.ts";
import { randomPatches } from "../augment/geometry.ts";
import { seedPlaces } from "../augment/seeds.ts";
import { UsageError } from "../errors.ts";
import { mlp } from "../heads/mlp.ts";
import { semiHardTriplets, squaredDistances } from "../heads/triplets.ts";
import { accuracy } from "../metric.ts";
import { Linear } from "../torch/nn/layers.ts";
import { cat, crossEntropy, integers } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";
import { type Batch, defineTask, onlyWith, type TaskContext, type TaskInstance } from "./task.ts";

const options = z.strictObject({
  loss: z
    .enum(["triplet", "softmax"])
    .default("triplet")
    .describe("copies nearer than other images (Kolesnikov), or each image a class (Dosovitskiy)"),
  copies: z.int().min(2).max(64).default(8).describe("of each image in a step"),
  margin: z.number().positive().default(0.5).describe("triplet: by which another image must be farther, squared"),
  embedding: z.int().positive().default(1000).describe("triplet: embedding dimension"),
  grey: z.number().min(0).max(1).default(0.66).describe("triplet: fraction of the images shown without colour"),
  contrast: z
    .boolean()
    .default(true)
    .describe("triplet: change contrast and colours as the softmax form does; else their mean tells copies"),
  classes: z.int().min(2).default(8000).describe("softmax: so many images at most are classes, spread over the set"),
  patch: z
    .number()
    .gt(0)
    .max(1)
    .default(0.5)
    .describe("softmax: side of a patch, as a fraction of the image's (paper: 32 of 96)"),
  hidden: z.int().positive().default(512).describe("softmax: width of the layer before the classes"),
});
type Options = z.infer<typeof options>;

export const exemplar = defineTask({
  title: "Exemplar",
  paper: "https://arxiv.org/abs/1406.6909",
  defaults: { batchSize: 16 }, // eight copies of each make 128; with 64 images per step, steps would be few and slow
  remedies: { colour: "contrast=true, if it is off", blur: "grey=0, and contrast=true, if it is off" },
  options,
  onlyWith: {
    ...onlyWith({ loss: "triplet" }, "margin", "embedding", "grey", "contrast"),
    ...onlyWith({ loss: "softmax" }, "classes", "patch", "hidden"),
  },
  create(on, chosen: Options) {
    const { count } = on.images;
    if (count < 2) {
      throw new UsageError(`Exemplar tells images apart: ${count} is too few. Give a folder with more of them.`);
    }
    return chosen.loss === "softmax" ? surrogateClasses(on, chosen) : triplets(on, chosen);
  },
});

function triplets({ encoder, images: { sample } }: TaskContext, options: Options): TaskInstance {
  const { copies, margin, embedding, grey, contrast } = options;
  const axes = new ColourAxes(sample);
  const fc = new Linear(encoder.outDim, embedding);

  /** Crops (copies · B, 3, S, S): each is changed on its own, then all copies of some images become grey. */
  function seen(crops: Tensor, { random }: Batch): Tensor {
    const changed = contrast ? changeColours(crops, axes, random) : crops;
    return sometimes(toGrey, changed, { probability: grey, views: copies }, random).contiguous("channels_last");
  }
  const distances = (crops: Tensor) => squaredDistances(fc.forward(encoder.forward(crops)));

  return {
    trained: { fc },
    state: { axes },
    metric: accuracy,
    // Half of random triplets are right; equal embeddings cost the margin.
    guess: { value: 1 / 2, loss: margin },
    lossUnit: "squared distance",
    views: [{ count: copies }],
    step([crops], batch) {
      if (batch.indices.length < 2)
        throw new UsageError("Exemplar needs two images in a batch at least. Raise --batch-size.");
      const triplets = semiHardTriplets(distances(seen(crops, batch)), { copies, margin });
      return { loss: triplets.loss, metrics: { accuracy: triplets.accuracy } };
    },
    preview([crops], batch) {
      const shown = seen(crops, batch);
      const count = batch.indices.length;
      const order = distances(shown).neg().topk(2, 1)[1].toArray(); // the nearest is the copy itself
      const name = (i = -1) => `image ${batch.indices[i % count] ?? "?"}`;
      return Array.from({ length: count }, (_, i) => {
        const nearest = order[2 * i + 1] ?? i;
        const [answer, guess, image] = [name(i), name(nearest), shown.select(0, i)];
        const found = { image: shown.select(0, nearest), caption: `nearest: ${guess}` };
        return { image, answer, guess, panels: [{ image, caption: answer }, found] };
      });
    },
  };
}

function surrogateClasses({ encoder, images, seed }: TaskContext, options: Options): TaskInstance {
  const { copies, classes, patch, hidden } = options;
  const count = Math.min(classes, images.count);
  const axes = new ColourAxes(images.sample);
  const head = mlp(encoder.outDim, hidden, count);

  /** Whole images (B, 3, D, D) to distorted copies of one patch of each (copies · B, 3, S, S). */
  function distorted(whole: Tensor, { indices, random }: Batch, copies: number): Tensor {
    const places = seedPlaces(whole, patch, indices, seed);
    const options = { part: patch, size: images.size };
    const patches = cat(Array.from({ length: copies }, () => randomPatches(whole, places, options, random)));
    return changeColours(patches, axes, random).contiguous("channels_last");
  }
  const answer = (patches: Tensor) => head.forward(encoder.forward(patches));

  return {
    trained: { head },
    state: { axes },
    metric: accuracy,
    guess: { value: 1 / count, loss: Math.log(count) },
    lossUnit: "nats",
    views: "whole",
    instances: count,
    step([whole], batch) {
      const logits = answer(distorted(whole, batch, copies)); // (copies · B, classes)
      const all = Array.from({ length: copies }, () => Array.from(batch.indices)).flat();
      const target = integers(all, whole.device);
      return { loss: crossEntropy(logits, target), metrics: { accuracy: logits.argmax(1).eq(target).mean() } };
    },
    preview([whole], batch) {
      const patches = distorted(whole, batch, 1);
      const guesses = answer(patches).argmax(1).toArray();
      return guesses.map((guess, i) => ({
        image: patches.select(0, i),
        answer: String(batch.indices[i]),
        guess: String(guess),
      }));
    },
  };
}
