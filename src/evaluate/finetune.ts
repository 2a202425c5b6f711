/**
 * Fine-tuning: the whole network is trained further on the labelled images, with a linear classifier on its vector. For an untrained
 * network the same is training from scratch: the baseline, with the same budget and augmentation.
 *
 * With few labels the budget is a number of steps: with one label a class, an epoch would be a single batch of as many images as there
 * are classes. With many it is a number of epochs, so that training from scratch gets what it needs. A fifth of the labels is held out, and decides which
 * weights are kept; in a benchmark none is, as the probes that from-scratch training is compared with learn from every label too.
 */
import { z } from "zod";
import { randomResizedCrop } from "../augment/geometry.ts";
import { normalise, pixelTensor } from "../augment/normalise.ts";
import type { PixelStore } from "../data/pixels.ts";
import { UsageError } from "../errors.ts";
import type { Encoder } from "../models/model.ts";
import { autocast, noGrad } from "../torch/autograd.ts";
import { Linear } from "../torch/nn/layers.ts";
import { cosine, warmUp } from "../torch/optim/schedule.ts";
import { SGD } from "../torch/optim/sgd.ts";
import { manualSeed } from "../torch/random.ts";
import { holdOut } from "./draws.ts";
import { layerDecayGroups } from "./layer-decay.ts";
import { classification, defineProtocol, type Training } from "./protocol.ts";
import { type Classifier, classify, trainClassifier } from "./train-classifier.ts";

/** Fraction of the steps over which the learning rate rises. */
const WARM_UP = 0.1;

const options = z.strictObject({
  steps: z.int().positive().default(200).describe("of training, at least, for each draw of labels"),
  epochs: z.number().min(0).default(20).describe("passes over the labelled images, if that takes more steps"),
  mostSteps: z.int().positive().default(2000).describe("never more than so many, however many labels there are"),
  batchSize: z.int().min(2).default(64).describe("images a step; fewer labelled images repeat, each time cropped anew"),
  learningRate: z
    .number()
    .positive()
    .default(0.02)
    .describe("highest, of SGD with momentum; falls along a cosine to 0"),
  weightDecay: z.number().min(0).default(5e-4).describe("of kernels and matrices"),
  layerDecay: z.number().gt(0).max(1).default(1).describe("factor on the learning rate for each layer down; 1: none"),
  minArea: z.number().gt(0).max(1).default(0.5).describe("least fraction of an image's area that a crop covers"),
  flip: z.boolean().default(true).describe("mirror every other crop"),
  holdOut: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.2)
    .describe("fraction of the labels that is held out to choose the weights by; 0: none, the last weights are kept"),
  checkEvery: z
    .int()
    .positive()
    .default(25)
    .describe(
      "steps between two looks at the held-out labels, in a training of `steps`; a longer one looks as often in all",
    ),
  patience: z
    .int()
    .positive()
    .optional()
    .describe("looks without a better result after which to stop; default: take all steps, and keep the best weights"),
});

/** Steps of a training on so many images. */
export function stepsFor(
  images: number,
  {
    steps,
    epochs,
    mostSteps,
    batchSize,
  }: Pick<z.infer<typeof options>, "steps" | "epochs" | "mostSteps" | "batchSize">,
): number {
  return Math.min(Math.max(steps, Math.ceil((epochs * images) / batchSize)), Math.max(steps, mostSteps));
}

export const finetune = defineProtocol({
  ...classification,
  title: "Fine-tuning of the whole network",
  needs: "encoder",
  options,
  quick: { steps: 20, epochs: 0, batchSize: 32 },
  everyLabel: { holdOut: 0 },
  passes(images, chosen) {
    const held = images * chosen.holdOut;
    const steps = stepsFor(Math.ceil(images - held), chosen);
    return 3 * steps * chosen.batchSize + (held * Math.min(steps, chosen.steps)) / chosen.checkEvery;
  },
  async fit(on: Training<number>, chosen) {
    const { rows, truths, groups, classes, seed, compute, signal } = on;
    const { batchSize, learningRate, patience } = chosen;
    if (!chosen.holdOut && patience !== undefined)
      throw new UsageError(
        "patience has no effect with holdOut=0: there is nothing to look at. Leave one of them out.",
      );
    const split = chosen.holdOut ? holdOut(rows, truths, chosen.holdOut, groups) : { fit: rows, choose: [] };
    const steps = stepsFor(split.fit.length, chosen);
    // As many looks whatever the number of steps: each costs a pass over the held-out images.
    const checkEvery = Math.ceil((chosen.checkEvery * steps) / Math.min(steps, chosen.steps));
    const encoder = (on.encoder as () => Encoder)();
    manualSeed(seed);
    const head = new Linear(encoder.outDim, classes);
    const modules = [encoder, head];
    const free = () => modules.forEach((module) => void module.dispose());
    const classifier = (store: PixelStore): Classifier<Uint8Array> => ({
      modules,
      load: (wanted) => store.get(wanted),
      logits(bytes, random) {
        const images = noGrad(() => {
          const whole = normalise(pixelTensor(bytes, store.size).to(compute.device));
          return (random ? randomResizedCrop(whole, { ...chosen, size: store.size }, random) : whole).contiguous(
            "channels_last",
          );
        });
        return autocast(compute.device, compute.precision, () => head.forward(encoder.forward(images)));
      },
    });
    try {
      for (const module of modules) module.to({ device: compute.device, memoryFormat: "channels_last" });
      const groups = layerDecayGroups(encoder, head, chosen);
      const best = await trainClassifier(
        classifier(on.store as PixelStore),
        split,
        {
          optimizer: new SGD(groups, { momentum: 0.9, nesterov: true }),
          schedule: warmUp(WARM_UP, cosine),
          ...{ learningRate, steps, batchSize, checkEvery, patience },
        },
        { truths, seed, compute, signal },
      );
      return {
        heldOut: best.accuracy,
        predict: ({ store }) => {
          const tested = store as PixelStore;
          return classify(
            classifier(tested),
            Array.from({ length: tested.length }, (_, i) => i),
            signal,
          );
        },
        dispose: free,
      };
    } catch (error) {
      free();
      throw error;
    }
  },
});
