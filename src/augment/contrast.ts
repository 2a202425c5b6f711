/**
 * The colour changes of Dosovitskiy et al. 2014 (section 3.1, https://arxiv.org/abs/1406.6909), drawn for each image
 * independently. Factors and powers are log-uniform between the paper's bounds.
 */
import { logUniform, type RandomGenerator, uniform } from "../random.ts";
import { Buffer, Module } from "../torch/nn/module.ts";
import { fromTypedArray, linalgEigh } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import { type Tensor, tensorOperator } from "../torch/tensor.ts";
import { hsvToRgb, rgbToHsv } from "./hsv.ts";
import { onePass } from "./lightness.ts";
import { fromUnit, MEAN, STD, toUnit } from "./normalise.ts";

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

/** Changes both contrasts and the colour of normalised images (B, 3, H, W), each in its own way. */
export function changeColours(images: Tensor, colours: ColourAxes, random: RandomGenerator): Tensor {
  return scope(() => {
    const changes = drawChanges(images.size(0), colours, random);
    if (onePass(images)) {
      return changeOnCpu(images, changes, colours.mean.toArray(), STD, MEAN);
    }
    return changeHsv(scaleAxes(images, colours, changes), changes);
  });
}

/** In one pass over the pixels: native/colour.cc. */
const changeOnCpu = tensorOperator("selfsight::change_colours");

/**
 * Draws a change for each of `count` images: (count, 16) f32, on the CPU. Values 0 to 8 are the matrix of contrast 1, by rows; 9 turns the
 * hue; 10 to 12 are power, factor and shift of the saturation, 13 to 15 of the value.
 */
export function drawChanges(count: number, colours: ColourAxes, random: RandomGenerator): Tensor {
  const axes = colours.axes.toArray();
  const matrices = Array.from({ length: count }, () => {
    const factors = [0, 1, 2].map(() => logUniform(random, 0.5, 2));
    // axes · diag(factors) · axesᵀ
    return [0, 1, 2].flatMap((row) =>
      [0, 1, 2].map((column) =>
        factors.reduce((sum, factor, k) => sum + (axes[row * 3 + k] ?? 0) * factor * (axes[column * 3 + k] ?? 0), 0),
      ),
    );
  });
  const draws = (draw: () => number) => Array.from({ length: count }, draw);
  const turns = draws(() => uniform(random, -0.1, 0.1));
  const bends = [0, 1].flatMap(() => [
    draws(() => logUniform(random, 0.25, 4)),
    draws(() => logUniform(random, 0.7, 1.4)),
    draws(() => uniform(random, -0.1, 0.1)),
  ]);
  const rows = matrices.flatMap((matrix, i) => [...matrix, ...[turns, ...bends].map((column) => column[i] as number)]);
  return fromTypedArray(Float32Array.from(rows), [count, 16]);
}

/**
 * Contrast 1: scales the pixels along each principal component by 0.5 to 2.
 * @param images normalised (B, 3, H, W)
 * @param changes {@link drawChanges}
 */
export function scaleAxes(images: Tensor, colours: ColourAxes, changes: Tensor): Tensor {
  const matrix = changes.to(images.device).narrow(1, 0, 9).reshape(-1, 3, 3, 1, 1);
  const centre = colours.mean.reshape(1, 3, 1, 1);
  // Sums instead of a matrix product, which autocast would round to 8 bits.
  return images.sub(centre).unsqueeze(1).mul(matrix).sum(2).add(centre);
}

/**
 * Contrast 2 and colour: saturation and value are each raised to a power of 0.25 to 4, multiplied by 0.7 to 1.4 and shifted
 * by -0.1 to 0.1. The hue is shifted by -0.1 to 0.1 of the full circle.
 * @param images normalised (B, 3, H, W)
 * @param changes {@link drawChanges}
 */
export function changeHsv(images: Tensor, changes: Tensor): Tensor {
  const columns = changes.to(images.device).unsqueeze(2).unsqueeze(3); // (B, 16, 1, 1)
  const column = (i: number) => columns.narrow(1, i, 1);
  const change = (x: Tensor, first: number) =>
    scope(() =>
      x
        .clamp(1e-6)
        .log()
        .mul(column(first))
        .exp()
        .mul(column(first + 1))
        .add(column(first + 2))
        .clamp(0, 1),
    );
  const [hue, saturation, value] = scope(() => rgbToHsv(toUnit(images).clamp(0, 1)));
  return fromUnit(hsvToRgb(hue.add(column(9)), change(saturation, 10), change(value, 13)));
}
