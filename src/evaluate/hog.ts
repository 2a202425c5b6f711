/**
 * What images tell without any learning: histograms of oriented gradients beside a histogram of colours. Dalal & Triggs, CVPR
 * 2005, https://doi.org/10.1109/CVPR.2005.177; Swain & Ballard, IJCV 1991, https://doi.org/10.1007/BF00130487
 */
import { rgbToHsv } from "../augment/hsv.ts";
import { avgPool2d, cat, floor, maximum, normalize, ones, pad, resize, stack, where, zeros } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import { type Tensor, tensorOperator } from "../torch/tensor.ts";

/** Side of the images, in pixels: with it both histograms have 996 values, as many as a layer of an encoder has at most. */
const SIDE = 48;
const CELL = 8;
const ORIENTATIONS = 9;
/** Limit of a block's values between its two normalisations (L2-Hys). */
const CLIP = 0.2;
const EPSILON = 1e-5;

/** Bins of hue, saturation and value. */
const [HUES, SATURATIONS, VALUES] = [8, 3, 4];

/**
 * Pixels (B, 3, S, S), 0 to 255 and any type, to (B, 996). Each histogram makes half of the vector's square length, so that
 * cosine similarities weigh both alike.
 */
export function handcrafted(pixels: Tensor): Tensor {
  return scope(() => {
    const image = resize(pixels.to("f32").contiguous(), SIDE, SIDE).round(); // whole numbers: no bin is chosen by rounding errors
    return cat([normalize(hog(image)), normalize(colourHistogram(image).sqrt())], 1);
  });
}

/**
 * Images (B, 3, H, W), f32, 0 to 255, to HOG (B, h · w · 36) of h × w overlapping blocks, row by row: 2×2 cells of 8×8 pixels and 9
 * orientations each, of the channel with the strongest gradient. As in the paper but for two smoothings: pixels vote for one cell and
 * one orientation only, and none weighs more for being near a block's centre. scikit-image's `hog` does the same.
 */
export function hog(images: Tensor): Tensor {
  return scope(() => {
    const cells = orientations(images); // (B, H / 8, W / 8, 9)
    const [, rows, columns] = cells.shape as [number, number, number];
    const corner = (row: number, column: number) => cells.narrow(1, row, rows - 1).narrow(2, column, columns - 1);
    const blocks = stack([corner(0, 0), corner(0, 1), corner(1, 0), corner(1, 1)], 3).flatten(3); // (B, h, w, 36)
    const toLength1 = (x: Tensor) =>
      x.div(
        x
          .pow(2)
          .sum([3], true)
          .add(EPSILON ** 2)
          .sqrt(),
      );
    return toLength1(toLength1(blocks).clamp(0, CLIP)).flatten(1);
  });
}

/** Each cell's mean gradient by orientation, which is unsigned: (B, 3, H, W) to (B, H / 8, W / 8, 9). */
function orientations(images: Tensor): Tensor {
  const [dy, dx] = strongest(difference(images, 2), difference(images, 3));
  // Opposite gradients are alike: turn all to 0 ≤ angle < π.
  const sign = where(dy.eq(0), dx.lt(0), dy.lt(0)).to("f32").mul(-2).add(1);
  const angle = atan2(dy.mul(sign), dx.mul(sign));
  const bin = floor(angle.mul(ORIENTATIONS / Math.PI)).clamp(0, ORIENTATIONS - 1);
  const magnitude = dy.pow(2).add(dx.pow(2)).sqrt();
  const votes = Array.from({ length: ORIENTATIONS }, (_, k) => magnitude.mul(bin.eq(k)));
  return avgPool2d(cat(votes, 1), CELL, CELL).permute(0, 2, 3, 1);
}

/** Right neighbour minus left neighbour, or the one below minus the one above; 0 at the borders. */
function difference(x: Tensor, dim: 2 | 3): Tensor {
  const size = x.size(dim);
  const inner = x.narrow(dim, 2, size - 2).sub(x.narrow(dim, 0, size - 2));
  return pad(inner, dim === 3 ? [1, 1] : [0, 0, 1, 1]);
}

/** At each pixel the gradient of the channel where it is longest: (B, 3, H, W) to (B, 1, H, W). */
function strongest(dy: Tensor, dx: Tensor): [dy: Tensor, dx: Tensor] {
  const [r, g, b] = dy.pow(2).add(dx.pow(2)).chunk(3, 1) as [Tensor, Tensor, Tensor];
  const [red, green] = [r.ge(maximum(g, b)), g.ge(b)];
  const choose = (of: Tensor) => {
    const [ofR, ofG, ofB] = of.chunk(3, 1) as [Tensor, Tensor, Tensor];
    return where(red, ofR, where(green, ofG, ofB));
  };
  return [choose(dy), choose(dx)];
}

/**
 * Images (B, 3, H, W), f32, 0 to 255, to a joint histogram (B, 96) of 8 hues, 3 saturations and 4 values, which sums to 1. Hues are
 * those nearest to red, orange and so on, not between these.
 */
export function colourHistogram(images: Tensor): Tensor {
  return scope(() => {
    const [hue, saturation, value] = rgbToHsv(images.div(255));
    const binOf = (x: Tensor, bins: number) => floor(x.mul(bins)).clamp(0, bins - 1);
    const nearest = floor(hue.mul(HUES).add(0.5));
    const h = where(nearest.eq(HUES), nearest.sub(HUES), nearest); // red at both ends
    const bin = h.mul(SATURATIONS).add(binOf(saturation, SATURATIONS)).mul(VALUES).add(binOf(value, VALUES));
    const index = bin.flatten(1).to("i64"); // (B, H · W)
    const [count, pixels] = index.shape as [number, number];
    const counts = zeros([count, HUES * SATURATIONS * VALUES], { device: images.device });
    return counts.scatterAdd(1, index, ones([count, pixels], { device: images.device })).div(pixels);
  });
}

const atan2 = tensorOperator("aten::atan2");
