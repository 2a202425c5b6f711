/** Does a map turn with its image? Attention to what is shown does; attention to a place, like the centre or an edge, does not. */
import type { Maps } from "../../models/model.ts";
import type { Tensor } from "../../torch/tensor.ts";

/** Numbers of quarter turns: 90°, 180° and 270°. */
export const TURNS = [1, 2, 3] as const;

/** Values that differ less than this, relative to their size, are all the same up to rounding. */
const ROUNDING = 1e-5;

/**
 * Pearson's correlation of each map (B, h, w) with the one of the same index in `others` (B, h, w).
 * @returns B numbers from -1 to 1; NaN where one of the two has the same value everywhere
 */
export function correlation(maps: Tensor, others: Tensor): number[] {
  const [a, b] = [centred(maps), centred(others)];
  const product = a.deviations.mul(b.deviations).sum(1).toArray();
  const [varianceA, varianceB] = [a.variance.toArray(), b.variance.toArray()];
  const [sizeA, sizeB] = [a.size.toArray(), b.size.toArray()];
  return product.map((sum, i) => {
    const [va, vb] = [varianceA[i] as number, varianceB[i] as number];
    const constant = va <= ROUNDING ** 2 * (sizeA[i] as number) || vb <= ROUNDING ** 2 * (sizeB[i] as number);
    return constant ? Number.NaN : Math.max(-1, Math.min(1, sum / Math.sqrt(va * vb)));
  });
}

/** Deviations (B, h · w) from the mean, their sum of squares (B), and the sum of squares of the values themselves (B). */
function centred(maps: Tensor): { deviations: Tensor; variance: Tensor; size: Tensor } {
  const flat = maps.to("f32").flatten(1);
  const values = flat.div(flat.abs().amax(1, true).clamp(1e-30)); // squares of small values would vanish
  const deviations = values.sub(values.mean(1, true));
  return { deviations, variance: deviations.pow(2).sum(1), size: values.pow(2).sum(1) };
}

/**
 * For each layer and each of {@link TURNS}: the correlation of each image's map with the map of the turned image, turned back.
 * @param mapsOf maps (B, h, w) of square images (B, 3, S, S), by layer
 * @param maps those of `images` as they are, of the layers wanted
 * @returns by layer, 3 × B numbers
 */
export function equivariance(mapsOf: (images: Tensor) => Maps, images: Tensor, maps: Maps): Record<string, number[][]> {
  const layers = Object.entries(maps);
  const byTurn = TURNS.map((turn) => {
    const turned = mapsOf(images.rot90(turn, [2, 3]).contiguous("channels_last"));
    return layers.map(([layer, own]) => correlation(own, (turned[layer] as Tensor).rot90(-turn, [1, 2])));
  });
  return Object.fromEntries(layers.map(([layer], at) => [layer, byTurn.map((rows) => rows[at] as number[])]));
}
