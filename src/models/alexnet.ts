/**
 * AlexNet as in RotNet: batch norm, one column of 64, 192, 384, 256 and 256 channels, no response normalisation. Gidaris,
 * Singh & Komodakis, ICLR 2018, https://arxiv.org/abs/1803.07728; layers and initial values as in their
 * `architectures/AlexNet.py`, up to the pooled maps of the last convolution. Krizhevsky, Sutskever & Hinton, NeurIPS 2012
 */
import { BatchNorm2d, Conv2d, type Conv2dOptions, MaxPool2d } from "../torch/nn/layers.ts";
import { Module } from "../torch/nn/module.ts";
import type { Tensor } from "../torch/tensor.ts";
import { ConvEncoder, type Maps, type ModelEntry, type ModelOptions, type Stem } from "./model.ts";
import { PIXELS, type Places, slide } from "./places.ts";

/** The first convolution. */
const stems: Record<Stem, { kernel: number; stride: number; padding: number }> = {
  imagenet: { kernel: 11, stride: 4, padding: 2 },
  // Not in the paper, for images of 32 or 64 pixels: a smaller kernel with stride 1. The pools stay.
  cifar: { kernel: 5, stride: 1, padding: 2 },
  // Stride 2, as for the 64-pixel tiles in Noroozi & Favaro 2016, https://arxiv.org/abs/1603.09246
  patch: { kernel: 11, stride: 2, padding: 2 },
};

class ConvBlock extends Module {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;

  constructor(inputs: number, outputs: number, kernel: number, options: Conv2dOptions) {
    super();
    this.conv = new Conv2d(inputs, outputs, kernel, { ...options, bias: true, initial: "uniform" });
    this.bn = new BatchNorm2d(outputs);
  }

  override forward(x: Tensor): Tensor {
    return this.bn.forward(this.conv.forward(x)).relu_();
  }
}

/** `conv1` to `conv5` are the maps that RotNet probes; `pool5` is the input of its classifier. */
export class AlexNet extends ConvEncoder {
  override readonly featureDims: Readonly<Record<string, number>>;
  override readonly outDim: number;
  override readonly minImageSize: number;
  override readonly places: Readonly<Record<string, Places>>;
  readonly conv1: ConvBlock;
  readonly conv2: ConvBlock;
  readonly conv3: ConvBlock;
  readonly conv4: ConvBlock;
  readonly conv5: ConvBlock;
  private readonly pool = new MaxPool2d(3, 2);

  constructor({ width, stem }: ModelOptions) {
    super();
    const { kernel, stride, padding } = stems[stem];
    const [a, b, c, d] = [64, 192, 384, 256].map((channels) => Math.max(1, Math.round(channels * width))) as [
      number,
      number,
      number,
      number,
    ];
    this.conv1 = new ConvBlock(3, a, kernel, { stride, padding });
    this.conv2 = new ConvBlock(a, b, 5, { padding: 2 });
    this.conv3 = new ConvBlock(b, c, 3, { padding: 1 });
    this.conv4 = new ConvBlock(c, d, 3, { padding: 1 });
    this.conv5 = new ConvBlock(d, d, 3, { padding: 1 });
    this.featureDims = { conv1: a, conv2: b, conv3: c, conv4: d, conv5: d, pool5: d };
    this.outDim = d;
    // conv1 must be at least 15×15, so that the pools leave 7×7, 3×3 and 1×1. The last batch norm then sees 3×3 positions.
    this.minImageSize = 14 * stride + kernel - 2 * padding;
    const conv1 = slide(PIXELS, kernel, stride, padding);
    const conv2 = slide(conv1, 3, 2);
    const conv3 = slide(conv2, 3, 2);
    this.places = { conv1, conv2, conv3, conv4: conv3, conv5: conv3, pool5: slide(conv3, 3, 2) };
  }

  override maps(images: Tensor): Maps {
    const conv1 = this.conv1.forward(images);
    const conv2 = this.conv2.forward(this.pool.forward(conv1));
    const conv3 = this.conv3.forward(this.pool.forward(conv2));
    const conv4 = this.conv4.forward(conv3);
    const conv5 = this.conv5.forward(conv4);
    return { conv1, conv2, conv3, conv4, conv5, pool5: this.pool.forward(conv5) };
  }
}

const alexnet: ModelEntry = {
  title: "AlexNet of RotNet, with batch norm",
  paper: "https://arxiv.org/abs/1803.07728",
  stems: ["imagenet", "cifar", "patch"],
  create: (options) => new AlexNet(options),
};

export const alexnets = { alexnet };
