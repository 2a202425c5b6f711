/**
 * VGG with batch norm. Simonyan & Zisserman, ICLR 2015, https://arxiv.org/abs/1409.1556
 * Parameter names and initial values are those of torchvision's `vgg11_bn`, `vgg16_bn` and `vgg19_bn`
 * (`torchvision/models/vgg.py`), without `classifier`.
 */
import { BatchNorm2d, Conv2d, MaxPool2d, ReLU } from "../torch/nn/layers.ts";
import { type Module, Sequential } from "../torch/nn/module.ts";
import type { Tensor } from "../torch/tensor.ts";
import { ConvEncoder, type Maps, type ModelEntry, type ModelOptions } from "./model.ts";
import { PIXELS, type Places, slide } from "./places.ts";

/** Channels of each of the five blocks' 3×3 convolutions. Every block ends with 2×2 pooling. */
const CHANNELS = [64, 128, 256, 512, 512];

export class VGG extends ConvEncoder {
  override readonly featureDims: Readonly<Record<string, number>>;
  override readonly outDim: number;
  /** Here the last block sees 2×2 positions, enough for batch norm of one image, and its pool leaves 1×1. */
  override readonly minImageSize = 32;
  override readonly places: Readonly<Record<string, Places>>;
  readonly features: Sequential;

  /** @param depths convolutions in each of the five blocks */
  constructor(depths: readonly number[], { width }: ModelOptions) {
    super();
    const channels = CHANNELS.map((count) => Math.max(1, Math.round(count * width)));
    let inputs = 3;
    const layers = channels.flatMap((outputs, block) => {
      const convolutions = Array.from({ length: depths[block] ?? 0 }, () => {
        const conv = new Conv2d(inputs, outputs, 3, { padding: 1, bias: true });
        inputs = outputs;
        return [conv, new BatchNorm2d(outputs), new ReLU()];
      });
      return [...convolutions.flat(), new MaxPool2d(2, 2)];
    });
    this.features = new Sequential(...layers);
    this.featureDims = Object.fromEntries(channels.map((count, i) => [`block${i + 1}`, count]));
    this.outDim = channels.at(-1) as number;
    let places = PIXELS;
    this.places = Object.fromEntries(
      channels.map((_, i) => {
        places = slide(places, 2, 2);
        return [`block${i + 1}`, places];
      }),
    );
  }

  override maps(images: Tensor): Maps {
    const maps: Record<string, Tensor> = {};
    let x = images;
    for (let i = 0; i < this.features.length; i++) {
      const layer = this.features[i] as Module;
      x = layer.forward(x);
      if (layer instanceof MaxPool2d) maps[`block${Object.keys(maps).length + 1}`] = x;
    }
    return maps;
  }
}

const entry = (layers: number, depths: readonly number[]): ModelEntry => ({
  title: `VGG-${layers} with batch norm`,
  paper: "https://arxiv.org/abs/1409.1556",
  stems: ["imagenet"], // 3×3 with stride 1: small images need no other stem
  create: (options) => new VGG(depths, options),
});

export const vggs = {
  vgg11: entry(11, [1, 1, 2, 2, 2]),
  vgg16: entry(16, [2, 2, 3, 3, 3]),
  vgg19: entry(19, [2, 2, 4, 4, 4]),
};
