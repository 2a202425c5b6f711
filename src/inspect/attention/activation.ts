/**
 * Activation attention: where a layer's activations are large. At each place of a feature map, |activation|^p is summed over
 * the channels. Zagoruyko & Komodakis 2017, section 3.1, https://arxiv.org/abs/1612.03928; RotNet (Gidaris et al. 2018,
 * section 2.3) takes p = 1, 2 and 4 for early, middle and late layers.
 */
import { SelfsightError, UsageError, unknownName } from "../../errors.ts";
import type { Encoder } from "../../models/model.ts";
import { noGrad } from "../../torch/autograd.ts";
import { allFinite } from "../../torch/nn/finite.ts";
import { full, where } from "../../torch/ops.ts";
import { scope } from "../../torch/scope.ts";
import type { Tensor } from "../../torch/tensor.ts";

/** Powers of early, middle and late layers, by thirds of the network. */
export const POWERS: readonly number[] = [1, 2, 4];

export interface ActivationOptions {
  /** Layers wanted; default: all. */
  layers?: readonly string[] | undefined;
  /** Powers, spread evenly over the network's layers, shallow to deep; default: 1, 2, 4. */
  powers?: readonly number[] | undefined;
}

/**
 * Where each layer of an encoder, in evaluation mode and f32, is active: a map (B, h, w) by layer, at the layer's own resolution,
 * f32, of which each image's values sum to 1. A layer that ends with a norm of each place, as a transformer's last, is taken before
 * it: after it, all places are as large. The caller disposes them, or calls this in a scope.
 * @param images (B, 3, H, W), normalised, on the encoder's device
 * @throws UsageError for an unknown layer, and for images that the encoder cannot take; SelfsightError for activations that are not finite
 */
export function attentionMaps(
  encoder: Encoder,
  images: Tensor,
  { layers, powers = POWERS }: ActivationOptions = {},
): Record<string, Tensor> {
  const known = Object.keys(encoder.featureDims);
  const unknown = layers?.find((layer) => !known.includes(layer));
  if (unknown !== undefined) throw unknownName("layer", unknown, known);
  requireSides(encoder, images);
  return inEvaluation(encoder, () =>
    scope(() => {
      const { maps: after, beforeNorm } = encoder.encode(images);
      const maps = { ...after, ...beforeNorm };
      const wanted = known.filter((layer) => layers?.includes(layer) ?? true);
      return Object.fromEntries(
        wanted.map((layer) => {
          const power = powerOf(known.indexOf(layer), known.length, powers);
          return [layer, requireFinite(layer, activationAttention((maps[layer] as Tensor).to("f32"), power))];
        }),
      );
    }),
  );
}

/** The tensor itself. @throws SelfsightError if it holds NaN or infinity */
export function requireFinite(layer: string, values: Tensor): Tensor {
  if (allFinite(values)) return values;
  throw new SelfsightError(
    `The encoder's layer ${layer} gives values that are not finite: its weights are damaged or too large. Train anew, or use other weights.`,
  );
}

/** The power for the layer at `place` of `layers`, counted from 0: the powers are spread evenly, shallow to deep. */
export function powerOf(place: number, layers: number, powers: readonly number[] = POWERS): number {
  return powers[Math.floor((place * powers.length) / layers)] as number;
}

/**
 * A feature map (B, C, h, w) to Σ_c |A_c|^p (B, h, w), divided by its sum over each image's places. An image without any
 * activation gets the same value everywhere; one with activations that are not finite gets NaN.
 */
export function activationAttention(map: Tensor, power: number): Tensor {
  return scope(() => {
    const sums = powerSums(map, power);
    if (isModerate(sums)) return toMass(sums);
    const largest = map.abs().amax([1, 2, 3], true); // taken out, so that powers neither overflow nor vanish
    return toMass(powerSums(map.div(largest.clamp(1e-30)), power));
  });
}

/** Σ_c |A_c|^p (B, h, w) of a feature map (B, C, h, w). The usual powers are products: large maps are read as rarely as can be. */
function powerSums(map: Tensor, power: number): Tensor {
  if (power === 1) return map.abs().sum(1);
  const squares = map.mul(map);
  if (power === 2) return squares.sum(1);
  if (power === 4) return squares.mul(squares).sum(1);
  return map.abs().pow(power).sum(1);
}

/** Whether each image's largest sum is so far from the ends of f32 that what was lost to them cannot matter. False for NaN. */
function isModerate(sums: Tensor): boolean {
  const largest = sums.amax([1, 2]).toArray();
  return largest.every((value) => value > 1e-20 && value < 1e30);
}

/** Maps (B, h, w), not negative, divided by their sums: each image's values then sum to 1. A map of zeros becomes an even one. */
export function toMass(maps: Tensor): Tensor {
  return scope(() => {
    const [batch, height, width] = maps.shape as [number, number, number];
    const total = maps.sum([1, 2], true); // (B, 1, 1)
    const even = full([batch, height, width], 1 / (height * width), { device: maps.device });
    return where(total.expand(batch, height, width).eq(0), even, maps.div(total));
  });
}

/** Runs `body` without gradients and with the encoder in evaluation mode; then puts the mode back. */
export function inEvaluation<Result>(encoder: Encoder, body: () => Result): Result {
  const { training } = encoder;
  encoder.eval();
  try {
    return noGrad(body);
  } finally {
    encoder.train(training);
  }
}

/** @throws UsageError for images (B, 3, H, W) whose sides the encoder cannot take */
function requireSides({ minImageSize, patchSize }: Encoder, images: Tensor): void {
  const [height, width] = [images.size(2), images.size(3)];
  if (Math.min(height, width) >= minImageSize && height % patchSize === 0 && width % patchSize === 0) return;
  const multiples = patchSize > 1 ? `, and multiples of ${patchSize}` : "";
  throw new UsageError(
    `The images are ${height}×${width} pixels; this encoder needs sides of ${minImageSize} at least${multiples}.`,
  );
}
