/** Previews for tasks that predict an image. */
import type { Tensor } from "../torch/tensor.ts";

/** Images (B, 3, H, W) to cells with three panels: what was seen, what was painted, and the truth. */
export function paintedCells(seen: Tensor, painted: Tensor, truth: Tensor) {
  return Array.from({ length: truth.size(0) }, (_, i) => ({
    image: seen.select(0, i),
    answer: "the image itself",
    guess: null,
    panels: [
      { image: seen.select(0, i), caption: "seen" },
      { image: painted.select(0, i), caption: "painted" },
      { image: truth.select(0, i), caption: "true" },
    ],
  }));
}
