/** Finds places with visible structure in images. Dosovitskiy et al. 2014, section 3.1. */
import { randomAt, uniform } from "../random.ts";
import { avgPool2d } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";

/** Candidate places along each side. */
const GRID = 8;

/**
 * Draws one place for a patch in each image, weighted by the mean squared gradient. An index always gets the same draw from the same seed.
 * @param images (B, 3, D, D)
 * @param part side of a patch, as a fraction of the image's side
 * @param indices the images' positions in the set, which seed the draws with the run's `seed`
 * @returns centres [x, y], from -1 (left, top) to 1 (right, bottom)
 */
export function seedPlaces(
  images: Tensor,
  part: number,
  indices: ArrayLike<number>,
  seed: number,
): [x: number, y: number][] {
  const size = images.size(2);
  const side = Math.min(size - 1, Math.max(1, Math.round(part * size)));
  const stride = Math.max(1, Math.floor((size - 1 - side) / (GRID - 1)));
  const { energies, across } = scope(() => {
    const grey = images.to("f32").mean(1, true);
    const shifted = (down: number, right: number) => grey.narrow(2, down, size - 1).narrow(3, right, size - 1);
    const [dx, dy] = [shifted(0, 1).sub(shifted(0, 0)), shifted(1, 0).sub(shifted(0, 0))];
    const pooled = avgPool2d(dx.pow(2).add(dy.pow(2)), side, stride); // (B, 1, g, g)
    return { energies: pooled.toArray(), across: pooled.size(3) };
  });
  const places = across * across;
  return Array.from(indices, (index, i) => {
    const chosen = choose(energies.slice(i * places, (i + 1) * places), uniform(randomAt(seed, PLACE, index), 0, 1));
    const centre = (at: number) => (2 * (at * stride + side / 2)) / size - 1;
    return [centre(chosen % across), centre(Math.floor(chosen / across))];
  });
}

/** Keeps these draws apart from others of the same seed. */
const PLACE = 17;

/** The position where the running sum of the weights passes the fraction `part` of the total. Zeros alone count as equal weights. */
function choose(weights: readonly number[], part: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) return Math.floor(part * weights.length);
  let left = part * total;
  const at = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return Math.max(0, at);
}
