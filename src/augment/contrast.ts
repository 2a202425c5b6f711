/**
 * The colour changes of Dosovitskiy et al. 2014 (section 3.1, https://arxiv.org/abs/1406.6909), drawn for each image
 * independently. Factors and powers are log-uniform between the paper's bounds.
 */
import { logUniform, type RandomGenerator, uniform } from "../random.ts";
import { Buffer, Module } from "../torch/nn/module.ts";
import { cat, fromTypedArray, linalgEigh } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { hsvToRgb, rgbToHsv } from "./hsv.ts";
import { fromUnit, toUnit } from "./normalise.ts";

/** Principal components of pixel colours: the columns of `axes` (3, 3), centred on `mean` (3). Saved with a run. */
export class ColourAxes extends Module {
  readonly mean: Buffer;
  readonly axes: Buffer;

  /** @param images (B, 3, H, W): all their pixels are used */
  constructor(images: Tensor) {
    super();
    [this.mean, this.axes] = scope(() => {
      const pixels = images.to({ dtype: "f64", device: "cpu" }).transpose(0, 1).flatten(1); // (3, N)
      const mean = pixels.mean(1, true);
      const centred = pixels.sub(mean);
      const [, axes] = linalgEigh(centred.matmul(centred.transpose(0, 1)).div(pixels.size(1)));
      return [new Buffer(mean.flatten().to("f32")), new Buffer(axes.to("f32"))];
    });
  }

  /** Colours (N, 3) to their coordinates along the axes (N, 3). */
  override forward(colours: Tensor): Tensor {
    return colours.sub(this.mean).matmul(this.axes);
  }
}

/** Number of images whose temporaries fit into a CPU's cache. */
const PART = 16;

/**
 * Changes both contrasts and the colour of normalised images (B, 3, H, W). A CPU takes a few images at a time, so that
 * temporaries stay in its cache. A GPU takes all at once: it would wait for each chunk.
 */
export function changeColours(images: Tensor, colours: ColourAxes, random: RandomGenerator): Tensor {
  const count = images.size(0);
  const size = images.device === "cpu" ? PART : count;
  const parts = Array.from({ length: Math.ceil(count / size) }, (_, i) =>
    scope(() => {
      // Channel by channel in memory: in channels-last, each operator would step over two values of three.
      const part = images.narrow(0, i * size, Math.min(size, count - i * size)).contiguous();
      return changeHsv(scaleAxes(part, colours, random), random);
    }),
  );
  return cat(parts);
}

/** Contrast 1: scales the pixels along each principal component by 0.5 to 2. */
export function scaleAxes(images: Tensor, colours: ColourAxes, random: RandomGenerator): Tensor {
  const [mean, axes] = [colours.mean.toArray(), colours.axes.toArray()];
  const matrices = Array.from({ length: images.size(0) }, () => {
    const factors = [0, 1, 2].map(() => logUniform(random, 0.5, 2));
    // axes · diag(factors) · axesᵀ
    return [0, 1, 2].flatMap((row) =>
      [0, 1, 2].map((column) =>
        factors.reduce((sum, factor, k) => sum + (axes[row * 3 + k] ?? 0) * factor * (axes[column * 3 + k] ?? 0), 0),
      ),
    );
  }).flat();
  const { device } = images;
  const matrix = fromTypedArray(Float32Array.from(matrices), [images.size(0), 3, 3, 1, 1]).to(device);
  const centre = fromTypedArray(Float32Array.from(mean), [1, 3, 1, 1]).to(device);
  // Sums instead of a matrix product, which autocast would round to 8 bits.
  return images.sub(centre).unsqueeze(1).mul(matrix).sum(2).add(centre);
}

/**
 * Contrast 2 and colour: saturation and value are each raised to a power of 0.25 to 4, multiplied by 0.7 to 1.4 and shifted
 * by -0.1 to 0.1. The hue is shifted by -0.1 to 0.1 of the full circle.
 * @param images normalised (B, 3, H, W)
 */
export function changeHsv(images: Tensor, random: RandomGenerator): Tensor {
  const column = (draw: () => number) =>
    fromTypedArray(Float32Array.from({ length: images.size(0) }, draw), [images.size(0), 1, 1, 1]).to(images.device);
  const change = (x: Tensor) =>
    scope(() => {
      const power = column(() => logUniform(random, 0.25, 4));
      const factor = column(() => logUniform(random, 0.7, 1.4));
      const shift = column(() => uniform(random, -0.1, 0.1));
      return x.clamp(1e-6).log().mul(power).exp().mul(factor).add(shift).clamp(0, 1);
    });
  const [hue, saturation, value] = scope(() => rgbToHsv(toUnit(images).clamp(0, 1)));
  const turned = hue.add(column(() => uniform(random, -0.1, 0.1)));
  return fromUnit(hsvToRgb(turned, change(saturation), change(value)));
}
