/**
 * Many linear support vector machines at once, on the same inputs: squared hinge loss and L2 penalty, in the primal. The
 * objective is piecewise quadratic with a continuous gradient (LIBLINEAR minimises it by Newton's method: Lin, Weng & Keerthi,
 * JMLR 2008), so nonlinear conjugate gradients converge almost as on a quadratic one, and an iteration needs two products with x.
 */
import { pause } from "../interrupt.ts";
import { kept, noGrad } from "../torch/autograd.ts";
import { cat, integers, rowDots, where, zerosLike } from "../torch/ops.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import { type Tensor, tensorOperator } from "../torch/tensor.ts";
import { principalAxes } from "./principal-axes.ts";
import { MEASURING } from "./protocol.ts";

export interface HingeOptions {
  /** Stop when the error estimated for the weights, in the norm of the Hessian's diagonal, is this fraction of them. */
  tolerance: number;
  maxIterations: number;
  signal?: AbortSignal | undefined;
}

export interface HingeSolver {
  /**
   * Fits P problems: signs (P, N), ±1, and costs (P, N), 0 for rows that a problem leaves out, to weights (P, D), which the
   * caller disposes. The event loop turns between iterations. @throws InterruptedError when the signal aborts
   */
  solve(signs: Tensor, costs: Tensor, options: HingeOptions): Promise<Tensor>;
  /** Frees what it keeps. */
  dispose(): void;
}

/**
 * A solver for inputs x (N, D), f32. The caller keeps x until the solver is disposed. It minimises, for each problem,
 * ½|w|² + Σ cost_i · max(0, 1 − sign_i · w·x_i)². There is no bias: a constant column of x is one, and is penalised like the rest, as in
 * LIBLINEAR. Preconditioner: the Hessian's diagonal along the principal axes of x, where the Hessian is nearly diagonal.
 */
export async function squaredHinge(x: Tensor, signal?: AbortSignal): Promise<HingeSolver> {
  const { axes, coordinates: z } = await principalAxes(x, signal); // (N, R)
  const squares = kept(() => z.pow(2));
  return {
    async solve(signs, costs, options) {
      const w = await descend({ z, squares, signs, costs }, options); // (P, R)
      const weights = scope(() => keep(axes.weightsOf(w)));
      dispose(w);
      return weights;
    },
    dispose() {
      axes.dispose();
      dispose(z, squares);
    },
  };
}

interface Problems {
  /** (N, R) */
  z: Tensor;
  /** (N, R) */
  squares: Tensor;
  /** (P, N) */
  signs: Tensor;
  /** (P, N) */
  costs: Tensor;
}

/** The state of P problems. */
interface State {
  /** (P, N) */
  signs: Tensor;
  /** (P, N) */
  costs: Tensor;
  /** Weights (P, R). */
  w: Tensor;
  /** 1 − sign · w·z (P, N): positive where there is a loss. */
  slack: Tensor;
  /** (P, R) */
  gradient: Tensor;
  /** (P, R) */
  direction: Tensor;
  /** The Hessian's diagonal (P, R). */
  diagonal: Tensor;
}

/** Iterations after which the preconditioner is computed anew for the rows that then have a loss. */
const REFRESH = 10;

/** Preconditioned conjugate gradients (Polak & Ribière), for each problem until it has converged. The caller disposes the result. */
async function descend(problems: Problems, { tolerance, maxIterations, signal }: HingeOptions): Promise<Tensor> {
  const count = problems.signs.size(0);
  let state = noGrad(() => start(problems));
  let running = Array.from({ length: count }, (_, i) => i);
  const finished: { problems: number[]; w: Tensor }[] = [];
  try {
    for (let iteration = 1; running.length; iteration++) {
      await pause(signal, MEASURING);
      const converged = scope(() =>
        noGrad(() => {
          step(problems, state, iteration % REFRESH === 0);
          const { gradient, diagonal, w } = state;
          const error = gradient.pow(2).div(diagonal).sum(1); // (P)
          const size = w.pow(2).mul(diagonal).sum(1);
          return size
            .mul(tolerance ** 2)
            .ge(error)
            .toArray();
        }),
      );
      const last = iteration >= maxIterations;
      const done = running.flatMap((_, at) => (last || converged[at] ? [at] : []));
      if (done.length < Math.ceil(running.length / 4)) continue;
      const rest = running.flatMap((_, at) => (last || converged[at] ? [] : [at]));
      const before = state;
      finished.push({ problems: done.map((at) => running[at] as number), w: scope(() => pickRows(before.w, done)) });
      state = scope(() => mapState(before, (one) => pickRows(one, rest)));
      dispose(...Object.values(before));
      running = rest.map((at) => running[at] as number);
    }
    const order = finished.flatMap((part) => part.problems);
    const place = new Array<number>(count);
    for (const [at, problem] of order.entries()) place[problem] = at;
    return scope(() => keep(pickRows(cat(finished.map(({ w }) => w)), place)));
  } finally {
    dispose(...Object.values(state), ...finished.map(({ w }) => w));
  }
}

/** All weights zero: every row has a slack of 1. */
function start({ z, squares, signs, costs }: Problems): State {
  return scope(() => {
    const slack = onesLike(costs);
    const diagonal = diagonalOf(squares, costs, slack);
    const gradient = costs.mul(signs).matmul(z).mul(-2);
    return {
      ...{ signs: signs.clone(), costs: costs.clone(), slack, diagonal, gradient },
      w: zerosLike(gradient),
      direction: gradient.div(diagonal).neg(),
    };
  });
}

const diagonalOf = (squares: Tensor, costs: Tensor, slack: Tensor) =>
  costs.mul(positive(slack)).matmul(squares).mul(2).add(1); // (P, R)

const pickRows = (x: Tensor, rows: readonly number[]) => x.indexSelect(0, integers(rows, x.device));

function mapState(
  { signs, costs, w, slack, gradient, direction, diagonal }: State,
  change: (x: Tensor) => Tensor,
): State {
  return {
    ...{ signs: change(signs), costs: change(costs), w: change(w), slack: change(slack) },
    ...{ gradient: change(gradient), direction: change(direction), diagonal: change(diagonal) },
  };
}

/** One iteration, in place: along the direction to its minimum, then the next direction. */
function step({ z, squares }: Problems, state: State, refresh: boolean): void {
  const { signs, costs, w, slack, gradient, direction, diagonal } = state;
  const fall = direction.matmul(z.transpose(0, 1)).mul(signs); // (P, N): slack at a step t is slack − t · fall
  const found = lineSearch(state, fall);
  w.add_(direction.mul(found.t));
  slack.copy_(found.slack);
  const next = w.sub(found.pull.mul(signs).matmul(z).mul(2)); // (P, R)
  if (refresh) diagonal.copy_(diagonalOf(squares, costs, slack));
  const downhill = next.div(diagonal);
  const before = rowDots(gradient, gradient.div(diagonal));
  const beta = refresh ? 0 : rowDots(next.sub(gradient), downhill).div(before.clamp(1e-38)).clamp(0); // (P, 1)
  const conjugate = direction.mul(beta).sub(downhill);
  direction.copy_(where(rowDots(conjugate, next).lt(0), conjugate, downhill.neg())); // rounding can turn it uphill
  gradient.copy_(next);
}

interface Found {
  /** Steps (P, 1). */
  t: Tensor;
  /** Slack after the steps (P, N). */
  slack: Tensor;
  /** cost · max(0, slack) (P, N). */
  pull: Tensor;
}

/** Newton steps at most; a piecewise quadratic function needs few. */
const TRIALS = 12;

/** The minimum along the directions, by Newton's method in a bracket: near enough where the slope is a tenth of the first. */
function lineSearch({ costs, w, slack: before, gradient, direction }: State, fall: Tensor): Found {
  const [flat, curved] = [rowDots(w, direction), rowDots(direction, direction)];
  const steep = costs.mul(fall).mul(fall); // (P, N)
  let t = zerosLike(flat);
  let [low, high] = [t, t.add(Number.POSITIVE_INFINITY)];
  let slack = before;
  let slope = rowDots(gradient, direction);
  const enough = slope.abs().mul(0.1);
  for (let trial = 1; ; trial++) {
    const newton = t.sub(slope.div(rowDots(steep, positive(slack)).mul(2).add(curved).clamp(1e-30)));
    const inside = newton.lt(high).mul(low.lt(newton)); // if not: bisect, or double
    const next = where(inside, newton, where(high.lt(1e30), low.add(high).div(2), low.mul(2)));
    t = trial === 1 ? newton : where(enough.ge(slope.abs()), t, next);
    slack = addcmul(before, fall, t, -1);
    const pull = slack.relu().mul(costs);
    slope = t.mul(curved).add(flat).sub(rowDots(fall, pull).mul(2));
    if (trial === TRIALS || enough.ge(slope.abs()).toArray().every(Boolean)) return { t, slack, pull };
    low = where(slope.lt(0), t, low);
    high = where(slope.lt(0), high, t);
  }
}

const onesLike = tensorOperator("aten::ones_like") as (x: Tensor) => Tensor;
const positive = (x: Tensor) => gt(x, 0); // bool
const gt = tensorOperator("aten::gt.Scalar") as (x: Tensor, y: number) => Tensor;
const addcmul = tensorOperator("aten::addcmul") as (x: Tensor, a: Tensor, b: Tensor, value?: number) => Tensor;
