/**
 * The ab plane of CIE Lab quantised into bins, as in Zhang, Isola & Efros 2016 (section 2.2,
 * https://arxiv.org/abs/1603.08511): a pixel's colour is spread over its nearest bins, rare bins get larger weights,
 * and a prediction is decoded by the annealed mean.
 */
import { arange, fromTypedArray, stack, zeros } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";
import { gamutBins } from "./gamut.ts";

/** Number of bins that a colour is compared with: mid-gamut, 13 bins can be among the five nearest to some colour of a place. */
const candidates = (neighbours: number) => 3 * neighbours + 1;
/** Standard deviation of the Gaussians, in units of a and b. */
const SIGMA = 5;

/** Bins, and those near each place: a square of half a bin's side. Comparing with every bin would take most of a step. */
export interface Plane {
  readonly grid: number;
  /** Number of bins that a colour is spread over. */
  readonly neighbours: number;
  /** (Q, 2) */
  readonly centres: Tensor;
  /** (places, C) i64: the C bins nearest to the centre of each place. Places are row by row, from the smallest a and b. */
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

/** Between all pairs: (N, 2) and (M, 2) to (N, M). */
function squaredDistances(a: Tensor, b: Tensor): Tensor {
  return a.unsqueeze(1).sub(b).pow(2).sum(2);
}

/** (N, K): the K nearest bins of each colour, nearest first, and its weight in each. Each row of weights sums to 1. */
export interface SoftBins {
  readonly bins: Tensor;
  readonly parts: Tensor;
}

/** Soft-encodes ab colours (N, 2) of sRGB images, or means of such colours. */
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

/** (Q): the fraction of all colours that lies in each of the Q bins. */
export function frequencies({ bins, parts }: SoftBins, count: number): Tensor {
  return zeros([count], { device: parts.device }).scatterAdd(0, bins.flatten(), parts.flatten()).div(parts.size(0));
}

/**
 * Cross-entropy with soft bins, each colour weighted by its nearest bin (equations 2 and 3). The entropy of the soft bins
 * is subtracted, so that a perfect prediction has loss 0. This changes no gradient.
 * @param logProbabilities (N, Q)
 * @param weights (Q)
 * @returns (N)
 */
export function binLoss(logProbabilities: Tensor, { bins, parts }: SoftBins, weights: Tensor): Tensor {
  const divergence = parts.mul(parts.clamp(1e-8).log().sub(logProbabilities.gather(1, bins))).sum(1);
  return divergence.mul(weights.indexSelect(0, bins.select(1, 0)));
}

/**
 * Weight of a pixel in each bin, larger for rare colours: w ∝ ((1 - λ) p̃ + λ / Q)⁻¹ with E[w] = 1 over p̃ (equation 4).
 * @param prior (Q) frequency of each bin
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

/** Logits (N, Q) to colours (N, 2): the mean of the bins, sharpened by a temperature below 1 (equation 5). */
export function annealedMean(logits: Tensor, centres: Tensor, temperature: number): Tensor {
  return logits.div(temperature).softmax(1).matmul(centres);
}
