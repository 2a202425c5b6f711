/** Features turned into their principal axes, where the Hessian of a loss on linear scores is nearly diagonal. */
import { SelfsightError } from "../errors.ts";
import { pause } from "../interrupt.ts";
import { kept, noGrad } from "../torch/autograd.ts";
import { allFinite } from "../torch/nn/finite.ts";
import { linalgEigh } from "../torch/ops.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { MEASURING } from "./protocol.ts";

/** Orthonormal axes, R of them, that rows (N, D) lie in: R = D, or at most N if there are clearly fewer rows. */
export interface PrincipalAxes {
  readonly count: number;
  /** The rows, if `weightsOf` still needs them: see {@link isWide}. */
  readonly rows: Tensor | undefined;
  /** Weights (k, R) of coordinates as weights (k, D) of features, in the caller's scope. */
  weightsOf(weights: Tensor): Tensor;
  /** Frees what it keeps, but not the rows. */
  dispose(): void;
}

/** Rows and what turned them. */
export interface InAxes {
  readonly axes: PrincipalAxes;
  /** (N, R). The caller disposes it. */
  readonly coordinates: Tensor;
}

/**
 * The principal axes of x (N, D), f32: the eigenvectors of xᵀx; or, for clearly fewer rows than columns, of xxᵀ, in f64, because the axes
 * are divided by singular values, and some are small. Pauses between its two pieces of work.
 * @throws InterruptedError when the signal aborts; SelfsightError if x is not finite
 */
export async function principalAxes(x: Tensor, signal: AbortSignal | undefined): Promise<InAxes> {
  const [rows = 0, columns = 0] = x.shape;
  const wide = isWide(rows, columns);
  const product = kept(() => {
    if (!wide) return x.transpose(0, 1).matmul(x);
    const all = double(x);
    return all.matmul(all.transpose(0, 1));
  });
  try {
    await pause(signal, MEASURING);
    if (!allFinite(product))
      throw new SelfsightError("The features hold values that are not finite, or too large to square.");
    const [values, vectors] = scope(() => noGrad(() => linalgEigh(product.to("cpu")).map(keep))) as [Tensor, Tensor];
    try {
      await pause(signal, MEASURING);
      return wide ? ofRows(x, values, vectors) : ofColumns(x, vectors);
    } finally {
      dispose(values, vectors);
    }
  } finally {
    dispose(product);
  }
}

/** Whether the axes are found from the rows: then a matrix in f64 is cheaper than the larger one of the columns in f32. */
export const isWide = (rows: number, columns: number): boolean => 5 * rows <= 4 * columns;

/** @param vectors (D, D) of xᵀx */
function ofColumns(x: Tensor, vectors: Tensor): InAxes {
  const turn = kept(() => vectors.to(x.device)); // (D, D)
  const axes = {
    ...{ count: x.size(1), rows: undefined },
    weightsOf: inScope((weights) => weights.matmul(turn.transpose(0, 1))),
    dispose: () => dispose(turn),
  };
  return { axes, coordinates: kept(() => x.matmul(turn)) };
}

/**
 * With x = U S Vᵀ, the coordinates are U S, and weights w of them are w S⁻¹ Uᵀ x of the features.
 * @param values S² (N), ascending
 * @param vectors U (N, N), f64
 */
function ofRows(x: Tensor, values: Tensor, vectors: Tensor): InAxes {
  const [rows = 0] = x.shape;
  const list = values.toArray();
  const least = 1e-12 * Math.max(...list);
  const rank = Math.max(1, list.filter((value) => value > least).length);
  const largest = (of: Tensor) => of.narrow(-1, rows - rank, rank);
  const lengths = () => largest(values).clamp(1e-30).sqrt(); // S
  const combine = kept(() => largest(vectors).div(lengths()).transpose(0, 1)); // S⁻¹ Uᵀ
  const like = { dtype: "f32", device: x.device } as const;
  const axes = {
    ...{ count: rank, rows: x },
    weightsOf: inScope((weights) => double(weights).matmul(combine).matmul(double(x)).to(like)),
    dispose: () => dispose(combine),
  };
  return { axes, coordinates: kept(() => largest(vectors).mul(lengths()).to(like)) };
}

const inScope = (body: (weights: Tensor) => Tensor) => (weights: Tensor) => scope(() => noGrad(() => body(weights)));

const double = (x: Tensor) => x.to({ dtype: "f64", device: "cpu" });
