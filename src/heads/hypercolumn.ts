/** Dense predictions from any encoder. Larsson, Maire & Shakhnarovich 2016, https://arxiv.org/abs/1603.06668 */
import { type Encoder, featureShapes } from "../models/model.ts";
import { noGrad } from "../torch/autograd.ts";
import { BatchNorm2d, Conv2d } from "../torch/nn/layers.ts";
import { Module } from "../torch/nn/module.ts";
import { pixelShuffle, resize } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";

const CHANNELS = 64;
/** With more maps, the shallow ones do the work and the deep ones learn nothing: docs/RESULTS.md. */
const MAPS = 2;
/**
 * From stride 32, as in most architectures' deepest maps, to 4. Unfolding takes CHANNELS · factor² channels: from 1×1 to 64×64
 * that would be 67 M parameters for 256 inputs. The rest is interpolated.
 */
const MOST = 8;

/** Unfolds each position of a map to `factor` × `factor` of CHANNELS, so that detail in a deep map is not interpolated away. */
class Lateral extends Module {
  private readonly factor: number;
  private readonly conv: Conv2d;

  constructor(inputs: number, factor: number) {
    super();
    this.factor = factor;
    this.conv = new Conv2d(inputs, CHANNELS * factor ** 2, 1);
  }

  /** (B, inputs, h, w) to (B, CHANNELS, h · factor, w · factor). */
  override forward(x: Tensor): Tensor {
    return pixelShuffle(this.conv.forward(x), this.factor);
  }
}

/** The deepest feature maps, brought to the same channels and size, and added. */
export class Hypercolumn extends Module {
  private readonly laterals: Lateral[];
  private readonly bn: BatchNorm2d;
  private readonly out: Conv2d;
  private readonly side: number;

  constructor(encoder: Encoder, size: number, outputs: number, side: number) {
    super();
    const shapes = Object.values(featureShapes(encoder, size)).slice(-MAPS);
    const factor = (places: number) => Math.min(MOST, Math.max(1, Math.round(side / places)));
    this.laterals = shapes.map(([channels, places]) => new Lateral(channels, factor(places)));
    this.bn = new BatchNorm2d(CHANNELS);
    this.out = new Conv2d(CHANNELS, outputs, 1, { bias: true });
    noGrad(() => this.out.weight.mul_(0.1)); // start neutral: equal bins, or grey
    this.side = side;
  }

  /** Feature maps by name to (B, outputs, side, side). */
  predict(maps: Readonly<Record<string, Tensor>>): Tensor {
    const { side } = this;
    const parts = Object.values(maps)
      .slice(-MAPS)
      .map((map, i) => {
        const part = (this.laterals[i] as Lateral).forward(map);
        return part.size(2) === side ? part : resize(part.to("f32"), side, side);
      });
    const sum = parts.slice(1).reduce((total, part) => total.add(part), parts[0] as Tensor);
    return this.forward(sum);
  }

  /** (B, CHANNELS, side, side) to (B, outputs, side, side). */
  override forward(x: Tensor): Tensor {
    return this.out.forward(this.bn.forward(x).relu_());
  }
}
