/** What a transformer's class token attends to: in its last block, and through all of them. */
import { cat, ones, zeros } from "../../torch/ops.ts";
import { scope } from "../../torch/scope.ts";
import type { Tensor } from "../../torch/tensor.ts";
import { toMass } from "./activation.ts";

/** Patches down and across. */
export type Grid = readonly [height: number, width: number];

/**
 * A block's attention weights (B, heads, 1 + h·w, 1 + h·w), class token first, to what each head's class token attends to
 * (B, heads, h, w). Without the token itself; each map's values then sum to 1. Caron et al. 2021 (DINO), https://arxiv.org/abs/2104.14294
 */
export function classAttention(weights: Tensor, [height, width]: Grid): Tensor {
  return scope(() => {
    const [batch, heads] = weights.shape as [number, number];
    const row = weights.select(2, 0).narrow(2, 1, height * width); // (B, heads, h·w)
    return toMass(row.reshape(batch * heads, height, width)).reshape(batch, heads, height, width);
  });
}

/**
 * Attention rollout: every block's attention weights (B, heads, N, N), first to last, multiplied as if each were (A + I) / 2, A their
 * mean over heads. What of it goes from the class token to the patches (B, h, w); each image's values sum to 1. Abnar & Zuidema 2020,
 * https://arxiv.org/abs/2005.00928
 */
export function rollout(blocks: readonly Tensor[], [height, width]: Grid): Tensor {
  const [{ shape, device }] = blocks as [Tensor];
  const [batch, , tokens] = shape as [number, number, number];
  return scope(() => {
    // Only the class token's row of the product is needed: it is multiplied from the left, the last block first.
    let row = cat([ones([batch, 1, 1], { device }), zeros([batch, 1, tokens - 1], { device })], 2); // (B, 1, N)
    for (const weights of blocks.toReversed()) {
      const mean = weights.to("f32").mean(1); // (B, N, N)
      row = row.matmul(mean).add(row).div(2);
    }
    return toMass(row.narrow(2, 1, height * width).reshape(batch, height, width));
  });
}
