/** Multinomial logistic regression by full-batch L-BFGS on standardised features: many fits at once. */
import { noGrad } from "../torch/autograd.ts";
import { threads } from "../torch/device.ts";
import { operator } from "../torch/dispatch.ts";
import { cat, integers, linalgQr, oneHot, ones, stack, zeros } from "../torch/ops.ts";
import { type BatchObjective, copiesHeld, minimiseBatch } from "../torch/optim/batch-lbfgs.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";

/** Some rows of features (M, D), f32, and the class of each of the M. */
export interface Labelled {
  readonly features: Tensor;
  readonly rows: readonly number[];
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
  /**
   * A fit ends when no element of its gradient exceeds this; default: 1e-4, scikit-learn's. Or when an iteration lowers its loss
   * by less than a hundredth of this.
   */
  tolerance?: number;
  signal?: AbortSignal | undefined;
  /** Logits that are computed at once; default: 2²². The models do not depend on it, up to rounding. */
  logitsAtOnce?: number;
}

/** Fits with fewer multiplications than this per pass use one thread: a second saves nothing and waits for its core. */
const SMALL = 2e7;

/** Numbers that a batch of fits may hold beside what its first fit needs alone: 256 MiB. */
const MOST = 2 ** 26;
/** Logits that are computed at once. Rows beyond go into further terms of the objective. */
const LOGITS = 2 ** 22;
/** Of the logits' size: these, their log-probabilities, probabilities, errors and two products. */
const LOGIT_COPIES = 6;

/**
 * Fits them all. Fits of the same part are best given one after the other: then they share its features. The caller disposes
 * the models.
 * @throws InterruptedError when the signal aborts
 */
export async function fitLogistic(fits: readonly Fit[], options: FitOptions): Promise<LinearModel[]> {
  const before = threads();
  const passes = fits.map(({ part: { features, rows } }) => rows.length * features.size(1) * options.classes);
  if (Math.max(0, ...passes) < SMALL) threads(1);
  const models: LinearModel[] = [];
  try {
    for (const batch of batchesOf(fits, options.classes)) models.push(...(await fitBatch(batch, options)));
    return models;
  } catch (error) {
    for (const model of models) disposeModel(model);
    throw error;
  } finally {
    threads(before);
  }
}

export const disposeModel = ({ mean, deviation, weight, bias }: LinearModel): void =>
  dispose(mean, deviation, weight, bias);

/** Cuts the fits into batches, each of which holds at most so many numbers more than its first fit alone. */
export function batchesOf(fits: readonly Fit[], classes: number, most = MOST): Fit[][] {
  const batches: Fit[][] = [];
  for (const fit of fits) {
    const last = batches.at(-1);
    if (last && numbersHeld([...last, fit], classes) - numbersHeld(last.slice(0, 1), classes) <= most) last.push(fit);
    else batches.push([fit]);
  }
  return batches;
}

/**
 * Numbers in memory while a batch is fitted: for each part its standardised features with a column of ones (or their coordinates and
 * their basis), and its one-hot classes; for one part at a time its features before that; what L-BFGS keeps of the weights; and the
 * logits of one term.
 */
export function numbersHeld(fits: readonly Fit[], classes: number): number {
  const parts = [...new Set(fits.map(({ part }) => part))];
  const dimensions = 1 + Math.max(...parts.map(({ features }) => features.size(1)));
  const width = 1 + coordinatesOf(fits, classes);
  const reduced = width < dimensions;
  const sizes = parts.map(({ rows }) => rows.length);
  const rows = sizes.reduce((sum, size) => sum + size, 0);
  const copies = reduced ? 3 : 1; // to find the basis
  const ready = (rows + copies * Math.max(...sizes)) * dimensions + rows * ((reduced ? width : 0) + classes);
  const weights = fits.length * classes * width * copiesHeld();
  const largest = Math.max(...sizes) * fits.length * classes;
  return ready + weights + LOGIT_COPIES * Math.min(LOGITS, largest);
}

/** Finding a basis pays for itself if a fit takes about so many iterations. */
const ITERATIONS = 30;

/**
 * How many numbers a row of features has while it is fitted: D, or fewer if there are few rows. With a penalty the best weights are a
 * combination of the N rows, so that of D > N dimensions only those matter that the rows span: coordinates in a basis of these are
 * fitted. Losses, gradients and steps of L-BFGS are the same, turned.
 */
function coordinatesOf(fits: readonly Fit[], classes: number): number {
  const parts = [...new Set(fits.map(({ part }) => part))];
  const dimensions = (parts[0] as Labelled).features.size(1);
  const most = Math.max(...parts.map(({ rows }) => rows.length));
  const each = (fits.length / parts.length) * classes; // weights of a dimension, of which a basis saves some
  return 2 * most <= dimensions && most <= ITERATIONS * each ? most : dimensions;
}

/** A part made ready. W is D, or the number of coordinates. */
interface Ready {
  mean: Tensor;
  deviation: Tensor;
  /** Orthonormal columns (D, at most W) that span the features' rows, if `x` holds coordinates. */
  basis: Tensor | undefined;
  /** Standardised features, or coordinates, with a last column of ones (N, W + 1). */
  x: Tensor;
  /** The classes as one-hot rows (N, 1, C). */
  target: Tensor;
}

async function fitBatch(
  fits: readonly Fit[],
  { classes, maxIterations, tolerance = 1e-4, signal, logitsAtOnce = LOGITS }: FitOptions,
): Promise<LinearModel[]> {
  const parts = [...new Set(fits.map(({ part }) => part))];
  const ready: Ready[] = [];
  let points: Tensor | undefined;
  try {
    const coordinates = coordinatesOf(fits, classes);
    for (const part of parts) ready.push(makeReady(part, classes, coordinates));
    const { x } = ready[0] as Ready;
    const width = x.size(1);
    const batch: Batch = { ready, fits, partOf: fits.map(({ part }) => parts.indexOf(part)), classes, width };
    const start = scope(() => keep(zeros([fits.length, classes * width], { device: x.device })));
    const tolerances = { gradientTolerance: tolerance, changeTolerance: tolerance / 100 };
    points = await minimiseBatch([...crossEntropies(batch, logitsAtOnce), penaltyOf(batch)], start, {
      ...{ maxIterations, ...tolerances, signal },
    }).finally(() => dispose(start));
    return fits.map((_, i) => modelOf(batch, points as Tensor, i));
  } finally {
    for (const { mean, deviation, basis, x, target } of ready)
      dispose(mean, deviation, x, target, ...(basis ? [basis] : []));
    if (points) dispose(points);
  }
}

/** @param coordinates of each row: as many as features, or at least as many as rows */
function makeReady({ features, rows, labels }: Labelled, classes: number, coordinates: number): Ready {
  return scope(() =>
    noGrad(() => {
      const { device } = features;
      const own = features.indexSelect(0, integers(rows, device));
      const mean = own.mean(0);
      const deviation = own.std(0, { correction: 0 }).clamp(1e-6); // constant features stay 0
      divide_(own.add_(mean, { alpha: -1 }), deviation); // in place: copies may be large
      const { basis, inBasis } = coordinates < own.size(1) ? rowBasis(own) : { basis: undefined, inBasis: own };
      const unused = zeros([rows.length, coordinates - inBasis.size(1)], { device }); // others of the batch have more rows
      const x = cat([inBasis, unused, ones([rows.length, 1], { device })], 1);
      const classesOf = rows.map((row) => labels[row] ?? -1);
      const target = oneHot(integers(classesOf, device), classes).to("f32").unsqueeze(1);
      const shared = { mean: keep(mean), deviation: keep(deviation), x: keep(x), target: keep(target) };
      return { ...shared, basis: basis && keep(basis) };
    }),
  );
}

/** An orthonormal basis (D, N) of what N < D rows (N, D) span, and the rows in it (N, N). */
function rowBasis(rows: Tensor): { basis: Tensor; inBasis: Tensor } {
  const [basis, upper] = linalgQr(rows.transpose(0, 1));
  return { basis, inBasis: upper.transpose(0, 1) };
}

interface Batch {
  readonly ready: readonly Ready[];
  readonly fits: readonly Fit[];
  /** For each fit: the index in `ready` of its part. */
  readonly partOf: readonly number[];
  readonly classes: number;
  /** W + 1, see {@link Ready}. */
  readonly width: number;
}

/** Some rows of a part. */
interface Piece {
  readonly part: number;
  readonly from: number;
  readonly count: number;
}

/** The mean cross-entropies of all fits as a sum of terms, each of at most so many logits. */
function crossEntropies(batch: Batch, logitsAtOnce: number): BatchObjective[] {
  const { ready, partOf, classes, width } = batch;
  return termsOf(batch, logitsAtOnce).map((pieces) => (points, problems) => {
    const groups = runs(problems, (problem) => partOf[problem] as number).map(({ key, from, members: { length } }) => {
      const { device } = points;
      const piece = pieces.find(({ part }) => part === key);
      if (!piece) return { loss: zeros([length], { device }), gradient: zeros([length, classes * width], { device }) };
      const weights = points.narrow(0, from, length).reshape(length, classes, width);
      return scope(() => crossEntropy(ready[key] as Ready, piece, weights));
    });
    return { loss: cat(groups.map(({ loss }) => loss)), gradient: cat(groups.map(({ gradient }) => gradient)) };
  });
}

/** Cuts all rows into terms: each has at most one piece of a part, and as many rows as keep its logits below the limit. */
function termsOf({ ready, partOf, classes }: Batch, logitsAtOnce: number): Piece[][] {
  const terms: Piece[][] = [];
  let free = 0; // logits
  for (const [part, { x }] of ready.entries()) {
    const each = classes * partOf.filter((own) => own === part).length; // logits of a row
    for (let from = 0; from < x.size(0); ) {
      if (!terms.length || free < each) {
        terms.push([]);
        free = logitsAtOnce;
      }
      const count = Math.min(x.size(0) - from, Math.max(1, Math.floor(free / each)));
      terms.at(-1)?.push({ part, from, count });
      free -= count * each;
      from += count;
    }
  }
  return terms;
}

/** What a piece adds to the loss (k) and gradient (k, C · (W + 1)) of weights (k, C, W + 1). */
function crossEntropy({ x, target }: Ready, { from, count }: Piece, weights: Tensor) {
  const [k, classes, width] = weights.shape as [number, number, number];
  const [rows, some, truth] = [x.size(0), x.narrow(0, from, count), target.narrow(0, from, count)];
  const logits = some.matmul(weights.reshape(k * classes, width).transpose(0, 1)).reshape(count, k, classes);
  const logProbabilities = logits.logSoftmax(2);
  const error = logProbabilities.exp().sub(truth); // (n, k, C)
  const loss = logProbabilities.mul(truth).sum([0, 2]).div(-rows);
  const gradient = error
    .reshape(count, k * classes)
    .transpose(0, 1)
    .matmul(some)
    .div(rows);
  return { loss, gradient: gradient.reshape(k, classes * width) };
}

/** penalty / 2 · |weights|², without the bias, which is the last column. */
function penaltyOf({ ready, fits, classes, width }: Batch): BatchObjective {
  return (points, problems) => {
    const { device } = (ready[0] as Ready).x;
    const penalised = cat([ones([width - 1], { device }), zeros([1], { device })]);
    const weights = points.reshape(problems.length, classes, width);
    const strength = stack(problems.map((problem) => penalised.mul((fits[problem] as Fit).penalty))).unsqueeze(1); // (b, 1, W + 1)
    const pull = weights.mul(strength);
    return { loss: pull.mul(weights).sum([1, 2]).div(2), gradient: pull.flatten(1) };
  };
}

function modelOf({ ready, partOf, classes, width }: Batch, points: Tensor, i: number): LinearModel {
  const { mean, deviation, basis } = ready[partOf[i] as number] as Ready;
  return scope(() => {
    const own = points.select(0, i).reshape(classes, width);
    const weight = basis
      ? own.narrow(1, 0, basis.size(1)).matmul(basis.transpose(0, 1))
      : own.narrow(1, 0, width - 1).clone();
    const bias = own.select(1, width - 1).clone();
    return { mean: keep(mean.clone()), deviation: keep(deviation.clone()), weight: keep(weight), bias: keep(bias) };
  });
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

const divide_ = operator("aten::div_.Tensor");
