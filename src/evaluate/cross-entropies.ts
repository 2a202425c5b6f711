/** The mean cross-entropies of many linear classifiers, each with a penalty on its weights: what a batch of logistic fits minimises. */
import { cat, ones, tensor, zeros } from "../torch/ops.ts";
import type { BatchCurvature, BatchObjective } from "../torch/optim/batch-lbfgs.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";

/** Logits that are computed at once. Rows beyond go into further terms of the objective. */
export const LOGITS = 2 ** 22;

/** Rows that some fits share. */
export interface Rows {
  /** (N, W + 1), the last column ones. */
  readonly x: Tensor;
  /** The classes as one-hot rows (N, 1, C). */
  readonly target: Tensor;
}

/** F fits of linear scores to classes, each to the rows of a part. */
export interface Batch {
  readonly parts: readonly Rows[];
  /** For each fit: the index in `parts` of its rows. */
  readonly partOf: readonly number[];
  /** For each fit. */
  readonly penalties: readonly number[];
  readonly classes: number;
  /** W + 1. */
  readonly width: number;
}

/**
 * What is minimised, as terms of at most so many logits each, of weights (F, C · (W + 1)); and the diagonal of its Hessian, which holds
 * nearly all of it if the columns of each part's rows are uncorrelated.
 */
export function objectiveOf(batch: Batch, logitsAtOnce = LOGITS) {
  const terms = termsOf(batch, logitsAtOnce);
  return { objective: [...crossEntropies(batch, terms), penaltyOf(batch)], curvature: curvatureOf(batch, terms) };
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
      return scope(() => crossEntropy(batch.parts[piece.part] as Rows, piece, weights));
    });
    return { loss: cat(groups.map(({ loss }) => loss)), gradient: cat(groups.map(({ gradient }) => gradient)) };
  });
}

/** The Hessians' diagonals: a fit's probabilities p give p (1 − p) for a row's score, times its squared features; and the penalty. */
function curvatureOf(batch: Batch, terms: readonly Piece[][]): BatchCurvature[] {
  const { classes, parts } = batch;
  const ofRows = terms.map(
    (pieces): BatchCurvature =>
      (points, problems) => {
        const groups = piecesAt(batch, pieces, points, problems).map(({ piece, weights }) =>
          piece
            ? scope(() => curvatureOfPiece(parts[piece.part] as Rows, piece, weights))
            : zeros([weights.size(0), classes * batch.width], { device: points.device }),
        );
        return cat(groups);
      },
  );
  const ofPenalty: BatchCurvature = (_, problems) =>
    strengthsOf(batch, problems).repeatInterleave(classes, 0).reshape(problems.length, -1);
  return [...ofRows, ofPenalty];
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
function termsOf({ parts, partOf, classes }: Batch, logitsAtOnce: number): Piece[][] {
  const terms: Piece[][] = [];
  let free = 0; // logits
  for (const [part, { x }] of parts.entries()) {
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
function crossEntropy({ x, target }: Rows, piece: Piece, weights: Tensor) {
  const { some, logProbabilities } = scores(x, piece, weights);
  const truth = target.narrow(0, piece.from, piece.count);
  const error = logProbabilities.exp().sub(truth); // (n, k, C)
  const loss = logProbabilities.mul(truth).sum([0, 2]).div(-x.size(0));
  return { loss, gradient: weightedSums(error, some).div(x.size(0)) };
}

/** What a piece adds to the diagonal of the Hessian (k, C · (W + 1)). */
function curvatureOfPiece({ x }: Rows, piece: Piece, weights: Tensor): Tensor {
  const { some, logProbabilities } = scores(x, piece, weights);
  const p = logProbabilities.exp();
  return weightedSums(p.sub(p.pow(2)), some.pow(2)).div(x.size(0));
}

/** A piece's rows (n, W + 1), and the logarithms of their classes' probabilities (n, k, C). */
function scores(x: Tensor, { from, count }: Piece, weights: Tensor) {
  const [k, classes, width] = weights.shape as [number, number, number];
  const some = x.narrow(0, from, count);
  const logits = some.matmul(weights.reshape(k * classes, width).transpose(0, 1)).reshape(count, k, classes);
  return { some, logProbabilities: logits.logSoftmax(2) };
}

/** Sums rows (n, W + 1) by numbers for each row, fit and class (n, k, C): (k, C · (W + 1)). */
function weightedSums(numbers: Tensor, rows: Tensor): Tensor {
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
function strengthsOf({ parts, penalties, width }: Batch, problems: readonly number[]): Tensor {
  const { device } = (parts[0] as Rows).x;
  const own = problems.map((problem) => penalties[problem] as number);
  const penalised = cat([ones([width - 1], { device }), zeros([1], { device })]);
  return tensor(own, { device }).unsqueeze(1).mul(penalised);
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
