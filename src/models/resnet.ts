/**
 * Residual networks. He, Zhang, Ren & Sun, CVPR 2016, https://arxiv.org/abs/1512.03385
 * Parameter names, strides and initial values are torchvision's (`torchvision/models/resnet.py`), without `fc`.
 */
import { BatchNorm2d, Conv2d, MaxPool2d } from "../torch/nn/layers.ts";
import { Module, Sequential } from "../torch/nn/module.ts";
import type { Tensor } from "../torch/tensor.ts";
import { ConvEncoder, type Maps, type ModelEntry, type ModelOptions, type Stem } from "./model.ts";
import { PIXELS, type Places, slide } from "./places.ts";

/** First convolution [kernel, stride], whether max pooling follows, and the stages' strides. */
export const resnetStems: Record<Stem, ResNetStem> = {
  imagenet: { conv: [7, 2], pool: true, strides: [1, 2, 2, 2] },
  cifar: { conv: [3, 1], pool: false, strides: [1, 2, 2, 2] }, // as for CIFAR in SimCLR, appendix B.9
  patch: { conv: [7, 1], pool: true, strides: [1, 2, 2, 1] }, // Kolesnikov et al. 2019, models/utils.py
};
export interface ResNetStem {
  conv: [kernel: number, stride: number];
  pool: boolean;
  strides: readonly [number, number, number, number];
}

/** Image size at which the last stage's map is 1×1: batch norm still averages over the batch. */
export function smallestImage({ conv, pool, strides }: ResNetStem): number {
  return conv[1] * (pool ? 2 : 1) * strides.reduce((product, stride) => product * stride, 1);
}

/** Where the places of the stem's and the stages' maps lie. @param enter how a stage shrinks what is below it; default: by a 3×3 convolution */
export function resnetPlaces(
  { conv: [kernel, stride], pool, strides }: ResNetStem,
  enter = (below: Places, step: number) => slide(below, 3, step, 1),
): Record<string, Places> {
  const first = slide(PIXELS, kernel, stride, (kernel - 1) / 2);
  const stem = pool ? slide(first, 3, 2, 1) : first;
  const layer1 = enter(stem, strides[0]);
  const layer2 = enter(layer1, strides[1]);
  const layer3 = enter(layer2, strides[2]);
  return { stem, layer1, layer2, layer3, layer4: enter(layer3, strides[3]) };
}

/** Blocks in each of the four stages, by number of layers. */
export const resnetDepths = {
  10: [1, 1, 1, 1],
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
} satisfies Record<number, Four>;
export type Four = [number, number, number, number];

/** The shortcut of a block that changes the shape of its input, else null. */
function projection(inputs: number, outputs: number, stride: number): Sequential | null {
  if (stride === 1 && inputs === outputs) return null;
  return new Sequential(new Conv2d(inputs, outputs, 1, { stride }), new BatchNorm2d(outputs));
}

/** Two 3×3 convolutions, with the input added to their output. */
class BasicBlock extends Module {
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(inputs: number, channels: number, stride: number) {
    super();
    this.conv1 = new Conv2d(inputs, channels, 3, { stride, padding: 1 });
    this.bn1 = new BatchNorm2d(channels);
    this.conv2 = new Conv2d(channels, channels, 3, { padding: 1 });
    this.bn2 = new BatchNorm2d(channels);
    this.downsample = projection(inputs, channels, stride);
  }

  override forward(x: Tensor): Tensor {
    const inner = this.bn1.forward(this.conv1.forward(x)).relu_();
    const change = this.bn2.forward(this.conv2.forward(inner));
    return change.add_(this.downsample?.forward(x) ?? x).relu_();
  }
}

/** 1×1, 3×3 and 1×1 to four times the channels. The stride is on the 3×3, as in torchvision ("v1.5"), not on the first (the paper). */
class Bottleneck extends Module {
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(inputs: number, channels: number, stride: number) {
    super();
    const outputs = channels * Bottleneck.expansion;
    this.conv1 = new Conv2d(inputs, channels, 1);
    this.bn1 = new BatchNorm2d(channels);
    this.conv2 = new Conv2d(channels, channels, 3, { stride, padding: 1 });
    this.bn2 = new BatchNorm2d(channels);
    this.conv3 = new Conv2d(channels, outputs, 1);
    this.bn3 = new BatchNorm2d(outputs);
    this.downsample = projection(inputs, outputs, stride);
  }

  override forward(x: Tensor): Tensor {
    const narrow = this.bn1.forward(this.conv1.forward(x)).relu_();
    const inner = this.bn2.forward(this.conv2.forward(narrow)).relu_();
    const change = this.bn3.forward(this.conv3.forward(inner));
    return change.add_(this.downsample?.forward(x) ?? x).relu_();
  }
}

export class ResNet extends ConvEncoder {
  override readonly featureDims: Readonly<Record<string, number>>;
  override readonly outDim: number;
  override readonly minImageSize: number;
  override readonly places: Readonly<Record<string, Places>>;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  private readonly maxpool: MaxPool2d | null;

  /** @param depths blocks in each of the four stages */
  constructor(block: BlockType, depths: Readonly<Four>, { width, stem }: ModelOptions) {
    super();
    const { conv, pool, strides } = resnetStems[stem];
    const channels = resnetChannels(width);
    const dims = channels.map((narrow) => narrow * block.expansion) as Four;
    const stage = (i: number, inputs: number) =>
      stack(block, inputs, channels[i] ?? 0, depths[i] ?? 0, strides[i] ?? 1);
    this.conv1 = new Conv2d(3, channels[0], conv[0], { stride: conv[1], padding: (conv[0] - 1) / 2 });
    this.bn1 = new BatchNorm2d(channels[0]);
    this.maxpool = pool ? new MaxPool2d(3, 2, 1) : null;
    this.layer1 = stage(0, channels[0]);
    this.layer2 = stage(1, dims[0]);
    this.layer3 = stage(2, dims[1]);
    this.layer4 = stage(3, dims[2]);
    this.featureDims = { stem: channels[0], layer1: dims[0], layer2: dims[1], layer3: dims[2], layer4: dims[3] };
    this.outDim = dims[3];
    this.minImageSize = smallestImage(resnetStems[stem]);
    this.places = resnetPlaces(resnetStems[stem]);
  }

  override maps(images: Tensor): Maps {
    const first = this.bn1.forward(this.conv1.forward(images)).relu_();
    const stem = this.maxpool?.forward(first) ?? first;
    const layer1 = this.layer1.forward(stem);
    const layer2 = this.layer2.forward(layer1);
    const layer3 = this.layer3.forward(layer2);
    return { stem, layer1, layer2, layer3, layer4: this.layer4.forward(layer3) };
  }
}

/** Inner channels of the blocks in each of the four stages. */
export function resnetChannels(width: number): Four {
  return [64, 128, 256, 512].map((channels) => Math.max(1, Math.round(channels * width))) as Four;
}

/** Constructor of a residual block with `channels * expansion` output channels. */
export interface BlockType {
  new (inputs: number, channels: number, stride: number): Module;
  readonly expansion: number;
}

/** Blocks in sequence; the first has the stride. */
export function stack(block: BlockType, inputs: number, channels: number, depth: number, stride: number): Sequential {
  const outputs = channels * block.expansion;
  return new Sequential(
    ...Array.from({ length: depth }, (_, i) => new block(i ? outputs : inputs, channels, i ? 1 : stride)),
  );
}

const entry = (layers: keyof typeof resnetDepths, about = ""): ModelEntry => ({
  title: `ResNet-${layers}${about}`,
  paper: "https://arxiv.org/abs/1512.03385",
  stems: ["imagenet", "cifar", "patch"],
  create: (options) => new ResNet(layers < 50 ? BasicBlock : Bottleneck, resnetDepths[layers], options),
});

export const resnets = {
  resnet10: entry(10, ": one block a stage"),
  resnet18: entry(18),
  resnet34: entry(34),
  resnet50: entry(50),
  resnet101: entry(101),
};
