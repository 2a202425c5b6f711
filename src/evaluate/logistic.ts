/** Multinomial logistic regression by full-batch L-BFGS on standardised features: many fits at once. */
import { noGrad } from "../torch/autograd.ts";
import { threads } from "../torch/device.ts";
import { operator } from "../torch/dispatch.ts";
import { cat, integers, oneHot, ones, tensor, zeros } from "../torch/ops.ts";
import { type BatchObjective, copiesHeld, minimiseBatch } from "../torch/optim/batch-lbfgs.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { type PrincipalAxes, principalAxes } from "./principal-axes.ts";

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
   * by less than a tenth of this times the loss.
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
 * Numbers in memory while a batch is fitted: for each part its standardised features with a column of ones (or these, its coordinates
 * and its axes), and its one-hot classes; for one part at a time its features before that; what L-BFGS keeps of the weights; and the
 * logits of one term.
 */
export function numbersHeld(fits: readonly Fit[], classes: number): number {
  const parts = [...new Set(fits.map(({ part }) => part))];
  const dimensions = 1 + Math.max(...parts.map(({ features }) => features.size(1)));
  const turned = axesOf(fits, classes);
  const width = turned ? turned + 1 : dimensions;
  const sizes = parts.map(({ rows }) => rows.length);
  const rows = sizes.reduce((sum, size) => sum + size, 0);
  const ready = (rows + Math.max(...sizes)) * dimensions + rows * ((turned ? width : 0) + classes);
  const axes = (parts.length + 4) * (turned ?? 0) ** 2; // four more of one, for its eigenvectors in f64
  const weights = fits.length * classes * width * copiesHeld();
  const largest = Math.max(...sizes) * fits.length * classes;
  return ready + axes + weights + LOGIT_COPIES * Math.min(LOGITS, largest);
}

/** Finding principal axes costs about as much as so many multiplications for each element of their matrix and each axis. */
const WORTH = 16;

/**
 * How many principal axes the parts are turned into before they are fitted, min(N, D); undefined if that costs more than it saves.
 * There a fit needs a fraction of the iterations, and fewer numbers where there are fewer rows than features: with a penalty the
 * best weights are a combination of the rows. The weights found are the same.
 */
function axesOf(fits: readonly Fit[], classes: number): number | undefined {
  const parts = [...new Set(fits.map(({ part }) => part))];
  const dimensions = (parts[0] as Labelled).features.size(1);
  const most = Math.max(...parts.map(({ rows }) => rows.length));
  const axes = Math.min(most, dimensions);
  const each = (fits.length / parts.length) * classes; // weights of a dimension
  return axes ** 2 <= WORTH * Math.max(most, dimensions) * each ? axes : undefined;
}

/** A part made ready. W is D, or the number of axes. */
interface Ready {
  mean: Tensor;
  deviation: Tensor;
  /** Standardised features (N, D) and their axes, if `x` holds coordinates. */
  turned: { readonly features: Tensor; readonly axes: PrincipalAxes } | undefined;
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
    const axes = axesOf(fits, classes);
    for (const part of parts) ready.push(await makeReady(part, classes, axes, signal));
    const { x } = ready[0] as Ready;
    const width = x.size(1);
    const batch: Batch = { ready, fits, partOf: fits.map(({ part }) => parts.indexOf(part)), classes, width };
    const start = scope(() => keep(zeros([fits.length, classes * width], { device: x.device })));
    const terms = termsOf(batch, logitsAtOnce);
    const curvature = axes ? curvatureOf(batch, terms) : undefined;
    const tolerances = { gradientTolerance: tolerance, changeTolerance: tolerance / 10 };
    points = await minimiseBatch([...crossEntropies(batch, terms), penaltyOf(batch)], start, {
      ...{ maxIterations, ...tolerances, curvature, signal },
    }).finally(() => dispose(start));
    return fits.map((_, i) => modelOf(batch, points as Tensor, i));
  } finally {
    for (const { mean, deviation, turned, x, target } of ready) {
      dispose(mean, deviation, x, target);
      forget(turned);
    }
    if (points) dispose(points);
  }
}

function forget(turned: Ready["turned"]): void {
  turned?.axes.dispose();
  if (turned) dispose(turned.features);
}

/** @param axes to turn it into, at least as many as it has; undefined for none */
async function makeReady(
  { features, rows, labels }: Labelled,
  classes: number,
  axes: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Ready> {
  const { device } = features;
  const { own, mean, deviation } = scope(() =>
    noGrad(() => {
      const own = features.indexSelect(0, integers(rows, device));
      const mean = own.mean(0);
      const deviation = own.std(0, { correction: 0 }).clamp(1e-6); // constant features stay 0
      divide_(own.add_(mean, { alpha: -1 }), deviation); // in place: copies may be large
      return { own: keep(own), mean: keep(mean), deviation: keep(deviation) };
    }),
  );
  let turned: Ready["turned"];
  try {
    if (axes) turned = { features: own, axes: await principalAxes(own, signal) };
    return scope(() =>
      noGrad(() => {
        const inAxes = turned ? turned.axes.coordinates : own;
        const unused = zeros([rows.length, (axes ?? own.size(1)) - inAxes.size(1)], { device }); // others of the batch have more
        const x = keep(cat([inAxes, unused, ones([rows.length, 1], { device })], 1));
        const classesOf = rows.map((row) => labels[row] ?? -1);
        const target = keep(oneHot(integers(classesOf, device), classes).to("f32").unsqueeze(1));
        return { mean, deviation, turned, x, target };
      }),
    );
  } catch (error) {
    dispose(mean, deviation);
    forget(turned);
    throw error;
  } finally {
    if (!turned) dispose(own);
  }
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

/** The mean cross-entropies of all fits as a sum of terms. */
function crossEntropies(batch: Batch, terms: readonly Piece[][]): BatchObjective[] {
  return terms.map((pieces) => (points, problems) => {
    const groups = piecesAt(batch, pieces, points, problems).map(({ piece, weights }) => {
      const [k, classes, width] = weights.shape as [number, number, number];
      const { device } = points;
      if (!piece) return { loss: zeros([k], { device }), gradient: zeros([k, classes * width], { device }) };
      return scope(() => crossEntropy(batch.ready[piece.part] as Ready, piece, weights));
    });
    return { loss: cat(groups.map(({ loss }) => loss)), gradient: cat(groups.map(({ gradient }) => gradient)) };
  });
}

/** The Hessians' diagonals: a fit's probabilities p give p (1 − p) for a row's score, times its squared features; and the penalty. */
function curvatureOf(batch: Batch, terms: readonly Piece[][]) {
  return (points: Tensor, problems: readonly number[]): Tensor => {
    const sum = strengthsOf(batch, problems).repeatInterleave(batch.classes, 0).reshape(problems.length, -1);
    for (const pieces of terms) {
      scope(() => {
        const groups = piecesAt(batch, pieces, points, problems).map(({ piece, weights }) => {
          const [k, classes, width] = weights.shape as [number, number, number];
          if (!piece) return zeros([k, classes * width], { device: points.device });
          return scope(() => ownCurvature(batch.ready[piece.part] as Ready, piece, weights));
        });
        sum.add_(cat(groups));
      });
    }
    return sum;
  };
}

/** The weights (k, C, W + 1) of the fits of each part, and the part's piece in a term, if it has one. */
function piecesAt(
  { partOf, classes, width }: Batch,
  pieces: readonly Piece[],
  points: Tensor,
  problems: readonly number[],
) {
  return runs(problems, (problem) => partOf[problem] as number).map(({ key, from, members: { length } }) => ({
    piece: pieces.find(({ part }) => part === key),
    weights: points.narrow(0, from, length).reshape(length, classes, width),
  }));
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
function crossEntropy({ x, target }: Ready, piece: Piece, weights: Tensor) {
  const { some, logProbabilities } = scores(x, piece, weights);
  const truth = target.narrow(0, piece.from, piece.count);
  const error = logProbabilities.exp().sub(truth); // (n, k, C)
  const loss = logProbabilities.mul(truth).sum([0, 2]).div(-x.size(0));
  return { loss, gradient: pulled(error, some).div(x.size(0)) };
}

/** What a piece adds to the diagonal of the Hessian (k, C · (W + 1)). */
function ownCurvature({ x }: Ready, piece: Piece, weights: Tensor): Tensor {
  const { some, logProbabilities } = scores(x, piece, weights);
  const p = logProbabilities.exp();
  return pulled(p.sub(p.pow(2)), some.pow(2)).div(x.size(0));
}

/** A piece's rows (n, W + 1), and the logarithms of their classes' probabilities (n, k, C). */
function scores(x: Tensor, { from, count }: Piece, weights: Tensor) {
  const [k, classes, width] = weights.shape as [number, number, number];
  const some = x.narrow(0, from, count);
  const logits = some.matmul(weights.reshape(k * classes, width).transpose(0, 1)).reshape(count, k, classes);
  return { some, logProbabilities: logits.logSoftmax(2) };
}

/** Sums rows (n, W + 1) by numbers for each row, fit and class (n, k, C): (k, C · (W + 1)). */
function pulled(numbers: Tensor, rows: Tensor): Tensor {
  const [n, k, classes] = numbers.shape as [number, number, number];
  const sums = numbers
    .reshape(n, k * classes)
    .transpose(0, 1)
    .matmul(rows);
  return sums.reshape(k, classes * rows.size(1));
}

/** penalty / 2 · |weights|². */
function penaltyOf(batch: Batch): BatchObjective {
  return (points, problems) => {
    const weights = points.reshape(problems.length, batch.classes, batch.width);
    const pull = weights.mul(strengthsOf(batch, problems).unsqueeze(1));
    return { loss: pull.mul(weights).sum([1, 2]).div(2), gradient: pull.flatten(1) };
  };
}

/** How strongly each weight is penalised, (b, W + 1): the bias, which is the last column, is not. */
function strengthsOf({ ready, fits, width }: Batch, problems: readonly number[]): Tensor {
  const { device } = (ready[0] as Ready).x;
  const penalties = problems.map((problem) => (fits[problem] as Fit).penalty);
  const penalised = cat([ones([width - 1], { device }), zeros([1], { device })]);
  return tensor(penalties, { device }).unsqueeze(1).mul(penalised);
}

function modelOf({ ready, partOf, classes, width }: Batch, points: Tensor, i: number): LinearModel {
  const { mean, deviation, turned } = ready[partOf[i] as number] as Ready;
  return scope(() =>
    noGrad(() => {
      const own = points.select(0, i).reshape(classes, width);
      const [weights, bias] = [own.narrow(1, 0, width - 1), own.select(1, width - 1)];
      const weight = turned
        ? turned.axes.weightsOf(weights.narrow(1, 0, turned.axes.coordinates.size(1)))
        : weights.clone();
      return {
        mean: keep(mean.clone()),
        deviation: keep(deviation.clone()),
        weight: keep(weight),
        bias: keep(bias.clone()),
      };
    }),
  );
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
