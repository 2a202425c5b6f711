/** Colour augmentations of normalised images (B, 3, H, W). */
import { type RandomGenerator, randomInt, uniform } from "../random.ts";
import { cat, fromTypedArray, randn, tensor, where } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { MEAN, mixChannels, STD, type Triple } from "./normalise.ts";

/** ITU-R 601 luma, as in PIL's mode "L". */
const LUMA = [0.299, 0.587, 0.114] as const;

/** Multiplies the colours (0 to 1) of normalised images by a 3×3 matrix, in one pass. */
function mix(images: Tensor, matrix: readonly Triple[]): Tensor {
  const normalised = matrix.map(
    (row, i) => row.map((part, k) => (part * STD[k as 0]) / STD[i as 0]) as unknown as Triple,
  );
  const shift = matrix.map(([r, g, b], i) => [
    [(r * MEAN[0] + g * MEAN[1] + b * MEAN[2] - MEAN[i as 0]) / STD[i as 0]],
  ]);
  return mixChannels(images, normalised).add(tensor(shift, { device: images.device }));
}

/** Grey images with three equal channels (before normalisation). */
export function toGrey(images: Tensor): Tensor {
  return mix(images, [LUMA, LUMA, LUMA]);
}

/**
 * Removes the green-magenta axis, along which chromatic aberration shifts colours: it would reveal where in the photo a
 * patch was. Doersch et al. 2015, section 3.1 ("projection"); the matrix is from Noroozi & Favaro's code.
 */
export function projectColours(images: Tensor): Tensor {
  return mix(images, [
    [5 / 6, 1 / 3, -1 / 6],
    [1 / 3, 1 / 3, 1 / 3],
    [-1 / 6, 1 / 3, 5 / 6],
  ]);
}

/**
 * Applies `change` to each image with the given probability. If the batch holds several views, one after the other, the
 * same images are changed in every view.
 */
export function sometimes(
  change: (images: Tensor) => Tensor,
  images: Tensor,
  { probability, views = 1 }: { probability: number; views?: number },
  random: RandomGenerator,
): Tensor {
  if (probability === 0) return images;
  const count = images.size(0) / views;
  const chosen = Float32Array.from({ length: count }, () => (uniform(random, 0, 1) < probability ? 1 : 0));
  return scope(() => {
    const once = fromTypedArray(chosen, [count, 1, 1, 1]).to(images.device);
    const mask = cat(Array.from({ length: views }, () => once)).eq(1);
    return where(mask, change(images), images);
  });
}

/**
 * Keeps one random channel of each image and replaces the two others with faint noise: 1/100 of the standard deviation
 * of normalised images. Doersch et al. 2015, section 3.1 ("color dropping").
 */
export function dropColours(images: Tensor, random: RandomGenerator): Tensor {
  const kept = new Float32Array(images.size(0) * 3);
  for (let i = 0; i < images.size(0); i++) kept[i * 3 + randomInt(random, 0, 2)] = 1;
  const mask = fromTypedArray(kept, [images.size(0), 3, 1, 1]).to(images.device);
  const noise = randn(images.shape, { device: images.device }).mul(0.01);
  return images.mul(mask).add(noise.mul(mask.neg().add(1)));
}
