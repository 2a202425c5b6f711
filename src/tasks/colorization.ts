/**
 * Colorization: predict an image's colours from its lightness. Zhang, Isola & Efros, ECCV 2016,
 * https://arxiv.org/abs/1603.08511
 *
 * The encoder sees the lightness as a grey image of three equal channels, normalised like any other image. Its first kernels
 * start with equal weights for the three. So afterwards it takes RGB images as they are, but sees little more of their colours
 * than the mean of the channels, which is close to the lightness. Departures: colours are predicted from the two deepest feature
 * maps (a hypercolumn, Larsson et al. 2016, https://arxiv.org/abs/1603.06668) instead of by a network of dilated convolutions,
 * so that any encoder works; the frequencies of the bins are counted on the user's own images, not on ImageNet.
 */
import { z } from "zod";
import { labToRgb } from "../augment/lab.ts";
import { exactly, greyOf, toLab } from "../augment/lightness.ts";
import { fromUnit } from "../augment/normalise.ts";
import { UsageError } from "../errors.ts";
import { colourClasses, colourDistance, colourRegression } from "../heads/colour-targets.ts";
import { Hypercolumn } from "../heads/hypercolumn.ts";
import { paintedCells } from "../heads/painted.ts";
import { colourKernels, type Encoder } from "../models/model.ts";
import { noGrad } from "../torch/autograd.ts";
import { cat, resize, tensor } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { defineTask, onlyWith } from "./task.ts";

/** Colours are predicted per 4×4 pixels (56×56 of them for 224 pixels, as in the paper). */
const STRIDE = 4;
/** Mean distance from grey below which images have no colours to learn from. */
const GREY = 1;

export const colorization = defineTask({
  title: "Colorization",
  paper: "https://arxiv.org/abs/1603.08511",
  // Smaller crops show cloth but not who wears it. The loss is a mean over positions: gradients are small, so the rate is large.
  defaults: { minArea: 0.4, learningRate: 0.3 },
  quick: { options: { keepColour: 1 } }, // its first kernels are learned from the colours too, and stay
  options: z.strictObject({
    loss: z
      .enum(["classes", "regression"])
      .default("classes")
      .describe(
        "tell bins of colours apart, rare ones counting more; or the squared error of a and b (table 1: worse)",
      ),
    grid: z.number().min(5).max(40).default(10).describe("side of a bin of colours, in units of Lab's a and b"),
    neighbours: z.int().min(1).max(10).default(5).describe("bins that a colour is spread over (the code: 10)"),
    leastColour: z
      .number()
      .min(0)
      .max(100)
      .default(0)
      .describe("images without any a or b of at least this teach nothing (the code: 5); needs --crop resized"),
    // At 0, a colour that no image has would get an unbounded weight.
    lambda: z.number().min(0.01).max(1).default(0.5).describe("near 0 rare colours count most, at 1 all bins alike"),
    keepColour: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe(
        "fraction of the first kernels that stay sensitive to colour; 0: the encoder hardly sees colour afterwards",
      ),
    temperature: z.number().gt(0).max(1).default(0.38).describe("of the annealed mean that is shown"),
  }),
  onlyWith: onlyWith({ loss: "classes" }, "grid", "neighbours", "lambda", "temperature"),
  caveat: ({ keepColour }) =>
    keepColour > 0
      ? undefined
      : "An encoder trained by colorization hardly sees colour afterwards. Where colours tell your images apart, choose " +
        "another task; keepColour=1 leaves the first kernels sensitive to it, and may lose less (docs/RESULTS.md).",
  create({ encoder, images: { size, sample } }, options) {
    const known = noGrad(() => colours(toLab(sample), Math.max(1, Math.round(sample.size(2) / STRIDE)))); // (N, 2)
    const chroma = known.pow(2).sum(1).sqrt();
    if (chroma.mean().item() < GREY) {
      throw new UsageError(
        "These images are grey: the task colorization has nothing to learn from them. Choose another.",
      );
    }
    const side = Math.max(1, Math.round(size / STRIDE));
    const target = options.loss === "classes" ? colourClasses(known, options) : colourRegression(known);
    weighChannelsAlike(encoder, options.keepColour);
    const head = new Hypercolumn(encoder, size, target.outputs, side);
    const middle = known.mean(0).toArray();

    /** Grey images (B, 3, S, S) to predictions (B · side², outputs), f32. */
    function predict(seen: Tensor): Tensor {
      const maps = encoder.encode(seen.contiguous("channels_last")).maps;
      return head.predict(maps).to("f32").permute(0, 2, 3, 1).flatten(0, 2);
    }

    /** Colours (B · side², 2) to weights (B · side²): 1 in images that are colourful enough, else 0. */
    function counts(truth: Tensor, batch: number): Tensor {
      const most = truth.abs().reshape(batch, -1).amax([1]);
      return most
        .ge(options.leastColour)
        .to("f32")
        .repeatInterleave(side ** 2);
    }

    return {
      trained: { head },
      ...(target.module && { state: { bins: target.module } }),
      metric: { name: "error", unit: "", better: "lower", perfect: 0, worthwhile: 0 }, // mean distance in Lab's a and b
      guess: { value: colourDistance(known, tensor([middle])).item(), loss: target.guess },
      lossUnit: target.lossUnit,
      step([images]) {
        const lab = toLab(images);
        const prediction = predict(greyOf(lab));
        return exactly(images, () => {
          const truth = colours(lab, side);
          const some = Math.ceil(images.size(0) / 4) * side ** 2; // the annealed mean of all would cost as much as the loss
          const shown = (all: Tensor) => all.detach().narrow(0, 0, some);
          const error = scope(() => noGrad(() => colourDistance(shown(truth), target.colours(shown(prediction)))));
          const each = target.loss(prediction, truth).mul(counts(truth, images.size(0)));
          return { loss: each.mean(), metrics: { error } };
        });
      },
      preview([images]) {
        const lab = toLab(images);
        const grey = greyOf(lab);
        const prediction = predict(grey);
        return exactly(images, () => {
          const ab = target.colours(prediction).reshape(images.size(0), side, side, 2).permute(0, 3, 1, 2).contiguous();
          const painted = fromUnit(labToRgb(cat([lab.narrow(1, 0, 1), resize(ab, size, size)], 1)));
          return paintedCells(grey, painted, images);
        });
      },
    };
  },
});

/**
 * Sets each kernel that takes RGB to the mean of its three channels, except the last `kept` fraction of them. Grey images
 * do not train the differences between channels. What is left of their random start would be noise to all later layers
 * once they see colours.
 */
function weighChannelsAlike(encoder: Encoder, kept: number): void {
  const kernels = colourKernels(encoder);
  if (!kernels) return;
  noGrad(() => {
    const alike = kernels.narrow(0, 0, Math.round(kernels.size(0) * (1 - kept)));
    alike.copy_(alike.mean([1], true).expand(...alike.shape));
  });
}

/** a and b of Lab (B, 3, H, W) at side × side positions: (B · side², 2). */
function colours(lab: Tensor, side: number): Tensor {
  return resize(lab.narrow(1, 1, 2).contiguous(), side, side)
    .permute(0, 2, 3, 1)
    .flatten(0, 2);
}
