/** Features turned into their principal axes, where the Hessian of a loss on linear scores is nearly diagonal. */
import { pause } from "../interrupt.ts";
import { noGrad } from "../torch/autograd.ts";
import { linalgEigh } from "../torch/ops.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { MEASURING } from "./protocol.ts";

/** Rows (N, D) in orthonormal axes that they span: R ≤ min(N, D) of them. With D > N, weights are best looked for there too. */
export interface PrincipalAxes {
  /** (N, R) */
  readonly coordinates: Tensor;
  /** Mean squares of the coordinates (R). */
  readonly squares: Tensor;
  /** Weights (k, R) of coordinates as weights (k, D) of features, in the caller's scope. */
  weightsOf(weights: Tensor): Tensor;
  /** Frees what it keeps: its tensors, not the rows. */
  dispose(): void;
}

/**
 * The principal axes of x (N, D), f32, which `weightsOf` still needs: the eigenvectors of xᵀx; or, for fewer rows than columns, of
 * xxᵀ, in f64 since the axes of small values follow from it by division. Pauses between pieces of work that can take a second each.
 * @throws InterruptedError when the signal aborts
 */
export async function principalAxes(x: Tensor, signal: AbortSignal | undefined): Promise<PrincipalAxes> {
  const [rows = 0, columns = 0] = x.shape;
  const wide = rows < columns;
  const product = computed(() => {
    if (!wide) return x.transpose(0, 1).matmul(x);
    const all = double(x);
    return all.matmul(all.transpose(0, 1));
  });
  try {
    await pause(signal, MEASURING);
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

/** @param vectors (D, D) of xᵀx */
function ofColumns(x: Tensor, vectors: Tensor): PrincipalAxes {
  const axes = computed(() => vectors.to(x.device));
  return made(
    computed(() => x.matmul(axes)),
    [axes],
    (weights) => weights.matmul(axes.transpose(0, 1)),
  );
}

/**
 * With x = U S Vᵀ, the coordinates are U S, and weights w of them are w S⁻¹ Uᵀ x of the features.
 * @param values S² (N), ascending
 * @param vectors U (N, N), f64
 */
function ofRows(x: Tensor, values: Tensor, vectors: Tensor): PrincipalAxes {
  const [rows = 0] = x.shape;
  const list = values.toArray();
  const least = 1e-12 * Math.max(...list);
  const rank = Math.max(1, list.filter((value) => value > least).length);
  const kept = (of: Tensor) => of.narrow(-1, rows - rank, rank);
  const lengths = scope(() => keep(kept(values).clamp(1e-30).sqrt()));
  const [coordinates, combine] = [
    computed(() => kept(vectors).mul(lengths).to({ dtype: "f32", device: x.device })),
    computed(() => kept(vectors).div(lengths).transpose(0, 1)),
  ] as [Tensor, Tensor];
  dispose(lengths);
  return made(coordinates, [combine], (weights) =>
    double(weights).matmul(combine).matmul(double(x)).to({ dtype: "f32", device: x.device }),
  );
}

function made(coordinates: Tensor, own: readonly Tensor[], weightsOf: (weights: Tensor) => Tensor): PrincipalAxes {
  const squares = computed(() => coordinates.pow(2).mean(0));
  return {
    ...{ coordinates, squares },
    weightsOf: (weights) => scope(() => noGrad(() => weightsOf(weights))),
    dispose: () => dispose(coordinates, squares, ...own),
  };
}

/** The result alone outlives its computation; the caller disposes it. */
const computed = (body: () => Tensor): Tensor => scope(() => noGrad(() => keep(body())));

const double = (x: Tensor) => x.to({ dtype: "f64", device: "cpu" });
