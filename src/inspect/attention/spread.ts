/** Over how many places a map is spread. */
import type { Tensor } from "../../torch/tensor.ts";

/**
 * Effective area of maps (B, h, w), each of which sums to 1: exp(entropy) / (h · w), the part of the places that a uniform map
 * of the same entropy would cover. 1 for a uniform map, 1 / (h · w) for a single place.
 * @returns (B)
 */
export function effectiveArea(maps: Tensor): Tensor {
  const p = maps.to("f32").flatten(1); // (B, h · w)
  const entropy = p.mul(p.clamp(1e-30).log()).sum(1).neg();
  return entropy.exp().div(p.size(1));
}
