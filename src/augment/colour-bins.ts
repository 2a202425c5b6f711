/**
 * The plane of colours (a, b of CIE Lab) cut into bins, as Zhang, Isola & Efros 2016 do it (section 2.2,
 * https://arxiv.org/abs/1603.08511): a pixel's colour is spread over its nearest bins, rare bins weigh more, and a
 * prediction is read as an annealed mean.
 */
import { arange, fromTypedArray, stack, zeros } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";
import { gamutBins } from "./gamut.ts";

/** Bins that a colour is compared with: in the middle of the gamut, 13 may be among the five nearest of a place's colours. */
const candidates = (neighbours: number) => 3 * neighbours + 1;
/** Of the Gaussians, in units of a and b. */
const SIGMA = 5;

/** Bins, and which of them lie near each place: a square of half a bin's side. Comparing with all takes most of a step. */
export interface Plane {
  readonly grid: number;
  /** So many bins a colour is spread over. */
  readonly neighbours: number;
  /** (Q, 2) */
  readonly centres: Tensor;
  /** (places, C) i64: the C bins nearest to the middle of each place, places row by row from the least a and b. */
  readonly near: Tensor;
}

export function colourPlane(grid: number, neighbours = 5): Plane {
  const bins = gamutBins(grid);
  const centres = fromTypedArray(Float32Array.from(bins.flat()), [bins.length, 2]);
  const side = Math.round((4 * Math.max(...bins.flat().map(Math.abs))) / grid);
  const axis = arange(side, { dtype: "f32" })
    .sub((side - 1) / 2)
    .mul(grid / 2);
  const middles = stack([axis.repeatInterleave(side), axis.expand(side, side).reshape(-1)], 1); // (places, 2)
  const [, near] = squaredDistances(middles, centres)
    .neg()
    .topk(Math.min(candidates(neighbours), bins.length), 1);
  return { grid, neighbours, centres, near };
}

/** (N, 2) and (M, 2) to (N, M). */
function squaredDistances(a: Tensor, b: Tensor): Tensor {
  return a.unsqueeze(1).sub(b).pow(2).sum(2);
}

/** What a colour's K nearest bins are, the nearest first, and how much of it lies in each: (N, K), rows summing to 1. */
export interface SoftBins {
  readonly bins: Tensor;
  readonly parts: Tensor;
}

/** Colours (N, 2) of sRGB images, or means of such. */
export function softEncode(colours: Tensor, { grid, neighbours, centres, near }: Plane): SoftBins {
  const side = Math.sqrt(near.size(0));
  const place = colours
    .div(grid / 2)
    .add(side / 2)
    .clamp(0, side - 1)
    .to("i64"); // (N, 2): rounded down
  const rows = place.select(1, 0).mul(side).add(place.select(1, 1));
  const compared = near.indexSelect(0, rows); // (N, C)
  const apart = centres.indexSelect(0, compared.flatten()).reshape(-1, compared.size(1), 2).sub(colours.unsqueeze(1));
  const [nearest, which] = apart
    .pow(2)
    .sum(2)
    .neg()
    .topk(Math.min(neighbours, compared.size(1)), 1);
  return { bins: compared.gather(1, which), parts: nearest.div(2 * SIGMA ** 2).softmax(1) }; // normalised Gaussians
}

/** Which part of all the colours lies in each of the Q bins: (Q). */
export function frequencies({ bins, parts }: SoftBins, count: number): Tensor {
  return zeros([count], { device: parts.device }).scatterAdd(0, bins.flatten(), parts.flatten()).div(parts.size(0));
}

/**
 * Cross-entropy with soft bins, each colour weighing as its nearest bin does (equations 2 and 3); less the entropy of the
 * soft bins themselves, which changes no gradient and makes a perfect prediction cost nothing.
 * @param logProbabilities (N, Q)
 * @param weights (Q)
 * @returns (N)
 */
export function binLoss(logProbabilities: Tensor, { bins, parts }: SoftBins, weights: Tensor): Tensor {
  const divergence = parts.mul(parts.clamp(1e-8).log().sub(logProbabilities.gather(1, bins))).sum(1);
  return divergence.mul(weights.indexSelect(0, bins.select(1, 0)));
}

/**
 * How much a pixel of each bin counts: rare colours more. w ∝ ((1 - λ) p̃ + λ / Q)⁻¹ with E[w] = 1 over p̃ (equation 4).
 * @param prior (Q) how frequent each bin is
 * @param centres (Q, 2)
 */
export function rebalance(prior: Tensor, centres: Tensor, lambda: number): Tensor {
  const kernel = squaredDistances(centres, centres)
    .div(-2 * SIGMA ** 2)
    .softmax(1);
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
