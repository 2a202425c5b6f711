/** Two ways to predict a colour: as a class, or as two values. Zhang, Isola & Efros 2016, section 2 */

import {
  annealedMean,
  binLoss,
  colourPlane,
  frequencies,
  type Plane,
  rebalance,
  softEncode,
} from "../augment/colour-bins.ts";
import { Buffer, Module } from "../torch/nn/module.ts";
import type { Tensor } from "../torch/tensor.ts";

/** Divided by this, a and b of ordinary photos have a standard deviation of about 1. */
const SCALE = 20;

/** What the outputs at each position mean. */
export interface ColourTarget {
  readonly outputs: number;
  /** Loss of a constant guess: the colours' distribution, or their mean. */
  readonly guess: number;
  /** Unit of the loss. */
  readonly lossUnit: string;
  readonly module?: Module;
  /** (N, outputs) and true colours (N, 2) to the loss at each position (N). */
  loss(prediction: Tensor, truth: Tensor): Tensor;
  /** (N, outputs) to colours (N, 2). */
  colours(prediction: Tensor): Tensor;
}

/** Buffers that are computed once and move with the network to its device. */
class Bins extends Module implements Plane {
  readonly grid: number;
  readonly neighbours: number;
  readonly centres: Buffer;
  readonly near: Buffer;
  readonly weights: Buffer;

  constructor({ grid, neighbours, centres, near }: Plane, weights: Tensor) {
    super();
    [this.grid, this.neighbours] = [grid, neighbours];
    [this.centres, this.near, this.weights] = [new Buffer(centres), new Buffer(near), new Buffer(weights)];
  }
}

/** Colours as bins, with higher weights for rare ones. */
export function colourClasses(
  known: Tensor,
  { grid, neighbours, lambda, temperature }: { grid: number; neighbours: number; lambda: number; temperature: number },
): ColourTarget {
  const plane = colourPlane(grid, neighbours);
  const soft = softEncode(known, plane);
  const prior = frequencies(soft, plane.centres.size(0));
  const bins = new Bins(plane, rebalance(prior, plane.centres, lambda));
  const guess = prior.clamp(1e-8).log().logSoftmax(0).expand(known.size(0), -1); // (N, Q)
  return {
    outputs: prior.size(0),
    lossUnit: "nats",
    guess: binLoss(guess, soft, bins.weights).mean().item(),
    module: bins,
    loss: (logits, truth) => binLoss(logits.logSoftmax(1), softEncode(truth, bins), bins.weights),
    colours: (logits) => annealedMean(logits, bins.centres, temperature),
  };
}

/** Squared error of a and b, in units of their usual standard deviation (equation 1). */
export function colourRegression(known: Tensor): ColourTarget {
  const loss = (prediction: Tensor, truth: Tensor) => prediction.sub(truth.div(SCALE)).pow(2).sum(1);
  return {
    outputs: 2,
    lossUnit: "squared error",
    guess: loss(known.mean(0, true).div(SCALE), known).mean().item(),
    loss,
    colours: (prediction) => prediction.mul(SCALE),
  };
}

/** Mean distance between colours (N, 2), in units of Lab. */
export function colourDistance(a: Tensor, b: Tensor): Tensor {
  return a.sub(b).pow(2).sum(1).sqrt().mean();
}
