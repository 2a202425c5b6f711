/**
 * Reversible residual networks. Gomez, Ren, Urtasun & Grosse, NIPS 2017, https://arxiv.org/abs/1707.04585
 * In the form that Kolesnikov, Zhai & Beyer, CVPR 2019, https://arxiv.org/abs/1901.09005, trained to predict rotations:
 * `revnet` in `models/resnet.py` of https://github.com/google/revisiting-self-supervised.
 *
 * A unit splits its channels into halves (a, b) and returns (b, a + F(b)). Gomez et al. have two residual functions, F and G,
 * so one of their units is two of these. Every unit can be inverted. Between stages, where theirs cannot be, average pooling
 * halves the map and zeros double its channels. That has no parameters, and its gradient needs no activations. So only the
 * output of each stage is kept, and more units take no more memory in training.
 *
 * As in our ResNets, and unlike in Kolesnikov et al., batch norm has ε = 1e-5 and momentum 0.1 (theirs 1e-3 and 0.01), and
 * initial values are He's. Weight decay pulls on the first convolution as on the others (theirs leaves it alone). `layer4` is after
 * the last ReLU; they try it with and without.
 */
import { autocastDtype, gradMode } from "../torch/autograd.ts";
import { BatchNorm2d, Conv2d, MaxPool2d } from "../torch/nn/layers.ts";
import { type Cost, Module, type Parameter, Sequential } from "../torch/nn/module.ts";
import { avgPool2d, cat, pad } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import { checkpoint, segment } from "../torch/segment.ts";
import type { DType, Tensor } from "../torch/tensor.ts";
import { ConvEncoder, type Maps, type ModelEntry, type ModelOptions } from "./model.ts";
import { type Places, slide } from "./places.ts";
import { type Four, resnetPlaces, resnetStems, smallestImage } from "./resnet.ts";

type Halves = [Tensor, Tensor];

/** The residual function: a pre-activation bottleneck. */
export class Bottleneck extends Module {
  readonly bn1: BatchNorm2d;
  readonly conv1: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly conv3: Conv2d;

  constructor(channels: number) {
    super();
    const narrow = channels / 4;
    this.bn1 = new BatchNorm2d(channels);
    this.conv1 = new Conv2d(channels, narrow, 1);
    this.bn2 = new BatchNorm2d(narrow);
    this.conv2 = new Conv2d(narrow, narrow, 3, { padding: 1 });
    this.bn3 = new BatchNorm2d(narrow);
    this.conv3 = new Conv2d(narrow, channels, 1);
  }

  override forward(wide: Tensor): Tensor {
    const x = wide.to(this.bn1.weight.dtype);
    const narrow = this.conv1.forward(this.bn1.forward(x).relu_());
    const seen = this.conv2.forward(this.bn2.forward(narrow).relu_());
    return this.conv3.forward(this.bn3.forward(seen).relu_());
  }

  /**
   * Inverts (a, b) → (b, a + F(b)) in place: `sum` becomes a again, and `db` the whole d(loss)/d(b). F runs once, for its value
   * and its gradients.
   */
  undo([b, sum]: Halves, [db, dsum]: Halves): void {
    scope(() => {
      const x = b.to(this.bn1.weight.dtype).detach().requiresGrad_();
      const change = this.forward(x);
      change.backward(dsum.to(change.dtype));
      sum.add_(change.detach(), { alpha: -1 });
      db.add_(x.grad as Tensor);
    });
  }
}

export class Stage extends Sequential {
  private readonly stride: number;
  private readonly doubles: boolean;

  /** @param channels those of the whole map, after doubling */
  constructor(channels: number, units: number, { stride, doubles }: { stride: number; doubles: boolean }) {
    super(...Array.from({ length: units }, () => new Bottleneck(channels / 2)));
    this.stride = stride;
    this.doubles = doubles;
  }

  override forward(x: Tensor): Tensor {
    return segment(x, {
      parameters: this.parameters(),
      forward: (x) => this.run(x),
      backward: (x, y, dy, rest) => this.undo(x, y, dy, rest),
    });
  }

  /** Keeps the output and, in f32, its rounding error: as many values again. */
  override cost(_x: Tensor, y: Tensor): Cost {
    return { kept: y.numel * (sumType(y) === y.dtype ? 1 : 2), recomputes: true };
  }

  /** The units' input: pooled, and padded to double the channels, where the stage does so. */
  private enter(x: Tensor): Tensor {
    const { stride, doubles } = this;
    const exact = x.to(this.unit(0).bn1.weight.dtype);
    const small = stride > 1 ? avgPool2d(exact, stride, stride, 0, true) : exact;
    const quarter = small.size(1) / 2;
    return doubles ? pad(small, [0, 0, 0, 0, quarter, quarter]) : small;
  }

  /** The output, and a function for its rounding error when the sums are more precise. */
  private run(x: Tensor): readonly [Tensor, (() => Tensor)?] {
    const start = this.enter(x);
    const inPlace = !gradMode();
    let [a, b] = halves(start, sumType(start));
    for (let i = 0; i < this.length; i++) {
      const sum = scope(() => {
        const change = this.unit(i).forward(b);
        return inPlace ? a.add_(change) : a.add(change);
      });
      if (sum !== a) a.dispose();
      [a, b] = [b, sum];
    }
    const y = cat([a.to(start.dtype), b.to(start.dtype)], 1);
    if (a.dtype === y.dtype) return [y];
    const rest = (sum: Tensor, half: number) => sum.sub(y.chunk(2, 1)[half] as Tensor).to(y.dtype);
    return [y, () => cat([rest(a, 0), rest(b, 1)], 1)];
  }

  /** From the output y back through all units. The first unit's input is known; an inverse would only approximate its zeros. */
  private undo(x: Tensor, y: Tensor, dy: Tensor, rest: Tensor | undefined): void {
    const start = this.enter(x);
    const dstart = scope(() => {
      const [pair, gradients] = [halves(y, rest ? "f64" : y.dtype), halves(dy, dy.dtype)];
      rest?.chunk(2, 1).forEach((half, i) => void pair[i]?.add_(half));
      dy.dispose();
      for (let i = this.length - 1; i >= 0; i--) {
        if (i === 0) pair[0].copy_(start.detach().chunk(2, 1)[1] as Tensor);
        this.unit(i).undo(pair, gradients);
        pair.reverse();
        gradients.reverse();
      }
      return cat(gradients, 1);
    });
    if (start.requiresGrad) start.backward(dstart);
  }

  private unit(i: number): Bottleneck {
    return this[i] as Bottleneck;
  }
}

/**
 * Sums are one size wider than their terms: f64, and f32 under bf16. An inverse does not undo rounding errors, which grow by half in
 * each unit: with f32 sums of f32, the gradients of the first units of 22 were wrong by 5 %. With wider sums the inverse is so close
 * that F, on its narrower input, gives exactly the same value again.
 */
function sumType({ device, dtype }: Tensor): DType {
  return dtype === "f32" && autocastDtype(device) === null && device !== "mps" ? "f64" : dtype; // mps has no f64
}

/** Copies of the first and the second half of the channels. */
function halves(whole: Tensor, dtype: DType): Halves {
  return whole.chunk(2, 1).map((half) => (half.dtype === dtype ? half.clone() : half.to(dtype))) as Halves;
}

/** Layers that the backward pass computes again from their input. They are fields of another module, which names and trains them. */
class Recomputed extends Module {
  private readonly learned: readonly Parameter[];
  private readonly run: (x: Tensor) => Tensor;

  constructor(layers: readonly Module[], run: (x: Tensor) => Tensor) {
    super();
    this.learned = layers.flatMap((layer) => layer.parameters());
    this.run = run;
  }

  override forward(x: Tensor): Tensor {
    return checkpoint(x, this.learned, this.run);
  }

  override cost(_x: Tensor, { numel }: Tensor): Cost {
    return { kept: numel, recomputes: true };
  }
}

export class RevNet extends ConvEncoder {
  override readonly featureDims: Readonly<Record<string, number>>;
  override readonly outDim: number;
  override readonly minImageSize: number;
  override readonly places: Readonly<Record<string, Places>>;
  readonly conv1: Conv2d;
  readonly layer1: Stage;
  readonly layer2: Stage;
  readonly layer3: Stage;
  readonly layer4: Stage;
  readonly bn: BatchNorm2d;
  private readonly maxpool: MaxPool2d | null;
  private readonly start: Recomputed;
  private readonly end: Recomputed;

  /** @param units number in each of the four stages */
  constructor(units: Readonly<Four>, { width, stem }: ModelOptions) {
    super();
    const { conv, pool, strides } = resnetStems[stem];
    const first = 8 * Math.max(1, Math.round(32 * width)); // 256, as in ResNet-50: halves of 128, 32 inside the bottleneck
    const [a, b, c, d] = [first, 2 * first, 4 * first, 8 * first] as const;
    this.conv1 = new Conv2d(3, a, conv[0], { stride: conv[1], padding: (conv[0] - 1) / 2 });
    this.maxpool = pool ? new MaxPool2d(3, 2, 1) : null;
    this.layer1 = new Stage(a, units[0], { stride: strides[0], doubles: false });
    this.layer2 = new Stage(b, units[1], { stride: strides[1], doubles: true });
    this.layer3 = new Stage(c, units[2], { stride: strides[2], doubles: true });
    this.layer4 = new Stage(d, units[3], { stride: strides[3], doubles: true });
    this.bn = new BatchNorm2d(d);
    this.featureDims = { stem: a, layer1: a, layer2: b, layer3: c, layer4: d };
    this.outDim = d;
    this.minImageSize = smallestImage(resnetStems[stem]);
    this.places = resnetPlaces(resnetStems[stem], (below, step) => slide(below, step, step)); // pooled between stages
    this.start = new Recomputed([this.conv1], (images) => {
      const first = this.conv1.forward(images);
      return this.maxpool?.forward(first) ?? first;
    });
    this.end = new Recomputed([this.bn], (x) => this.bn.forward(x).relu_());
  }

  override maps(images: Tensor): Maps {
    const stem = this.start.forward(images);
    const layer1 = this.layer1.forward(stem);
    const layer2 = this.layer2.forward(layer1);
    const layer3 = this.layer3.forward(layer2);
    const layer4 = this.end.forward(this.layer4.forward(layer3));
    return { stem, layer1, layer2, layer3, layer4 };
  }
}

const entry = (title: string, units: Readonly<Four>): ModelEntry => ({
  title,
  paper: "https://arxiv.org/abs/1707.04585",
  stems: ["imagenet", "cifar", "patch"],
  create: (options) => new RevNet(units, options),
});

/** Named by layers: three per unit, the first convolution, and a classifier. */
export const revnets = {
  revnet26: entry("RevNet-26: as deep as it takes for two units a stage", [2, 2, 2, 2]),
  revnet50: entry("RevNet-50 of Kolesnikov et al.", [3, 4, 6, 3]),
  revnet104: entry("RevNet-104 of Gomez et al.: 2, 2, 11 and 2 of their units", [4, 4, 22, 4]),
};
