/** Two ways to predict a colour: as a class, or as two numbers. Zhang, Isola & Efros 2016, section 2 */
import { Buffer, Module } from "../torch/nn/module.ts";
import { tensor } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";
import { annealedMean, gamutBins, rebalance, softEncode } from "./colour-bins.ts";

/** a and b of ordinary photos divided by this have a deviation of about 1. */
const SCALE = 20;

/** What the outputs for a place mean. */
export interface Reading {
  readonly outputs: number;
  /** What the most frequent answers cost. */
  readonly chance: number;
  readonly module?: Module;
  /** (N, outputs) and true colours (N, 2) to a number. */
  loss(prediction: Tensor, truth: Tensor): Tensor;
  /** (N, outputs) to colours (N, 2). */
  colours(prediction: Tensor): Tensor;
}

/** What is counted once and moves to the network's device. */
class Bins extends Module {
  readonly centres: Buffer;
  readonly weights: Buffer;

  constructor(centres: Tensor, weights: Tensor) {
    super();
    [this.centres, this.weights] = [new Buffer(centres), new Buffer(weights)];
  }

  override forward(x: Tensor): Tensor {
    return x;
  }
}

/**
 * Cross-entropy with soft bins, each pixel weighing as its commonest bin does (equations 2 and 3); less the entropy of the soft
 * bins themselves, which changes no gradient and makes a perfect prediction cost nothing.
 */
export function classReading(
  known: Tensor,
  { grid, lambda, temperature }: { grid: number; lambda: number; temperature: number },
): Reading {
  const centres = tensor(gamutBins(grid));
  const soft = softEncode(known, centres);
  const prior = soft.mean(0);
  const bins = new Bins(centres, rebalance(prior, centres, lambda));
  const loss = (logits: Tensor, target: Tensor) => {
    const weights = bins.weights.indexSelect(0, target.argmax(1));
    const divergence = target.mul(target.clamp(1e-8).log().sub(logits.logSoftmax(1))).sum(1);
    return divergence.mul(weights).mean();
  };
  return {
    outputs: centres.size(0),
    chance: loss(prior.clamp(1e-8).log().unsqueeze(0).expand(known.size(0), -1), soft).item(),
    module: bins,
    loss: (logits, truth) => loss(logits, softEncode(truth, bins.centres)),
    colours: (logits) => annealedMean(logits, bins.centres, temperature),
  };
}

/** Mean squared error of a and b, in units of their usual deviation (equation 1). */
export function regressionReading(known: Tensor): Reading {
  const loss = (prediction: Tensor, truth: Tensor) => prediction.sub(truth.div(SCALE)).pow(2).sum(1).mean();
  return {
    outputs: 2,
    chance: loss(known.mean(0, true).div(SCALE), known).item(),
    loss,
    colours: (prediction) => prediction.mul(SCALE),
  };
}
