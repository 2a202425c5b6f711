/** Previews for tasks that predict an image. */
import { cat } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";

/** Images (B, 3, H, W) to cells (3, 2 · H, 2 · W): what was seen beside what was painted, and the truth below. */
export function paintedCells(
  seen: Tensor,
  painted: Tensor,
  truth: Tensor,
): { image: Tensor; answer: string; guess: null }[] {
  const sheets = cat([cat([seen, painted], 3), cat([truth, truth.mul(0)], 3)], 2);
  return Array.from({ length: truth.size(0) }, (_, i) => ({
    image: sheets.select(0, i),
    answer: "seen, painted; true",
    guess: null,
  }));
}
