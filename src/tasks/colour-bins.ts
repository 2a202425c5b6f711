/**
 * The plane of colours (a, b of CIE Lab) cut into bins, as Zhang, Isola & Efros 2016 do it (section 2.2,
 * https://arxiv.org/abs/1603.08511): a pixel's colour is spread over its five nearest bins, rare bins weigh more, and a
 * prediction is read as an annealed mean.
 */
import { rgbToLab } from "../augment/lab.ts";
import { noGrad } from "../torch/autograd.ts";
import { fromTypedArray, zeros } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";

/** Bins a pixel's colour is spread over. */
const NEIGHBOURS = 5;
/** Of the Gaussians, in units of a and b. */
const SIGMA = 5;

/**
 * Centres [a, b] of the bins that some sRGB colour comes within one bin's side of, in both directions. At a grid of 10 these
 * are 309; the paper has 313, whose exact rule is not published.
 */
export function gamutBins(grid: number): [a: number, b: number][] {
  const colours = scope(() => noGrad(() => rgbToLab(rgbSurface()).flatten(2).squeeze(0).data() as Float32Array)); // (3, N)
  const count = colours.length / 3;
  const corners = new Set<string>();
  for (let i = 0; i < count; i++) {
    const [a, b] = [colours[count + i] as number, colours[2 * count + i] as number];
    const [left, below] = [Math.floor(a / grid), Math.floor(b / grid)];
    for (const x of [left, left + 1]) for (const y of [below, below + 1]) corners.add(`${x},${y}`);
  }
  const centres = [...corners].map((key) => key.split(",").map((part) => Number(part) * grid) as [number, number]);
  return centres.sort(([a, b], [c, d]) => a - c || b - d);
}

/** (1, 3, 1, N): every sRGB colour of 8 bits with one channel at its least or most. All others lie between. */
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

/** Colours (N, 2) to how much of each lies in each of the centres' (Q, 2) bins: (N, Q), rows summing to 1. */
export function softEncode(colours: Tensor, centres: Tensor): Tensor {
  const squared = colours.unsqueeze(1).sub(centres).pow(2).sum(2); // (N, Q)
  const [near, bins] = squared.neg().topk(NEIGHBOURS, 1);
  const weights = near.div(2 * SIGMA ** 2).softmax(1); // normalised Gaussians
  return zeros(squared.shape, { device: colours.device }).scatterAdd(1, bins, weights);
}

/**
 * How much a pixel of each bin counts: rare colours more. w ∝ ((1 - λ) p̃ + λ / Q)⁻¹ with E[w] = 1 over p̃ (equation 4).
 * @param prior (Q) how frequent each bin is
 * @param centres (Q, 2)
 */
export function rebalance(prior: Tensor, centres: Tensor, lambda: number): Tensor {
  const squared = centres.unsqueeze(1).sub(centres).pow(2).sum(2); // (Q, Q)
  const kernel = squared.div(-2 * SIGMA ** 2).softmax(1);
  const smooth = prior.unsqueeze(0).matmul(kernel).squeeze(0);
  const frequencies = smooth.div(smooth.sum());
  const weights = frequencies
    .mul(1 - lambda)
    .add(lambda / prior.size(0))
    .pow(-1);
  return weights.div(weights.mul(frequencies).sum());
}

/** Logits (N, Q) to colours (N, 2): the mean of the bins, made peakier by a temperature below 1 (equation 5). */
export function annealedMean(logits: Tensor, centres: Tensor, temperature: number): Tensor {
  return logits.div(temperature).softmax(1).matmul(centres);
}
