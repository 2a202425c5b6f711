/**
 * L-BFGS for many small, smooth and convex problems at once, stacked in a leading dimension: each has its own curvature, its own
 * step and its own end. Nocedal & Wright, Numerical Optimization, 2006, algorithm 7.4, with a backtracking line search, which is
 * enough where the loss is strictly convex. There is no autograd: the objective gives the gradient.
 */
import { UsageError } from "../../errors.ts";
import { pause } from "../../interrupt.ts";
import { kept, noGrad } from "../autograd.ts";
import { integers, rowDots, where, zerosLike } from "../ops.ts";
import { dispose, keep, scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { copyRows, type Evaluate, lineSearch, type Place } from "./batch-line-search.ts";

export interface BatchValue {
  /** (B): the loss of each problem. */
  loss: Tensor;
  /** (B, P). */
  gradient: Tensor;
}

/** The loss and gradient at `points` (b, P) of the problems that are named, a subset of all in ascending order. */
export type BatchObjective = (points: Tensor, problems: readonly number[]) => BatchValue;

/** As {@link BatchObjective}: about the diagonals of the Hessians, positive (b, P). */
export type BatchCurvature = (points: Tensor, problems: readonly number[]) => Tensor;

export interface BatchOptions {
  maxIterations: number;
  /** A problem ends when no element of its gradient exceeds this in absolute value. */
  gradientTolerance: number;
  /** Or when an iteration lowers its loss by no more than this times the loss's absolute value. */
  changeTolerance: number;
  /** Number of past moves to estimate the curvature from: 1 or more. */
  history?: number;
  /**
   * Terms whose sum is the curvature. Where the Hessians are nearly diagonal, far fewer iterations are needed. It is asked for at the
   * start, and anew after every ten iterations.
   */
  curvature?: readonly BatchCurvature[] | undefined;
  /** Looked at before each term of each evaluation. */
  signal?: AbortSignal | undefined;
}

/** A past move (B, P), the change of the gradient along it (B, P), and 1 / (their dot products) (B, 1). */
interface Pair {
  move: Tensor;
  change: Tensor;
  weight: Tensor;
}

/** The problems that go on: their numbers, where they stand, and what they remember. */
interface State extends Place {
  problems: readonly number[];
  pairs: readonly Pair[];
  /** (B, P): 1 / curvature. */
  preconditioner: Tensor | undefined;
}

const HISTORY = 10;
/** What goes on, for the message of an interruption. */
const WORKING = "a minimum was looked for";
/** Iterations after which the curvature is asked for anew. */
const REFRESH = 10;

/**
 * Tensors of the size of the points (B, P) that exist at the same time, at most: two for each past move; result, start, point and
 * gradient; direction, trial and its gradient; a term's gradient, a product or two, and the next move; the preconditioner, twice.
 */
export const copiesHeld = (history = HISTORY): number => 2 * history + 14;

/**
 * Minimises B problems of P numbers each. The event loop turns between evaluations.
 * @param objective one, or several terms whose sum is minimised: then the event loop turns between these too
 * @param start (B, P)
 * @returns (B, P): the point where each problem ended, its lowest: no iteration raises the loss. The caller disposes it
 * @throws InterruptedError when the signal aborts; UsageError for a history below 1
 */
export async function minimiseBatch(
  objective: BatchObjective | readonly BatchObjective[],
  start: Tensor,
  { maxIterations, gradientTolerance, changeTolerance, history = HISTORY, curvature, signal }: BatchOptions,
): Promise<Tensor> {
  if (!(history >= 1)) throw new UsageError(`Expected a history of 1 past move or more, got ${history}.`);
  const evaluate = evaluation(typeof objective === "function" ? [objective] : objective, signal);
  const result = kept(() => start.clone());
  let state: State | undefined;
  try {
    const problems = Array.from({ length: start.size(0) }, (_, problem) => problem);
    state = {
      ...(await evaluate(
        kept(() => start.clone()),
        problems,
      )),
      problems,
      pairs: [],
      preconditioner: undefined,
    };
    state = goOn(state, isUphill(state, gradientTolerance));
    for (let i = 0; i < maxIterations && state.problems.length; i++) {
      if (curvature && i % REFRESH === 0) await precondition(state, curvature, signal);
      const before: State = state;
      const next = await descend(evaluate, before);
      state = moved(before, next, history);
      scope(() => noGrad(() => copyRows(result, 0, integers(before.problems, start.device), next.point)));
      const gained = next.loss.map((loss, b) => (before.loss[b] as number) - loss > changeTolerance * Math.abs(loss));
      state = goOn(
        state,
        isUphill(state, gradientTolerance).map((is, b) => is && (gained[b] as boolean)),
      );
    }
    return result;
  } catch (error) {
    dispose(result);
    throw error;
  } finally {
    if (state) dispose(...tensorsOf(state));
  }
}

/** Sums the terms at a point, which belongs to the result. */
function evaluation(terms: readonly BatchObjective[], signal: AbortSignal | undefined): Evaluate {
  return async (point, problems) => {
    const loss = problems.map(() => 0);
    let gradient: Tensor | undefined;
    try {
      for (const term of terms) {
        await pause(signal, WORKING);
        scope(() =>
          noGrad(() => {
            const value = term(point, problems);
            for (const [b, own] of value.loss.toArray().entries()) loss[b] = (loss[b] as number) + own;
            if (gradient) gradient.add_(value.gradient);
            else gradient = keep(value.gradient.clone());
          }),
        );
      }
      return { point, loss, gradient: gradient as Tensor };
    } catch (error) {
      dispose(point, ...(gradient ? [gradient] : []));
      throw error;
    }
  };
}

/** Whether the gradient of each problem is still large. */
function isUphill({ gradient, problems }: State, tolerance: number): boolean[] {
  if (!problems.length) return [];
  return scope(() =>
    gradient
      .abs()
      .amax(1)
      .toArray()
      .map((largest) => largest > tolerance),
  );
}

/** Computes 1 / curvature anew, with the event loop turning between its terms. */
async function precondition(
  state: State,
  terms: readonly BatchCurvature[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const { point, problems, preconditioner } = state;
  const sum = kept(() => zerosLike(point));
  try {
    for (const term of terms) {
      await pause(signal, WORKING);
      scope(() => noGrad(() => void sum.add_(term(point, problems))));
    }
    state.preconditioner = kept(() => sum.clamp(1e-12).pow(-1));
    if (preconditioner) dispose(preconditioner);
  } finally {
    dispose(sum);
  }
}

/** The problems that are marked, alone. */
function goOn(state: State, marked: readonly boolean[]): State {
  if (marked.every(Boolean)) return state;
  const rows = marked.flatMap((is, b) => (is ? [b] : []));
  const pick = (x: Tensor) => {
    const picked = kept(() => x.indexSelect(0, integers(rows, x.device)));
    dispose(x);
    return picked;
  };
  return {
    problems: rows.map((b) => state.problems[b] as number),
    loss: rows.map((b) => state.loss[b] as number),
    point: pick(state.point),
    gradient: pick(state.gradient),
    pairs: state.pairs.map(({ move, change, weight }) => ({
      ...{ move: pick(move), change: pick(change), weight: pick(weight) },
    })),
    preconditioner: state.preconditioner && pick(state.preconditioner),
  };
}

/** One step of every problem. */
async function descend(evaluate: Evaluate, state: State): Promise<Place> {
  const { problems, gradient, pairs, preconditioner } = state;
  const direction = kept(() => descent(state));
  try {
    // Before there is any curvature to go by, a step of length at most 1.
    const length = pairs.length || preconditioner ? undefined : scope(() => gradient.abs().sum(1).toArray());
    const steps = problems.map((_, b) => (length ? Math.min(1, 1 / (length[b] as number)) : 1));
    return await lineSearch(evaluate, state, direction, steps);
  } finally {
    dispose(direction);
  }
}

/** Minus the estimated inverse Hessian times the gradient (B, P), by the two-loop recursion. */
function descent({ gradient, pairs, preconditioner }: State): Tensor {
  const result = gradient.neg();
  const shares: Tensor[] = [];
  for (const { move, change, weight } of pairs.toReversed()) {
    const share = rowDots(move, result).mul(weight);
    shares.unshift(share);
    scope(() => void result.add_(change.mul(share), { alpha: -1 }));
  }
  const last = pairs.at(-1);
  if (preconditioner) result.mul_(preconditioner);
  if (last) result.mul_(scaleOf(last, preconditioner));
  for (const [i, { move, change, weight }] of pairs.entries()) {
    scope(() => void result.add_(move.mul((shares[i] as Tensor).sub(rowDots(change, result).mul(weight)))));
  }
  return result;
}

/** (move · change) / (change · preconditioned change): 1 for a problem without curvature. */
function scaleOf({ change, weight }: Pair, preconditioner: Tensor | undefined): Tensor {
  const product = weight.mul(rowDots(change, preconditioner ? change.mul(preconditioner) : change));
  return where(product.lt(1e-30), product.mul(0).add(1), product.clamp(1e-30).pow(-1));
}

/** The state at the next place, which remembers the move there. What is no longer needed is freed. */
function moved(before: State, next: Place, history: number): State {
  const { problems, point, gradient, pairs, preconditioner } = before;
  const dropped = pairs.slice(0, Math.max(0, pairs.length + 1 - history));
  const pair = pairOf(
    kept(() => next.point.sub(point)),
    kept(() => next.gradient.sub(gradient)),
  );
  dispose(point, gradient, ...dropped.flatMap(tensorsOfPair));
  return { ...next, problems, pairs: [...pairs.slice(dropped.length), pair], preconditioner };
}

/** A move along which a problem has no positive curvature gets the weight 0, so that it tells nothing. */
function pairOf(move: Tensor, change: Tensor): Pair {
  const weight = kept(() => {
    const product = rowDots(move, change);
    return where(product.lt(1e-20), product.mul(0), product.clamp(1e-30).pow(-1));
  });
  return { move, change, weight };
}

const tensorsOfPair = ({ move, change, weight }: Pair) => [move, change, weight];
const tensorsOf = ({ point, gradient, pairs, preconditioner }: State): Tensor[] => [
  ...[point, gradient, ...pairs.flatMap(tensorsOfPair)],
  ...(preconditioner ? [preconditioner] : []),
];
