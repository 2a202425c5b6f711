/** Previews of tasks whose answer is a picture. */
import { cat } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";

/** Of images (B, 3, H, W) what was seen beside what was painted, and the truth below: cells of (3, 2 · H, 2 · W). */
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
