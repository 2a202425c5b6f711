/**
 * First kernels learned from the images themselves, before the training: spherical k-means on whitened patches.
 * Coates & Ng 2012, "Learning feature representations with k-means", sections 2 to 4, https://doi.org/10.1007/978-3-642-35289-8_30
 */
import { colourKernels, type Encoder } from "../models/model.ts";
import { type RandomGenerator, randomInt, uniform } from "../random.ts";
import { noGrad } from "../torch/autograd.ts";
import { Module, type Parameter } from "../torch/nn/module.ts";
import { cat, fromTypedArray, integers, linalgEigh, normalize, resize, zerosLike } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import { type Tensor, tensorOperator } from "../torch/tensor.ts";

const PATCHES = 20_000;
const ROUNDS = 12;
/** Added to the variances before whitening, as a fraction of their mean: less lets noise dominate. */
const EPSILON = 0.1;

/** Parameters of an encoder's first layer: the kernels that take RGB, their bias, and a norm right behind them in the same module. */
export function firstLayer(encoder: Encoder): Parameter[] {
  const kernels = colourKernels(encoder);
  if (!kernels) return [];
  const modules = [...encoder.namedModules()].map(([, module]) => module);
  const holder = (part: unknown) => modules.find((module) => Object.values(module).includes(part));
  const conv = holder(kernels) as Module;
  const beside = Object.values(holder(conv) ?? {}).filter((part) => part instanceof Module);
  const behind = beside.slice(beside.indexOf(conv) + 1);
  const next = behind.findIndex((part) => part.parameters().some(({ dim }) => dim > 1));
  return [conv, ...behind.slice(0, next < 0 ? behind.length : next)].flatMap((part) => part.parameters());
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
      const patches = scope(() => patchesOf(sample, size, side, random));
      const centred = patches.sub(patches.mean([1], true)); // without brightness, which whitening would amplify
      const plain = centred.div(centred.pow(2).mean([1], true).add(0.01).sqrt());
      const covariance = plain.transpose(0, 1).matmul(plain).div(plain.size(0));
      const [values, vectors] = linalgEigh(covariance);
      const whiten = vectors
        .div(values.clamp(0).add(values.mean().mul(EPSILON)).sqrt())
        .matmul(vectors.transpose(0, 1));
      const centroids = kMeans(plain.matmul(whiten), count, random);
      const found = centroids.matmul(whiten); // (K, 3·k·k), on pixels
      const zeroMean = found.sub(found.mean([1], true));
      const outputs = patches.matmul(zeroMean.transpose(0, 1));
      const deviation = outputs.std(0, { correction: 0 }).clamp(1e-3); // 0 if all images are of one colour
      kernels.copy_(zeroMean.div(deviation.unsqueeze(1)).reshape(...kernels.shape));
    }),
  );
}

/**
 * Spherical k-means (section 3.1): x (N, D) to directions (K, D) of length 1. It begins with random ones, as in the paper, not with
 * patches: of images with much blank background, many would be the same.
 */
function kMeans(x: Tensor, count: number, random: RandomGenerator): Tensor {
  const start = Float32Array.from({ length: count * x.size(1) }, () => uniform(random, -1, 1));
  const step = (centroids: Tensor) => {
    const scores = x.matmul(centroids.transpose(0, 1)); // (N, K)
    const best = scores.abs().argmax(1, true);
    const weights = zerosLike(scores).scatterAdd(1, best, scores.gather(1, best)); // each patch counts for one centroid
    return normalize(weights.transpose(0, 1).matmul(x).add(centroids));
  };
  let centroids = normalize(fromTypedArray(start).reshape(count, -1));
  for (let round = 0; round < ROUNDS; round++) centroids = scope(() => step(centroids));
  return centroids;
}

/** Patches from random places of images (n, 3, D, D), resized to S × S: (N, 3 · side · side). */
function patchesOf(images: Tensor, size: number, side: number, random: RandomGenerator): Tensor {
  const each = Math.ceil(PATCHES / images.size(0));
  const stride = Math.max(1, side >> 1);
  const fit = Math.max(size, side);
  const rows = Array.from({ length: images.size(0) }, (_, i) =>
    scope(() => {
      const image = images.narrow(0, i, 1).contiguous();
      const whole = image.size(2) === fit ? image : resize(image, fit, fit);
      const places = unfold(whole, [side, side], [1, 1], [0, 0], [stride, stride]).select(0, 0); // (3 · side · side, places)
      return places
        .indexSelect(1, chosen(places.size(1), each, random))
        .transpose(0, 1)
        .contiguous();
    }),
  );
  return cat(rows);
}

function chosen(length: number, count: number, random: RandomGenerator): Tensor {
  return integers(Array.from({ length: count }, () => randomInt(random, 0, length - 1)));
}

const unfold = tensorOperator("aten::im2col");
