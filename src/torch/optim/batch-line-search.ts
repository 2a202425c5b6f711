/** A backtracking line search for many problems at once (Nocedal & Wright, Numerical Optimization, 2006, algorithm 3.1). */
import { kept, noGrad } from "../autograd.ts";
import { operator } from "../dispatch.ts";
import { integers, rowDots, tensor } from "../ops.ts";
import { dispose, keep, scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";

/** A point (B, P) with the loss of each problem there and the gradient (B, P). */
export interface Place {
  point: Tensor;
  loss: readonly number[];
  gradient: Tensor;
}

/** The problems are named by their numbers, ascending. The point belongs to the result. */
export type Evaluate = (point: Tensor, problems: readonly number[]) => Promise<Place>;

const SUFFICIENT_DECREASE = 1e-4;
const MOST_HALVINGS = 20;

/**
 * Where every problem is after a step along its direction (B, P), halved as often as its loss needs it. Only those that need it are
 * evaluated again. A problem that no step helps stays where it is: only rounding is left.
 * @param steps first steps
 */
export async function lineSearch(
  evaluate: Evaluate,
  { problems, point, gradient, loss }: Place & { readonly problems: readonly number[] },
  direction: Tensor,
  steps: number[],
): Promise<Place> {
  const slope = scope(() => noGrad(() => rowDots(gradient, direction).flatten().toArray()));
  const at = (rows: readonly number[]) =>
    kept(() => {
      const [from, along] = [rowsOf(point, rows), rowsOf(direction, rows)];
      const lengths = rows.map((b) => steps[b] as number);
      return from.add(along.mul(tensor(lengths, { device: point.device }).unsqueeze(1)));
    });
  let rows: readonly number[] = problems.map((_, b) => b);
  let next = await evaluate(at(rows), problems);
  const isTooHigh = (b: number) => {
    const enough = SUFFICIENT_DECREASE * (steps[b] as number) * (slope[b] as number);
    return !((next.loss[b] as number) <= (loss[b] as number) + enough); // also if it is not a number
  };
  rows = rows.filter(isTooHigh);
  try {
    for (let halving = 0; rows.length && halving < MOST_HALVINGS; halving++) {
      for (const b of rows) steps[b] = (steps[b] as number) / 2;
      const some = rows.map((b) => problems[b] as number);
      next = withRows(next, rows, await evaluate(at(rows), some));
      rows = rows.filter(isTooHigh);
    }
  } catch (error) {
    dispose(next.point, next.gradient);
    throw error;
  }
  if (!rows.length) return next;
  const [there, pull] = [kept(() => rowsOf(point, rows).clone()), kept(() => rowsOf(gradient, rows).clone())];
  return withRows(next, rows, { point: there, gradient: pull, loss: rows.map((b) => loss[b] as number) });
}

/** The place with these rows from another, which is freed. */
function withRows(place: Place, rows: readonly number[], { point, gradient, loss }: Place): Place {
  const index = scope(() => keep(integers(rows, point.device)));
  scope(() =>
    noGrad(() => {
      copyRows(place.point, 0, index, point);
      copyRows(place.gradient, 0, index, gradient);
    }),
  );
  dispose(index, point, gradient);
  const losses = [...place.loss];
  for (const [i, b] of rows.entries()) losses[b] = loss[i] as number;
  return { ...place, loss: losses };
}

/** These rows of x (B, P): x itself, if all. */
const rowsOf = (x: Tensor, rows: readonly number[]): Tensor =>
  rows.length === x.size(0) ? x : x.indexSelect(0, integers(rows, x.device));

/** Copies rows (b, P) into x (B, P) at an index (b): copyRows(x, 0, index, rows). */
export const copyRows = operator("aten::index_copy_");
