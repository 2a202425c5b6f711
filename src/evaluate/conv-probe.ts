/**
 * RotNet's classifiers on frozen feature maps, which use where things are in the image: a block of convolutions, or a perceptron with two
 * hidden layers. Gidaris, Singh & Komodakis, ICLR 2018, section 4.1, https://arxiv.org/abs/1803.07728; networks, initial values,
 * optimizer and schedules as in their code (`architectures/NonLinearClassifier.py`, `config/CIFAR10_*Classifier_*`).
 *
 * Departures: 200 steps, where theirs takes 39,000 (100 epochs of CIFAR-10); no random crops and flips, so that maps are computed
 * once; and one layer is measured, chosen on a fifth of the labels, where theirs reports all of them. Then the classifier
 * is trained anew on all labels. The steps are the same for every number of labels, as in their runs with few labels.
 */
import { z } from "zod";
import { normalise, pixelTensor } from "../augment/normalise.ts";
import type { PixelStore } from "../data/pixels.ts";
import { unknownName } from "../errors.ts";
import { pause } from "../interrupt.ts";
import type { Encoder } from "../models/model.ts";
import { ConvBlock } from "../models/nin.ts";
import { autocast, noGrad } from "../torch/autograd.ts";
import type { Compute } from "../torch/compute.ts";
import { normal } from "../torch/nn/init.ts";
import { BatchNorm1d, Linear, ReLU } from "../torch/nn/layers.ts";
import { Module, Sequential } from "../torch/nn/module.ts";
import { adaptiveAvgPool2d, cat, integers } from "../torch/ops.ts";
import { steps as drops } from "../torch/optim/schedule.ts";
import { SGD } from "../torch/optim/sgd.ts";
import { manualSeed } from "../torch/random.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { holdOut } from "./draws.ts";
import { classification, defineProtocol, type Fitted, MEASURING, type Training } from "./protocol.ts";
import { type Classifier, classify, type HeldOut, isBetter, type Split, trainClassifier } from "./train-classifier.ts";

/** Maps are averaged over a grid of at most this side, and of at most as many values as the maps in the paper: 192×8×8. */
const [MOST_SIDE, MOST_VALUES] = [8, 192 * 8 * 8];
/** Images that are encoded at once. */
const BATCH = 128;
/** To choose a layer, a classifier is trained for this fraction of the steps, but for this many at least, if there are so many. */
const [TRIAL, SHORTEST_TRIAL] = [1 / 4, 50];

/** Maps (B, C, h, w) to logits (B, classes). */
class ConvClassifier extends Module {
  readonly block: Sequential;
  readonly fc: Linear;

  constructor(channels: number, classes: number) {
    super();
    this.block = new Sequential(
      new ConvBlock(channels, 192, 3),
      new ConvBlock(192, 192, 1),
      new ConvBlock(192, 192, 1),
    );
    this.fc = new Linear(192, classes);
  }

  override forward(maps: Tensor): Tensor {
    return this.fc.forward(this.block.forward(maps).mean([2, 3]));
  }
}

/** Maps (B, C, h, w) to logits (B, classes). */
class Perceptron extends Module {
  readonly layers: Sequential;

  constructor(values: number, classes: number) {
    super();
    const width = Math.min(20 * classes, 2048);
    const hidden = (inputs: number) => [new Linear(inputs, width, { bias: false }), new BatchNorm1d(width), new ReLU()];
    this.layers = new Sequential(...hidden(values), ...hidden(width), new Linear(width, classes));
  }

  override forward(maps: Tensor): Tensor {
    return this.layers.forward(maps.flatten(1));
  }
}

/** Each classifier, for maps of a shape, and when its learning rate falls to a fifth: fractions of the training. */
const classifiers = {
  nin: {
    create: ([channels]: Shape, classes: number) => new ConvClassifier(channels, classes),
    milestones: [0.35, 0.7, 0.85], // epochs 35, 70, 85 of 100
  },
  mlp: {
    create: ([channels, height, width]: Shape, classes: number) => new Perceptron(channels * height * width, classes),
    milestones: [0.4, 0.8, 0.9], // epochs 20, 40, 45 of 50
  },
};
type Shape = readonly [channels: number, height: number, width: number];
const kinds = Object.keys(classifiers) as (keyof typeof classifiers)[];

const options = z.strictObject({
  classifiers: z.array(z.enum(kinds)).min(1).default(kinds).describe("nin: convolutions; mlp: two hidden layers"),
  layers: z
    .union([z.literal("all"), z.array(z.string()).min(1)])
    .default("all")
    .describe("feature maps to try, of which the best on held-out labels is measured: all, or a list of names"),
  steps: z
    .int()
    .positive()
    .default(200)
    .describe("of training, for each draw of labels; a quarter of them for each layer that is tried"),
  batchSize: z.int().min(2).default(128).describe("images a step, or all labelled ones if those are fewer"),
  learningRate: z
    .number()
    .positive()
    .default(0.1)
    .describe("at first, of SGD with momentum; falls to a fifth three times"),
  weightDecay: z.number().min(0).default(5e-4).describe("of all parameters"),
});
type Options = z.infer<typeof options>;

export const convProbe = defineProtocol({
  ...classification,
  title: "Convolutional probe: small networks on frozen maps",
  needs: "encoder",
  options,
  quick: { steps: 40, batchSize: 32 },
  variants: (chosen) =>
    Object.fromEntries(chosen.classifiers.map((one) => [`conv-probe-${one}`, { ...chosen, classifiers: [one] }])),
  async fit(on: Training<number>, chosen): Promise<Fitted<number>> {
    const { rows, truths, groups, compute, signal } = on;
    const encoder = (on.encoder as () => Encoder)()
      .to({ device: compute.device, memoryFormat: "channels_last" })
      .eval();
    try {
      const split = holdOut(rows, truths, 1 / 5, groups);
      const trial = Math.min(chosen.steps, Math.max(SHORTEST_TRIAL, Math.round(chosen.steps * TRIAL)));
      let best: { layer: string; heldOut: HeldOut } | undefined;
      for (const layer of layersOf(encoder, chosen)) {
        const { head, heldOut } = await learn(encoder, layer, split, on, { ...chosen, steps: trial });
        head.dispose();
        // Without held-out labels nothing is best: the deepest map is taken.
        if (!split.choose.length || isBetter(heldOut, best?.heldOut)) best = { layer, heldOut };
      }
      const { layer, heldOut } = best as { layer: string; heldOut: HeldOut };
      const { head } = await learn(encoder, layer, { fit: rows, choose: [] }, on, chosen);
      return {
        heldOut: heldOut.accuracy,
        predict({ store }) {
          const tested = store as PixelStore;
          const all = Array.from({ length: tested.length }, (_, i) => i);
          const load = (some: readonly number[]) => tested.get(some);
          const logits = (bytes: Uint8Array) =>
            forward(head, mapsOf(encoder, layer, bytes, tested.size, compute), compute);
          return classify({ modules: [head], load, logits }, all, signal);
        },
        dispose() {
          head.dispose();
          encoder.dispose();
        },
      };
    } catch (error) {
      encoder.dispose();
      throw error;
    }
  },
});

/** @throws UsageError for a layer that the encoder does not have */
function layersOf({ featureDims }: Encoder, { layers }: Options): readonly string[] {
  const known = Object.keys(featureDims);
  if (layers === "all") return known;
  const unknown = layers.find((layer) => !known.includes(layer));
  if (unknown !== undefined) throw unknownName("layer", unknown, known);
  return known.filter((layer) => layers.includes(layer)); // shallow to deep
}

/** Trains a classifier on one layer's maps. The caller disposes it. */
async function learn(
  encoder: Encoder,
  layer: string,
  split: Split,
  { store, truths, classes, seed, compute, signal }: Training<number>,
  { classifiers: [kind], steps, batchSize, learningRate, weightDecay }: Options,
): Promise<{ head: Module; heldOut: HeldOut }> {
  const rows = [...split.fit, ...split.choose];
  const maps = await mapsOfRows(encoder, layer, rows, { store: store as PixelStore, compute, signal });
  const position = new Map(rows.map((row, i) => [row, i]));
  const { create, milestones } = classifiers[kind as keyof typeof classifiers];
  manualSeed(seed);
  const head = initialise(create(maps.shape.slice(1) as unknown as Shape, classes));
  head.to({ device: compute.device, memoryFormat: "channels_last" });
  const classifier: Classifier<number[]> = {
    modules: [head],
    load: (some) => some.map((row) => position.get(row) as number),
    logits: (some) => forward(head, maps.indexSelect(0, integers(some, compute.device)), compute),
  };
  try {
    const heldOut = await trainClassifier(
      classifier,
      split,
      {
        optimizer: new SGD([{ parameters: head.parameters(), weightDecay }], { momentum: 0.9, nesterov: true }),
        schedule: drops(milestones, 0.2),
        batchSize: Math.min(batchSize, Math.max(2, split.fit.length)),
        ...{ learningRate, steps, checkEvery: steps },
      },
      { truths, seed, compute, signal },
    );
    return { head, heldOut };
  } catch (error) {
    head.dispose();
    throw error;
  } finally {
    maps.dispose();
  }
}

function forward(head: Module, maps: Tensor, { device, precision }: Compute): Tensor {
  return autocast(device, precision, () => head.forward(maps.contiguous("channels_last")));
}

/** The maps of some images (n, C, h, w), in the precision that they are used in. The caller disposes them. */
async function mapsOfRows(
  encoder: Encoder,
  layer: string,
  rows: readonly number[],
  { store, compute, signal }: { store: PixelStore; compute: Compute; signal: AbortSignal | undefined },
): Promise<Tensor> {
  const parts: Tensor[] = [];
  try {
    for (let start = 0; start < rows.length; start += BATCH) {
      await pause(signal, MEASURING);
      const bytes = await store.get(rows.slice(start, start + BATCH));
      parts.push(scope(() => keep(mapsOf(encoder, layer, bytes, store.size, compute))));
    }
    return cat(parts);
  } finally {
    dispose(...parts);
  }
}

/** One layer's maps (B, C, h, w), averaged over a grid if they are large. Call it in a scope. */
function mapsOf(
  encoder: Encoder,
  layer: string,
  bytes: Uint8Array,
  size: number,
  { device, precision }: Compute,
): Tensor {
  return noGrad(() => {
    const images = normalise(pixelTensor(bytes, size).to(device)).contiguous("channels_last");
    const { maps } = autocast(device, precision, () => encoder.encode(images));
    const all = (maps[layer] as Tensor).to("f32");
    const [, channels, height, width] = all.shape as [number, ...Shape];
    const most = Math.max(1, Math.min(MOST_SIDE, Math.floor(Math.sqrt(MOST_VALUES / channels))));
    return adaptiveAvgPool2d(all, [Math.min(height, most), Math.min(width, most)]).to(precision);
  });
}

/** The paper's: N(0, 2 / outputs) for matrices too, and biases of 0. */
function initialise(head: Module): Module {
  for (const [, module] of head.namedModules()) {
    if (!(module instanceof Linear)) continue;
    scope(() =>
      noGrad(() => {
        module.weight.copy_(normal(module.weight.shape, Math.sqrt(2 / module.weight.size(0))));
        module.bias?.zero_();
      }),
    );
  }
  return head;
}
