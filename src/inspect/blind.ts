/**
 * Encoders that see next to nothing. If one of them can solve a task, the task has a shortcut (Doersch et al. 2015,
 * section 3.1, name edges that continue, low-level statistics and the colour fringes of lenses).
 */
import { ConvEncoder, type Encoder, type Maps } from "../models/model.ts";
import type { Shortcut } from "../tasks/task.ts";
import { BatchNorm1d, Linear, ReLU } from "../torch/nn/layers.ts";
import { Sequential } from "../torch/nn/module.ts";
import { adaptiveAvgPool2d, cat } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";

const BORDER = 2;
const ALONG = 16;
const BLURRED = 4;
const [HIDDEN, OUT] = [512, 256];

/** Images or patches (B, 3, H, W) to the little that a probe sees of them (B, inputs). */
interface View {
  readonly inputs: number;
  /** Text for people. */
  readonly title: string;
  look(images: Tensor): Tensor;
}

/** The order matters: a border also shows colours and blurred content, and is judged by what it tells beyond those. */
export const views = {
  colour: {
    title: "mean and variance of one colour channel",
    inputs: 2,
    look(images) {
      const channel = images.narrow(1, 0, 1).flatten(1); // (B, H·W)
      const mean = channel.mean([1], true);
      return cat([mean, channel.sub(mean).pow(2).mean([1], true)], 1);
    },
  },
  blur: {
    title: `a copy blurred to ${BLURRED}×${BLURRED} pixels`,
    inputs: 3 * BLURRED ** 2,
    look: (images) => adaptiveAvgPool2d(images, BLURRED).flatten(1),
  },
  border: {
    title: `a border of ${BORDER} pixels`,
    inputs: 3 * 4 * BORDER * ALONG,
    look(images) {
      const sides = [2, 3].flatMap((dim) =>
        [0, images.size(dim) - BORDER].map((at) => {
          const strip = images.narrow(dim, at, BORDER);
          return adaptiveAvgPool2d(dim === 2 ? strip : strip.transpose(2, 3), [BORDER, ALONG]).flatten(1);
        }),
      );
      return cat(sides, 1);
    },
  },
} satisfies Readonly<Record<Shortcut, View>>;

/** A view with a small network behind it. Tasks cut the same patches for it as for the encoder that it replaces. */
export class BlindEncoder extends ConvEncoder {
  override readonly featureDims = { probe: OUT };
  override readonly outDim = OUT;
  override readonly minImageSize: number;
  override readonly patchSize: number;
  readonly shortcut: Shortcut;
  private readonly view: View;
  private readonly layers: Sequential;

  constructor(shortcut: Shortcut, { minImageSize, patchSize }: Pick<Encoder, "minImageSize" | "patchSize">) {
    super();
    this.minImageSize = Math.max(BORDER, minImageSize);
    this.patchSize = patchSize;
    this.shortcut = shortcut;
    this.view = views[shortcut];
    this.layers = new Sequential(
      new Linear(this.view.inputs, HIDDEN),
      new BatchNorm1d(HIDDEN),
      new ReLU(),
      new Linear(HIDDEN, OUT),
      new ReLU(),
    );
  }

  override maps(images: Tensor): Maps {
    return { probe: this.layers.forward(this.view.look(images)).reshape(-1, OUT, 1, 1) };
  }
}
