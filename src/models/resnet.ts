/**
 * Residual networks. He, Zhang, Ren & Sun, CVPR 2016, https://arxiv.org/abs/1512.03385
 * Parameter names, strides and initial values are torchvision's (`torchvision/models/resnet.py`), without `fc`.
 */
import { BatchNorm2d, Conv2d, MaxPool2d } from "../torch/nn/layers.ts";
import { Module, Sequential } from "../torch/nn/module.ts";
import type { Tensor } from "../torch/tensor.ts";
import { Encoder, type ModelEntry, type ModelOptions, type Stem } from "./model.ts";

/** First convolution [kernel, stride], whether max pooling follows, and the stages' strides. */
const stems: Record<Stem, { conv: [kernel: number, stride: number]; pool: boolean; strides: readonly number[] }> = {
  imagenet: { conv: [7, 2], pool: true, strides: [1, 2, 2, 2] },
  cifar: { conv: [3, 1], pool: false, strides: [1, 2, 2, 2] }, // as for CIFAR in SimCLR, appendix B.9
  patch: { conv: [7, 1], pool: true, strides: [1, 2, 2, 1] }, // Kolesnikov et al. 2019, models/utils.py
};

/** Two 3×3 convolutions, and the input added to what they give. */
class BasicBlock extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(inputs: number, outputs: number, stride: number) {
    super();
    this.conv1 = new Conv2d(inputs, outputs, 3, { stride, padding: 1 });
    this.bn1 = new BatchNorm2d(outputs);
    this.conv2 = new Conv2d(outputs, outputs, 3, { padding: 1 });
    this.bn2 = new BatchNorm2d(outputs);
    this.downsample =
      stride === 1 && inputs === outputs
        ? null
        : new Sequential(new Conv2d(inputs, outputs, 1, { stride }), new BatchNorm2d(outputs));
  }

  override forward(x: Tensor): Tensor {
    const inner = this.bn1.forward(this.conv1.forward(x)).relu_();
    const change = this.bn2.forward(this.conv2.forward(inner));
    return change.add_(this.downsample?.forward(x) ?? x).relu_();
  }
}

export class ResNet extends Encoder {
  override readonly featureDims: Readonly<Record<string, number>>;
  override readonly outDim: number;
  override readonly minImageSize: number;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  private readonly maxpool: MaxPool2d | null;

  /** @param depths blocks in each of the four stages */
  constructor(depths: readonly [number, number, number, number], { width, stem }: ModelOptions) {
    super();
    const { conv, pool, strides } = stems[stem];
    const [a, b, c, d] = [64, 128, 256, 512].map((channels) => Math.max(1, Math.round(channels * width))) as Four;
    this.conv1 = new Conv2d(3, a, conv[0], { stride: conv[1], padding: (conv[0] - 1) / 2 });
    this.bn1 = new BatchNorm2d(a);
    this.maxpool = pool ? new MaxPool2d(3, 2, 1) : null;
    this.layer1 = stage(a, a, depths[0], strides[0]);
    this.layer2 = stage(a, b, depths[1], strides[1]);
    this.layer3 = stage(b, c, depths[2], strides[2]);
    this.layer4 = stage(c, d, depths[3], strides[3]);
    this.featureDims = { stem: a, layer1: a, layer2: b, layer3: c, layer4: d };
    this.outDim = d;
    // One place is left of the last stage then: batch norm still averages over the batch.
    this.minImageSize = conv[1] * (pool ? 2 : 1) * strides.reduce((product, stride) => product * stride, 1);
  }

  override features(images: Tensor): Record<string, Tensor> {
    const first = this.bn1.forward(this.conv1.forward(images)).relu_();
    const stem = this.maxpool?.forward(first) ?? first;
    const layer1 = this.layer1.forward(stem);
    const layer2 = this.layer2.forward(layer1);
    const layer3 = this.layer3.forward(layer2);
    return { stem, layer1, layer2, layer3, layer4: this.layer4.forward(layer3) };
  }
}

type Four = [number, number, number, number];

function stage(inputs: number, outputs: number, blocks: number, stride = 1): Sequential {
  return new Sequential(
    ...Array.from({ length: blocks }, (_, i) => new BasicBlock(i ? outputs : inputs, outputs, i ? 1 : stride)),
  );
}

const entry = (title: string, depths: Four): ModelEntry => ({
  title,
  paper: "https://arxiv.org/abs/1512.03385",
  stems: ["imagenet", "cifar", "patch"],
  create: (options) => new ResNet(depths, options),
});

export const resnets = {
  resnet10: entry("ResNet-10: one block a stage", [1, 1, 1, 1]),
  resnet18: entry("ResNet-18", [2, 2, 2, 2]),
  resnet34: entry("ResNet-34", [3, 4, 6, 3]),
};
