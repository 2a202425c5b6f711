/**
 * Pre-activation residual networks: batch norm and ReLU come before each convolution, and nothing follows the sums.
 * He, Zhang, Ren & Sun, ECCV 2016, https://arxiv.org/abs/1603.05027
 * Parameter names and initial values are those of timm's `resnetv2_50` (`timm/models/resnetv2.py`), without its `head`. As there,
 * the stride is on the 3×3 convolution; the paper's code has it on the first. timm has no 10 layers: these are as in resnet10 here.
 */
import { BatchNorm2d, Conv2d, MaxPool2d } from "../torch/nn/layers.ts";
import { Module, type Sequential } from "../torch/nn/module.ts";
import type { Tensor } from "../torch/tensor.ts";
import { ConvEncoder, type Maps, type ModelEntry, type ModelOptions } from "./model.ts";
import type { Places } from "./places.ts";
import {
  type BlockType,
  type Four,
  resnetChannels,
  resnetDepths,
  resnetPlaces,
  resnetStems,
  smallestImage,
  stack,
} from "./resnet.ts";

/** A 1×1 convolution, named `downsample.conv`. */
class Downsample extends Module {
  readonly conv: Conv2d;

  constructor(inputs: number, outputs: number, stride: number) {
    super();
    this.conv = new Conv2d(inputs, outputs, 1, { stride });
  }

  override forward(x: Tensor): Tensor {
    return this.conv.forward(x);
  }
}

/** The shortcut of a block that changes the shape of its input, else null. */
function projection(inputs: number, outputs: number, stride: number): Downsample | null {
  return stride === 1 && inputs === outputs ? null : new Downsample(inputs, outputs, stride);
}

class PreActBasic extends Module {
  static readonly expansion = 1;
  readonly downsample: Downsample | null;
  readonly norm1: BatchNorm2d;
  readonly conv1: Conv2d;
  readonly norm2: BatchNorm2d;
  readonly conv2: Conv2d;

  constructor(inputs: number, channels: number, stride: number) {
    super();
    this.downsample = projection(inputs, channels, stride);
    this.norm1 = new BatchNorm2d(inputs);
    this.conv1 = new Conv2d(inputs, channels, 3, { stride, padding: 1 });
    this.norm2 = new BatchNorm2d(channels);
    this.conv2 = new Conv2d(channels, channels, 3, { padding: 1 });
  }

  override forward(x: Tensor): Tensor {
    const active = this.norm1.forward(x).relu_();
    const inner = this.norm2.forward(this.conv1.forward(active)).relu_();
    return this.conv2.forward(inner).add_(this.downsample?.forward(active) ?? x);
  }
}

class PreActBottleneck extends Module {
  static readonly expansion = 4;
  readonly downsample: Downsample | null;
  readonly norm1: BatchNorm2d;
  readonly conv1: Conv2d;
  readonly norm2: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly norm3: BatchNorm2d;
  readonly conv3: Conv2d;

  constructor(inputs: number, channels: number, stride: number) {
    super();
    const outputs = channels * PreActBottleneck.expansion;
    this.downsample = projection(inputs, outputs, stride);
    this.norm1 = new BatchNorm2d(inputs);
    this.conv1 = new Conv2d(inputs, channels, 1);
    this.norm2 = new BatchNorm2d(channels);
    this.conv2 = new Conv2d(channels, channels, 3, { stride, padding: 1 });
    this.norm3 = new BatchNorm2d(channels);
    this.conv3 = new Conv2d(channels, outputs, 1);
  }

  override forward(x: Tensor): Tensor {
    const active = this.norm1.forward(x).relu_();
    const narrow = this.norm2.forward(this.conv1.forward(active)).relu_();
    const inner = this.norm3.forward(this.conv2.forward(narrow)).relu_();
    return this.conv3.forward(inner).add_(this.downsample?.forward(active) ?? x);
  }
}

/** The first convolution, named `stem.conv`. */
class Stem extends Module {
  readonly conv: Conv2d;
  private readonly pool: MaxPool2d | null;

  constructor(outputs: number, [kernel, stride]: readonly [number, number], pool: boolean) {
    super();
    this.conv = new Conv2d(3, outputs, kernel, { stride, padding: (kernel - 1) / 2 });
    this.pool = pool ? new MaxPool2d(3, 2, 1) : null;
  }

  override forward(images: Tensor): Tensor {
    const x = this.conv.forward(images);
    return this.pool?.forward(x) ?? x;
  }
}

/** The blocks of one stage, named like `stages.0.blocks.1`. */
class Stage extends Module {
  readonly blocks: Sequential;

  constructor(blocks: Sequential) {
    super();
    this.blocks = blocks;
  }

  override forward(x: Tensor): Tensor {
    return this.blocks.forward(x);
  }
}

/** The stages' maps are the plain sums; only the last, `layer4`, is after batch norm and ReLU, as a classifier sees it. */
export class ResNetV2 extends ConvEncoder {
  override readonly featureDims: Readonly<Record<string, number>>;
  override readonly outDim: number;
  override readonly minImageSize: number;
  override readonly places: Readonly<Record<string, Places>>;
  readonly stem: Stem;
  readonly stages: Stage[];
  readonly norm: BatchNorm2d;

  /** @param depths blocks in each of the four stages */
  constructor(block: BlockType, depths: Readonly<Four>, { width, stem }: ModelOptions) {
    super();
    const { conv, pool, strides } = resnetStems[stem];
    const channels = resnetChannels(width);
    const dims = channels.map((narrow) => narrow * block.expansion) as Four;
    this.stem = new Stem(channels[0], conv, pool);
    this.stages = channels.map((narrow, i) => {
      const inputs = i ? (dims[i - 1] as number) : channels[0];
      return new Stage(stack(block, inputs, narrow, depths[i] as number, strides[i] as number));
    });
    this.norm = new BatchNorm2d(dims[3]);
    this.featureDims = { stem: channels[0], layer1: dims[0], layer2: dims[1], layer3: dims[2], layer4: dims[3] };
    this.outDim = dims[3];
    // Strides round up, so one more pixel leaves 2×2 positions: batch norm learns even from a single image.
    this.minImageSize = smallestImage(resnetStems[stem]) + 1;
    this.places = resnetPlaces(resnetStems[stem]);
  }

  override maps(images: Tensor): Maps {
    let x = this.stem.forward(images);
    const maps: Record<string, Tensor> = { stem: x };
    for (const [i, stage] of this.stages.entries()) {
      x = stage.forward(x);
      maps[`layer${i + 1}`] = x; // ResNet's names, so that tables line up
    }
    maps["layer4"] = this.norm.forward(x).relu_();
    return maps;
  }
}

const entry = (layers: keyof typeof resnetDepths): ModelEntry => ({
  title: `ResNet-${layers} v2: norm and ReLU before the convolutions`,
  paper: "https://arxiv.org/abs/1603.05027",
  stems: ["imagenet", "cifar", "patch"],
  create: (options) => new ResNetV2(layers < 50 ? PreActBasic : PreActBottleneck, resnetDepths[layers], options),
});

export const resnetsV2 = {
  resnet10v2: entry(10),
  resnet18v2: entry(18),
  resnet34v2: entry(34),
  resnet50v2: entry(50),
  resnet101v2: entry(101),
};
