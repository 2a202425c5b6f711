/**
 * The Network-in-Network of RotNet, for images of about 32 pixels. Gidaris, Singh & Komodakis, ICLR 2018,
 * https://arxiv.org/abs/1803.07728; layers as in their `architectures/NetworkInNetwork.py` (with `use_avg_on_conv3` off, as in
 * their CIFAR-10 configuration). Initial values are those of its `weight_initialization`, which their training does not call: it
 * starts from PyTorch's own. Lin, Chen & Yan, https://arxiv.org/abs/1312.4400
 */
import { AvgPool2d, BatchNorm2d, Conv2d, MaxPool2d } from "../torch/nn/layers.ts";
import { Module, Sequential } from "../torch/nn/module.ts";
import type { Tensor } from "../torch/tensor.ts";
import { ConvEncoder, type Maps, type ModelEntry, type ModelOptions } from "./model.ts";
import { PIXELS, type Places, slide } from "./places.ts";

/** A convolution of odd `kernel` that keeps the size, batch norm and ReLU. */
export class ConvBlock extends Module {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;

  constructor(inputs: number, outputs: number, kernel: number) {
    super();
    this.conv = new Conv2d(inputs, outputs, kernel, { padding: (kernel - 1) / 2 });
    this.bn = new BatchNorm2d(outputs);
  }

  override forward(x: Tensor): Tensor {
    return this.bn.forward(this.conv.forward(x)).relu_();
  }
}

export class NetworkInNetwork extends ConvEncoder {
  override readonly featureDims: Readonly<Record<string, number>>;
  override readonly outDim: number;
  override readonly minImageSize = 4;
  override readonly places: Readonly<Record<string, Places>>;
  readonly block1: Sequential;
  readonly block2: Sequential;
  readonly block3: Sequential;
  readonly block4: Sequential | null;
  readonly block5: Sequential | null;

  /** @param blocks 3, 4 or 5 */
  constructor(blocks: number, { width }: ModelOptions) {
    super();
    const [a, b, c] = [192, 160, 96].map((channels) => Math.max(1, Math.round(channels * width))) as [
      number,
      number,
      number,
    ];
    const deep = () => new Sequential(new ConvBlock(a, a, 3), new ConvBlock(a, a, 1), new ConvBlock(a, a, 1));
    this.block1 = new Sequential(
      new ConvBlock(3, a, 5),
      new ConvBlock(a, b, 1),
      new ConvBlock(b, c, 1),
      new MaxPool2d(3, 2, 1),
    );
    this.block2 = new Sequential(
      new ConvBlock(c, a, 5),
      new ConvBlock(a, a, 1),
      new ConvBlock(a, a, 1),
      new AvgPool2d(3, 2, 1),
    );
    this.block3 = deep();
    this.block4 = blocks > 3 ? deep() : null;
    this.block5 = blocks > 4 ? deep() : null;
    this.outDim = a;
    const names = Array.from({ length: blocks }, (_, i) => `block${i + 1}`);
    this.featureDims = Object.fromEntries(names.map((name, i) => [name, i ? a : c]));
    const first = slide(PIXELS, 3, 2, 1);
    const rest = slide(first, 3, 2, 1);
    this.places = Object.fromEntries(names.map((name, i) => [name, i ? rest : first]));
  }

  override maps(images: Tensor): Maps {
    const maps: Record<string, Tensor> = {};
    let x = images;
    for (const name of Object.keys(this.featureDims)) {
      x = (this[name as "block1"] as Sequential).forward(x);
      maps[name] = x;
    }
    return maps;
  }
}

const entry = (blocks: number): ModelEntry => ({
  title: `Network-in-Network of RotNet, ${blocks} blocks`,
  paper: "https://arxiv.org/abs/1803.07728",
  stems: ["cifar"],
  create: (options) => new NetworkInNetwork(blocks, options),
});

export const nins = { nin3: entry(3), nin4: entry(4), nin5: entry(5) };
