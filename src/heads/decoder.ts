/** From feature maps back to images: nearest-neighbour upsampling and convolutions, half the channels at each doubling. */
import { noGrad } from "../torch/autograd.ts";
import { BatchNorm2d, Conv2d } from "../torch/nn/layers.ts";
import { Module } from "../torch/nn/module.ts";
import { upsampleNearest } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";

const LEAST_CHANNELS = 16;

class UpBlock extends Module {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;

  constructor(inputs: number, outputs: number) {
    super();
    this.conv = new Conv2d(inputs, outputs, 3, { padding: 1 });
    this.bn = new BatchNorm2d(outputs);
  }

  override forward(x: Tensor): Tensor {
    return this.bn.forward(this.conv.forward(upsampleNearest(x, 2 * x.size(2), 2 * x.size(3)))).relu_();
  }
}

export class Decoder extends Module {
  private readonly blocks: UpBlock[];
  private readonly last: Conv2d;

  /** @param doublings how often the map's side is doubled */
  constructor(inputs: number, outputs: number, doublings: number) {
    super();
    const channels = Array.from({ length: doublings + 1 }, (_, i) =>
      Math.max(LEAST_CHANNELS, Math.round(inputs / 2 ** i)),
    );
    this.blocks = channels.slice(1).map((to, i) => new UpBlock(i ? (channels[i] as number) : inputs, to));
    this.last = new Conv2d(doublings ? (channels.at(-1) as number) : inputs, outputs, 3, { padding: 1, bias: true });
    noGrad(() => this.last.weight.mul_(0.1)); // start near the mean colour
  }

  /** Feature maps (B, inputs, h, w) to (B, outputs, h · 2^doublings, w · 2^doublings). */
  override forward(x: Tensor): Tensor {
    for (const block of this.blocks) x = block.forward(x);
    return this.last.forward(x);
  }
}
