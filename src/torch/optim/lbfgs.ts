/**
 * L-BFGS with a strong-Wolfe line search, like `torch.optim.LBFGS(line_search_fn="strong_wolfe")`: for small problems whose
 * loss is computed over all data at once. Nocedal & Wright, Numerical Optimization, 2006, algorithm 7.4.
 */
import { SelfsightError } from "../../errors.ts";
import { noGrad } from "../autograd.ts";
import { cat, zerosLike } from "../ops.ts";
import { dispose, keep, scope } from "../scope.ts";
import { type Tensor, tensorOperator } from "../tensor.ts";
import { atLeastZero } from "./optimizer.ts";
import { type Point, strongWolfe } from "./wolfe.ts";

export interface LBFGSOptions {
  /** Step length that each line search tries first. */
  learningRate?: number;
  /** Most iterations in one {@link LBFGS.step}. */
  maxIterations?: number;
  /** No iteration begins after this many evaluations of the loss in one step. */
  maxEvaluations?: number;
  /** Stops when no gradient element exceeds this in absolute value. */
  gradientTolerance?: number;
  /** Stops when the loss, or every parameter, changes by no more than this. */
  changeTolerance?: number;
  /** Number of past moves to estimate the curvature from. */
  history?: number;
}

/** A past move, the change of the gradient along it, and 1 / (their dot product). */
interface Pair {
  readonly move: Tensor;
  readonly change: Tensor;
  readonly weight: number;
}

interface Evaluation {
  readonly loss: number;
  readonly gradient: Tensor;
}

export class LBFGS {
  private readonly parameters: readonly Tensor[];
  private readonly options: Required<LBFGSOptions>;
  private readonly pairs: Pair[] = [];
  /** The last direction, the step taken along it, and the gradient where it began. */
  private last: { direction: Tensor; step: number; gradient: Tensor } | undefined;
  /** Scale of the initial estimate of the inverse Hessian. */
  private scale = 1;

  /** All parameters have one type and are on one device. @throws UsageError for an option below 0 or not finite */
  constructor(parameters: readonly Tensor[], options: LBFGSOptions = {}) {
    const maxIterations = options.maxIterations ?? 20;
    this.parameters = parameters;
    this.options = {
      learningRate: 1,
      maxIterations,
      maxEvaluations: Math.floor(maxIterations * 1.25),
      gradientTolerance: 1e-7,
      changeTolerance: 1e-9,
      history: 100,
      ...options,
    };
    for (const [name, value] of Object.entries(this.options)) atLeastZero(name, value);
  }

  /**
   * Runs up to `maxIterations` iterations. `closure` computes the loss, calls its `backward()` and returns it; the gradients
   * are dropped before each call.
   * @returns the initial loss
   * @throws SelfsightError when the initial loss is not finite
   */
  step(closure: () => Tensor): number {
    const { maxIterations, maxEvaluations, gradientTolerance } = this.options;
    return scope(() => {
      const start = this.evaluate(closure);
      if (!Number.isFinite(start.loss)) {
        throw new SelfsightError(
          `L-BFGS cannot begin: the loss is ${start.loss}. Look for NaN or huge values in the data.`,
        );
      }
      let evaluations = 1;
      const counted = () => {
        evaluations++;
        return closure();
      };
      let here: Evaluation = start;
      let done = largest(start.gradient) <= gradientTolerance;
      for (let i = 0; i < maxIterations && evaluations < maxEvaluations && !done; i++) {
        [here, done] = scope(() => this.iterate(here, counted));
      }
      return start.loss;
    });
  }

  /** Frees the history. */
  dispose(): void {
    for (const { move, change } of this.pairs.splice(0)) dispose(move, change);
    if (this.last) dispose(this.last.direction, this.last.gradient);
    this.last = undefined;
  }

  /** One line search: where it ends, and whether the optimisation is done. */
  private iterate(here: Evaluation, closure: () => Tensor): [Evaluation, boolean] {
    const { learningRate, gradientTolerance, changeTolerance } = this.options;
    const { loss, gradient } = here;
    const first = !this.last;
    this.learn(gradient);
    const direction = this.direction(gradient);
    const slope = inner(gradient, direction);
    const firstStep = first ? Math.min(1, 1 / gradient.abs().sum().item()) * learningRate : learningRate;
    if (slope > -changeTolerance) {
      this.remember(direction, firstStep, gradient);
      return [here, true];
    }

    const origin = noGrad(() => this.parameters.map((parameter) => parameter.clone()));
    const at = (step: number): Point<Tensor> => {
      this.move(direction, step);
      const there = this.evaluate(closure);
      noGrad(() => this.parameters.forEach((parameter, i) => void parameter.copy_(origin[i] as Tensor)));
      return { step, value: there.loss, slope: inner(there.gradient, direction), gradient: there.gradient };
    };
    const span = largest(direction);
    const start = { step: 0, value: loss, slope, gradient };
    const found = strongWolfe(at, start, firstStep, span, changeTolerance);
    this.move(direction, found.step);
    this.remember(direction, found.step, gradient);
    const done =
      largest(found.gradient) <= gradientTolerance ||
      span * found.step <= changeTolerance ||
      Math.abs(found.value - loss) < changeTolerance;
    return [{ loss: found.value, gradient: found.gradient }, done];
  }

  /** The loss, and the gradient as one vector. */
  private evaluate(closure: () => Tensor): Evaluation {
    return scope(() => {
      for (const parameter of this.parameters) parameter.grad = null;
      const loss = closure().item();
      return { loss, gradient: cat(this.parameters.map((one) => (one.grad ?? zerosLike(one)).reshape(-1))) };
    });
  }

  /** Adds the last move to the history if the curvature along it is positive. */
  private learn(gradient: Tensor): void {
    if (!this.last) return;
    const change = gradient.sub(this.last.gradient);
    const move = this.last.direction.mul(this.last.step);
    const product = inner(change, move);
    if (!(product > 1e-10)) return;
    this.scale = product / inner(change, change);
    this.pairs.push({ move: keep(move), change: keep(change), weight: 1 / product });
    if (this.pairs.length > this.options.history) {
      const [oldest] = this.pairs.splice(0, 1) as [Pair];
      dispose(oldest.move, oldest.change);
    }
  }

  /** Minus the estimated inverse Hessian times the gradient, by the two-loop recursion over the history. */
  private direction(gradient: Tensor): Tensor {
    const result = gradient.neg();
    const shares = this.pairs.map(() => 0);
    for (let i = this.pairs.length - 1; i >= 0; i--) {
      const { move, change, weight } = this.pairs[i] as Pair;
      shares[i] = inner(move, result) * weight;
      result.add_(change, { alpha: -(shares[i] as number) });
    }
    if (this.last) result.mul_(this.scale);
    for (const [i, { move, change, weight }] of this.pairs.entries()) {
      result.add_(move, { alpha: (shares[i] as number) - inner(change, result) * weight });
    }
    return result;
  }

  private remember(direction: Tensor, step: number, gradient: Tensor): void {
    if (this.last) dispose(this.last.direction, this.last.gradient);
    this.last = { direction: keep(direction), step, gradient: keep(gradient.clone()) };
  }

  /** parameters += step · direction */
  private move(direction: Tensor, step: number): void {
    scope(() =>
      noGrad(() => {
        let offset = 0;
        for (const parameter of this.parameters) {
          const { shape, numel } = parameter;
          parameter.add_(direction.narrow(0, offset, numel).reshape(...shape), { alpha: step });
          offset += numel;
        }
      }),
    );
  }
}

const dot = tensorOperator("aten::dot");

function inner(a: Tensor, b: Tensor): number {
  return scope(() => dot(a, b).item());
}

function largest(x: Tensor): number {
  return scope(() => x.abs().amax(0).item());
}
