/**
 * First kernels learned from the images themselves, before the training: spherical k-means on whitened patches.
 * Coates & Ng 2012, "Learning feature representations with k-means", sections 2 to 4, https://doi.org/10.1007/978-3-642-35289-8_30
 */
import { colourKernels, type Encoder } from "../models/model.ts";
import { type RandomGenerator, randomInt } from "../random.ts";
import { noGrad } from "../torch/autograd.ts";
import type { Parameter } from "../torch/nn/module.ts";
import { integers, linalgEigh, normalize, resize } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import { type Tensor, tensorOperator } from "../torch/tensor.ts";

const PATCHES = 20_000;
const ROUNDS = 12;
/** Added to the variances before whitening, as a fraction of their mean: less lets noise dominate. */
const EPSILON = 0.1;

/** Parameters of an encoder's first layer: the kernels that take RGB, and what belongs to them (a norm, or a bias). */
export function firstLayer(encoder: Encoder): Parameter[] {
  const all = encoder.parameters();
  const kernels = colourKernels(encoder);
  const start = kernels ? all.indexOf(kernels) : -1;
  const next = all.findIndex(({ dim }, i) => i > start && dim > 1);
  return start < 0 ? [] : all.slice(start, next < 0 ? all.length : next);
}

/**
 * Sets the first kernels, scaled so that their outputs on these images have the deviation 1.
 * @param sample (n, 3, D, D), normalised
 * @param size side of the network's input
 */
export function startFromPatches(encoder: Encoder, sample: Tensor, size: number, random: RandomGenerator): void {
  const kernels = colourKernels(encoder);
  if (!kernels) return;
  scope(() =>
    noGrad(() => {
      const [count, , side] = kernels.shape as [number, number, number];
      const patches = patchesOf(
        sample.size(2) === size ? sample : resize(sample.contiguous(), size, size),
        side,
        random,
      );
      const centred = patches.sub(patches.mean([1], true)); // without brightness, which whitening would amplify
      const plain = centred.div(centred.pow(2).mean([1], true).add(0.01).sqrt());
      const covariance = plain.transpose(0, 1).matmul(plain).div(plain.size(0));
      const [values, vectors] = linalgEigh(covariance);
      const whiten = vectors
        .div(values.clamp(0).add(values.mean().mul(EPSILON)).sqrt())
        .matmul(vectors.transpose(0, 1));
      const white = plain.matmul(whiten);
      let centroids = normalize(white.indexSelect(0, chosen(white.size(0), count, random)));
      for (let round = 0; round < ROUNDS; round++) {
        const scores = white.matmul(centroids.transpose(0, 1)); // (N, K)
        const best = scores.abs().argmax(1, true);
        const weights = scores.mul(0).scatterAdd(1, best, scores.gather(1, best)); // each patch counts for one centroid
        centroids = normalize(weights.transpose(0, 1).matmul(white).add(centroids, { alpha: 1e-3 }));
      }
      const found = centroids.matmul(whiten); // (K, 3·k·k), on pixels
      const zeroMean = found.sub(found.mean([1], true));
      const outputs = patches.matmul(zeroMean.transpose(0, 1));
      const deviation = outputs.std(0, { correction: 0 }).clamp(1e-3); // 0 if all images are of one colour
      kernels.copy_(zeroMean.div(deviation.unsqueeze(1)).reshape(...kernels.shape));
    }),
  );
}

/** Patches from random places of images (n, 3, S, S): (N, 3 · side · side). */
function patchesOf(images: Tensor, side: number, random: RandomGenerator): Tensor {
  const stride = Math.max(1, side >> 1);
  const all = unfold(images, [side, side], [1, 1], [0, 0], [stride, stride]); // (n, 3 · side · side, places)
  const rows = all.transpose(1, 2).flatten(0, 1); // (n · places, 3 · side · side)
  return rows.indexSelect(0, chosen(rows.size(0), PATCHES, random));
}

function chosen(length: number, count: number, random: RandomGenerator): Tensor {
  return integers(Array.from({ length: count }, () => randomInt(random, 0, length - 1)));
}

const unfold = tensorOperator("aten::im2col");
