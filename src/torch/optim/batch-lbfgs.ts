/**
 * L-BFGS for many small, smooth and convex problems at once, stacked in a leading dimension: each has its own curvature, its own
 * step and its own end. Nocedal & Wright, Numerical Optimization, 2006, algorithm 7.4, with a backtracking line search
 * (algorithm 3.1), which is enough where the loss is strictly convex. There is no autograd: the objective gives the gradient.
 */
import { noGrad } from "../autograd.ts";
import { operator } from "../dispatch.ts";
import { integers, tensor, where } from "../ops.ts";
import { dispose, scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";

export interface BatchValue {
  /** (B): the loss of each problem. */
  loss: Tensor;
  /** (B, P). */
  gradient: Tensor;
}

export interface BatchOptions {
  maxIterations: number;
  /** A problem ends when no element of its gradient exceeds this in absolute value. */
  gradientTolerance: number;
  /** Or when an iteration lowers its loss by less than this times the loss. */
  changeTolerance: number;
  /** Number of past moves to estimate the curvature from. */
  history?: number;
}

/** A past move (B, P), the change of the gradient along it (B, P), and 1 / (their dot products) (B, 1). */
interface Pair {
  move: Tensor;
  change: Tensor;
  weight: Tensor;
}

/** The problems that go on: their numbers, where they stand, and what they remember. */
interface State {
  problems: readonly number[];
  /** (B, P). */
  point: Tensor;
  loss: readonly number[];
  gradient: Tensor;
  pairs: readonly Pair[];
}

const SUFFICIENT_DECREASE = 1e-4;
const MOST_HALVINGS = 20;

/**
 * Minimises B problems of P numbers each.
 * @param objective the loss and gradient at `points` (b, P) of the problems that are named, a subset of all in ascending order
 * @param start (B, P)
 * @returns (B, P): the point where each problem ended, its lowest: no iteration raises the loss
 */
export function minimiseBatch(
  objective: (points: Tensor, problems: readonly number[]) => BatchValue,
  start: Tensor,
  { maxIterations, gradientTolerance, changeTolerance, history = 10 }: BatchOptions,
): Tensor {
  return scope(() =>
    noGrad(() => {
      const result = start.clone();
      const all = Array.from({ length: start.size(0) }, (_, i) => i);
      const first = objective(start, all);
      const begin: State = {
        problems: all,
        point: start,
        gradient: first.gradient,
        pairs: [],
        loss: first.loss.toArray(),
      };
      let state = goOn(begin, isUphill(begin, gradientTolerance));
      for (let i = 0; i < maxIterations && state.problems.length; i++) {
        const before = state;
        state = scope(() => {
          const next = iterate(objective, before, history);
          copyRows(result, 0, integers(before.problems, start.device), next.point);
          const gained = next.loss.map((loss, b) => (before.loss[b] as number) - loss > changeTolerance * loss);
          return goOn(
            next,
            isUphill(next, gradientTolerance).map((is, b) => is && (gained[b] as boolean)),
          );
        });
        const used = new Set(tensorsOf(state));
        dispose(...tensorsOf(before).filter((one) => one !== start && !used.has(one)));
      }
      return result;
    }),
  );
}

/** Whether the gradient of each problem is still large. */
function isUphill({ gradient, problems }: State, tolerance: number): boolean[] {
  if (!problems.length) return [];
  return gradient
    .abs()
    .amax(1)
    .toArray()
    .map((largest) => largest > tolerance);
}

/** The problems that are marked, alone. */
function goOn(state: State, marked: readonly boolean[]): State {
  if (marked.every(Boolean)) return state;
  const rows = marked.flatMap((is, b) => (is ? [b] : []));
  const index = integers(rows, state.point.device);
  const pick = (x: Tensor) => x.indexSelect(0, index);
  return {
    problems: rows.map((b) => state.problems[b] as number),
    loss: rows.map((b) => state.loss[b] as number),
    point: pick(state.point),
    gradient: pick(state.gradient),
    pairs: state.pairs.map(({ move, change, weight }) => ({
      ...{ move: pick(move), change: pick(change), weight: pick(weight) },
    })),
  };
}

/** One line search for every problem. */
function iterate(objective: Parameters<typeof minimiseBatch>[0], state: State, history: number): State {
  const { problems, point, gradient, pairs, loss } = state;
  const direction = descent(gradient, pairs);
  const slope = inner(gradient, direction).flatten().toArray();
  // Before there is any curvature to go by, a step of length at most 1.
  const length = pairs.length ? undefined : gradient.abs().sum(1).toArray();
  const steps = problems.map((_, b) => (length ? Math.min(1, 1 / (length[b] as number)) : 1));
  let trial = step(objective, state, direction, steps);
  const tooHigh = (values: readonly number[]) =>
    values.flatMap((value, b) =>
      value <= (loss[b] as number) + SUFFICIENT_DECREASE * (steps[b] as number) * (slope[b] as number) ? [] : [b],
    );
  let high = tooHigh(trial.loss);
  for (let halving = 0; high.length && halving < MOST_HALVINGS; halving++) {
    for (const b of high) steps[b] = (steps[b] as number) / 2;
    trial = step(objective, state, direction, steps);
    high = tooHigh(trial.loss);
  }
  for (const b of high) steps[b] = 0; // no step helps: rounding is all that is left
  if (high.length) trial = step(objective, state, direction, steps);
  return { problems, ...trial, pairs: remember(pairs, trial.point.sub(point), trial.gradient.sub(gradient), history) };
}

/** The state at `point + steps · direction`. */
function step(
  objective: Parameters<typeof minimiseBatch>[0],
  { point, problems }: State,
  direction: Tensor,
  steps: readonly number[],
): Pick<State, "point" | "gradient" | "loss"> {
  const there = point.add(direction.mul(tensor(steps, { device: point.device }).unsqueeze(1)));
  const { loss, gradient } = objective(there, problems);
  return { point: there, gradient, loss: loss.toArray() };
}

/** Minus the estimated inverse Hessian times the gradient (B, P), by the two-loop recursion. */
function descent(gradient: Tensor, pairs: readonly Pair[]): Tensor {
  const result = gradient.neg();
  const shares: Tensor[] = [];
  for (const { move, change, weight } of pairs.toReversed()) {
    const share = inner(move, result).mul(weight);
    shares.unshift(share);
    result.add_(change.mul(share), { alpha: -1 });
  }
  const last = pairs.at(-1);
  if (last) result.mul_(scaleOf(last));
  for (const [i, { move, change, weight }] of pairs.entries()) {
    result.add_(move.mul((shares[i] as Tensor).sub(inner(change, result).mul(weight))));
  }
  return result;
}

/** (move · change) / (change · change): 1 for a problem without curvature. */
function scaleOf({ change, weight }: Pair): Tensor {
  const product = weight.mul(inner(change, change));
  return where(product.lt(1e-30), product.mul(0).add(1), product.clamp(1e-30).pow(-1));
}

/** Adds a move; one along which a problem has no positive curvature gets the weight 0, so that it tells nothing. */
function remember(pairs: readonly Pair[], move: Tensor, change: Tensor, history: number): Pair[] {
  const product = inner(move, change);
  const useful = product.clamp(1e-30).pow(-1);
  const weight = where(product.lt(1e-20), product.mul(0), useful);
  return [...pairs.slice(pairs.length >= history ? 1 : 0), { move, change, weight }];
}

/** Dot products of rows: (B, P) and (B, P) to (B, 1). */
const inner = (a: Tensor, b: Tensor) => a.mul(b).sum(1, true);

function tensorsOf({ point, gradient, pairs }: State): Tensor[] {
  return [point, gradient, ...pairs.flatMap(({ move, change, weight }) => [move, change, weight])];
}

const copyRows = operator("aten::index_copy_");
