/** The bins of Lab's ab plane that are in the sRGB gamut. Zhang, Isola & Efros 2016, section 2.2. */

import { noGrad } from "../torch/autograd.ts";
import { fromTypedArray } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { rgbToLab } from "./lab.ts";

/**
 * Centres [a, b] of the bins: the corners of all grid squares that intersect the convex hull of sRGB's colours. For a grid
 * of 10 these are exactly the 313 of the authors' `resources/pts_in_hull.npy`. The paper does not give the rule.
 */
export function gamutBins(grid: number): [a: number, b: number][] {
  const strips = new Map<number, [low: number, high: number]>(); // the hull's range of b for grid·i ≤ a ≤ grid·(i + 1)
  const widen = (strip: number, b: number) => {
    const [low, high] = strips.get(strip) ?? [b, b];
    strips.set(strip, [Math.min(low, b), Math.max(high, b)]);
  };
  const outline = convexHull(gamut());
  outline.forEach(([a, b], i) => {
    const [nextA, nextB] = outline[(i + 1) % outline.length] as [number, number];
    widen(Math.floor(a / grid), b);
    for (let k = Math.ceil(Math.min(a, nextA) / grid); k * grid < Math.max(a, nextA); k++) {
      const crossing = b + ((k * grid - a) / (nextA - a)) * (nextB - b);
      widen(k - 1, crossing);
      widen(k, crossing);
    }
  });
  const corners = new Set<string>();
  for (const [x, [low, high]] of strips) {
    const [first, last] = [Math.floor(low / grid), Math.floor(high / grid) + 1];
    for (let y = first; y <= last; y++) for (const corner of [x, x + 1]) corners.add(`${corner},${y}`);
  }
  const centres = [...corners].map((key) => key.split(",").map((part) => Number(part) * grid) as [number, number]);
  return centres.sort(([a, b], [c, d]) => a - c || b - d);
}

/** Corners of the convex hull of points [x, y], in order around it. Andrew's monotone chain. */
function convexHull(points: readonly [number, number][]): [number, number][] {
  const sorted = [...points].sort(([a, b], [c, d]) => a - c || b - d);
  const half = (chain: readonly [number, number][]) => {
    const kept: [number, number][] = [];
    for (const next of chain) {
      while (kept.length > 1 && !turnsLeft(kept.at(-2) as [number, number], kept.at(-1) as [number, number], next)) {
        kept.pop();
      }
      kept.push(next);
    }
    return kept.slice(0, -1);
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

const turnsLeft = ([ax, ay]: [number, number], [bx, by]: [number, number], [cx, cy]: [number, number]) =>
  (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) > 0;

/** [a, b] of every colour on the surface of the sRGB cube. */
function gamut(): [a: number, b: number][] {
  const colours = scope(() => noGrad(() => rgbToLab(rgbSurface()).flatten(2).squeeze(0).data() as Float32Array)); // (3, N)
  const count = colours.length / 3;
  return Array.from({ length: count }, (_, i) => [colours[count + i] as number, colours[2 * count + i] as number]);
}

/** (1, 3, 1, N): every 8-bit sRGB colour with one channel at its minimum or maximum. All others lie inside. */
function rgbSurface(): Tensor {
  const values = new Float32Array(3 * 6 * 256 * 256);
  const count = values.length / 3;
  let i = 0;
  for (const fixed of [0, 1, 2]) {
    for (const level of [0, 1]) {
      for (let x = 0; x < 256; x++) {
        for (let y = 0; y < 256; y++) {
          values[fixed * count + i] = level;
          values[((fixed + 1) % 3) * count + i] = x / 255;
          values[((fixed + 2) % 3) * count + i] = y / 255;
          i++;
        }
      }
    }
  }
  return fromTypedArray(values, [1, 3, 1, count]);
}
