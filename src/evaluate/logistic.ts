/** Multinomial logistic regression by full-batch L-BFGS on standardised features: many fits at once. */
import { noGrad } from "../torch/autograd.ts";
import { threads } from "../torch/device.ts";
import { cat, integers, oneHot, stack, zeros } from "../torch/ops.ts";
import { type BatchValue, minimiseBatch } from "../torch/optim/batch-lbfgs.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";

/** Features (N, D), f32, and the class of each row (N). */
export interface Labelled {
  readonly features: Tensor;
  readonly labels: ArrayLike<number>;
}

/** Standardises by mean and deviation (D), then applies weights (C, D) and bias (C). */
export interface LinearModel {
  mean: Tensor;
  deviation: Tensor;
  weight: Tensor;
  bias: Tensor;
}

/** One fit: some rows, and penalty / 2 · |weights|² added to their mean cross-entropy. The bias is not penalised. */
export interface Fit {
  readonly part: Labelled;
  readonly penalty: number;
}

export interface FitOptions {
  classes: number;
  maxIterations: number;
}

/** Fits with fewer multiplications than this per pass use one thread: a second saves nothing and waits for its core. */
const SMALL = 2e7;

/** Numbers that the fits of one batch may hold, weights and history together: 256 MiB. */
const MOST = 2 ** 26;
/** Copies of the weights that L-BFGS keeps: its history of moves and changes, the direction and trials. */
const COPIES = 26;

/** Fits them all. Fits of the same part are best given one after the other: then they share its features. */
export function fitLogistic(fits: readonly Fit[], options: FitOptions): LinearModel[] {
  const before = threads();
  const passes = fits.map(({ part: { features } }) => features.numel * options.classes);
  if (Math.max(0, ...passes) < SMALL) threads(1);
  try {
    const width = 1 + (fits[0]?.part.features.size(1) ?? 0);
    const size = Math.max(1, Math.floor(MOST / (COPIES * options.classes * width)));
    const batches = Array.from({ length: Math.ceil(fits.length / size) }, (_, i) =>
      fits.slice(i * size, (i + 1) * size),
    );
    return batches.flatMap((batch) => fitBatch(batch, options));
  } finally {
    threads(before);
  }
}

/** A part made ready: standardised features with a last column of ones (N, D + 1), and the classes as one-hot rows (N, 1, C). */
interface Ready {
  mean: Tensor;
  deviation: Tensor;
  x: Tensor;
  target: Tensor;
}

function fitBatch(fits: readonly Fit[], { classes, maxIterations }: FitOptions): LinearModel[] {
  return scope(() =>
    noGrad(() => {
      const parts = [...new Set(fits.map(({ part }) => part))];
      const ready = parts.map((part) => makeReady(part, classes));
      const { device } = (parts[0] as Labelled).features;
      const width = (ready[0] as Ready).x.size(1);
      const partOf = fits.map(({ part }) => parts.indexOf(part));
      // Penalties by problem and column: none for the bias, which is the last.
      const penalised = cat([zeros([width - 1], { device }).add(1), zeros([1], { device })]);
      const points = minimiseBatch(
        (weights, problems) => {
          const values = runs(problems, (problem) => partOf[problem] as number).map(({ key, from, members }) => {
            const own = weights.narrow(0, from, members.length).reshape(members.length, classes, width);
            const strengths = members.map((problem) => (fits[problem] as Fit).penalty);
            return crossEntropy(ready[key] as Ready, own, strengths, penalised);
          });
          return { loss: cat(values.map(({ loss }) => loss)), gradient: cat(values.map(({ gradient }) => gradient)) };
        },
        zeros([fits.length, classes * width], { device }),
        // 1e-4 is scikit-learn's `tol`, of the same mean loss. It lets f64 losses settle to 2e-9 or less; f32 has 7 digits, hence 1e-6.
        { maxIterations, gradientTolerance: 1e-4, changeTolerance: 1e-6 },
      );
      return fits.map((_, i) => {
        const { mean, deviation } = ready[partOf[i] as number] as Ready;
        const own = points.select(0, i).reshape(classes, width);
        return {
          ...{ mean, deviation },
          weight: own.narrow(1, 0, width - 1).clone(),
          bias: own.select(1, width - 1).clone(),
        };
      });
    }),
  );
}

function makeReady({ features, labels }: Labelled, classes: number): Ready {
  const mean = features.mean(0);
  const deviation = features.std(0, { correction: 0 }).clamp(1e-6); // constant features stay 0
  return scope(() => {
    const ones = zeros([features.size(0), 1], { device: features.device }).add(1);
    const x = cat([features.sub(mean).div(deviation), ones], 1);
    const target = oneHot(integers(labels, features.device), classes).to("f32").unsqueeze(1);
    return { mean, deviation, x, target };
  });
}

/** Loss (k) and gradient (k, C · (D + 1)) of weights (k, C, D + 1) with k penalties on the same rows. */
function crossEntropy(
  { x, target }: Ready,
  weights: Tensor,
  penalties: readonly number[],
  penalised: Tensor,
): BatchValue {
  const [k, classes, width] = weights.shape as [number, number, number];
  const rows = x.size(0);
  const logits = x.matmul(weights.reshape(k * classes, width).transpose(0, 1)).reshape(rows, k, classes);
  const logProbabilities = logits.logSoftmax(2);
  const error = logProbabilities.exp().sub(target); // (N, k, C)
  const strength = stack(penalties.map((penalty) => penalised.mul(penalty))).unsqueeze(1); // (k, 1, D + 1)
  const pull = weights.mul(strength);
  const loss = logProbabilities
    .mul(target)
    .sum([0, 2])
    .div(-rows)
    .add(pull.mul(weights).sum([1, 2]).div(2));
  const gradient = error
    .reshape(rows, k * classes)
    .transpose(0, 1)
    .matmul(x)
    .div(rows)
    .reshape(k, classes, width)
    .add(pull);
  return { loss, gradient: gradient.flatten(1) };
}

/** Neighbours with the same key, as one group: where it begins, and its members. */
function runs(problems: readonly number[], keyOf: (problem: number) => number) {
  const groups: { key: number; from: number; members: number[] }[] = [];
  for (const [from, problem] of problems.entries()) {
    const key = keyOf(problem);
    const last = groups.at(-1);
    if (last?.key === key) last.members.push(problem);
    else groups.push({ key, from, members: [problem] });
  }
  return groups;
}

/** Features (N, D) to logits (N, C). */
export function logits({ mean, deviation, weight, bias }: LinearModel, features: Tensor): Tensor {
  return noGrad(() => features.sub(mean).div(deviation).matmul(weight.transpose(0, 1)).add(bias));
}
