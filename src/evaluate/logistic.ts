/** Multinomial logistic regression by full-batch L-BFGS on standardised features. */
import { noGrad } from "../torch/autograd.ts";
import { threads } from "../torch/device.ts";
import { crossEntropy, integers, zeros } from "../torch/ops.ts";
import { LBFGS } from "../torch/optim/lbfgs.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";

/** Features (N, D), f32, and the class of each row (N). */
export interface Labelled {
  readonly features: Tensor;
  readonly labels: ArrayLike<number>;
}

/** Standardises by mean and deviation, then applies weights (C, D) and bias (C). */
export interface LinearModel {
  mean: Tensor;
  deviation: Tensor;
  weight: Tensor;
  bias: Tensor;
}

export interface FitOptions {
  classes: number;
  /** Adds penalty / 2 · |weights|² to the mean cross-entropy. The bias is not penalised. */
  penalty: number;
  maxIterations: number;
  /** Where to start: a model of the same features. */
  start?: LinearModel | undefined;
}

/** Fits with fewer multiplications than this per pass use one thread: a second saves nothing and waits for its core. */
const SMALL = 2e7;

export function fitLogistic(part: Labelled, options: FitOptions): LinearModel {
  const before = threads();
  const [rows = 0, columns = 0] = part.features.shape;
  if (rows * columns * options.classes < SMALL) threads(1);
  try {
    return minimise(part, options);
  } finally {
    threads(before);
  }
}

function minimise({ features, labels }: Labelled, { classes, penalty, maxIterations, start }: FitOptions): LinearModel {
  return scope(() => {
    const { device } = features;
    const mean = start?.mean ?? features.mean(0);
    const deviation = start?.deviation ?? features.std(0, { correction: 0 }).clamp(1e-6); // constant features stay 0
    const x = features.sub(mean).div(deviation); // (N, D)
    const target = integers(labels, device);
    const weight = (start?.weight.clone() ?? zeros([classes, features.size(1)], { device })).requiresGrad_();
    const bias = (start?.bias.clone() ?? zeros([classes], { device })).requiresGrad_();
    const optimizer = new LBFGS([weight, bias], { maxIterations, gradientTolerance: 1e-5, changeTolerance: 1e-9 });
    optimizer.step(() => {
      const output = x.matmul(weight.transpose(0, 1)).add(bias);
      const loss = crossEntropy(output, target).add(
        weight
          .pow(2)
          .sum()
          .mul(penalty / 2),
      );
      loss.backward();
      return loss;
    });
    optimizer.dispose();
    return { mean, deviation, weight: weight.detach(), bias: bias.detach() };
  });
}

/** Features (N, D) to logits (N, C). */
export function logits({ mean, deviation, weight, bias }: LinearModel, features: Tensor): Tensor {
  return noGrad(() => features.sub(mean).div(deviation).matmul(weight.transpose(0, 1)).add(bias));
}
