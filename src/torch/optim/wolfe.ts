/**
 * A line search for a step that satisfies the strong Wolfe conditions: Nocedal & Wright, Numerical Optimization, 2006,
 * algorithms 3.5 and 3.6, with the constants and safeguards of `torch.optim.LBFGS`, so that both take the same steps.
 */

/** The function at one step length along the line: its value, its slope and its gradient. */
export interface Point<G> {
  readonly step: number;
  readonly value: number;
  readonly slope: number;
  readonly gradient: G;
}

const sufficientDecrease = 1e-4;
const curvature = 0.9;
const maxEvaluations = 25;

/**
 * @param at evaluates the function at a step length
 * @param start the point at step 0; its slope is negative
 * @param span largest change of any coordinate at step 1. The search ends when the bracket's width times `span` is below `tolerance`
 */
export function strongWolfe<G>(
  at: (step: number) => Point<G>,
  start: Point<G>,
  firstStep: number,
  span: number,
  tolerance: number,
): Point<G> {
  const tooHigh = (point: Point<G>) => point.value > start.value + sufficientDecrease * point.step * start.slope;
  const flat = (point: Point<G>) => Math.abs(point.slope) <= -curvature * start.slope;

  // Grow the step until it brackets a good point.
  let previous = start;
  let point = at(firstStep);
  let evaluations = 0; // not counting the first
  for (; ; evaluations++) {
    if (evaluations === maxEvaluations) return lower(start, point);
    if (tooHigh(point) || (evaluations > 1 && point.value >= previous.value)) break;
    if (flat(point)) return point;
    if (point.slope >= 0) break;
    const { step } = point;
    const next = minimum(previous, point, step + 0.01 * (step - previous.step), 10 * step);
    previous = point;
    point = at(next);
  }

  // Narrow the bracket down to that point.
  let low = lower(previous, point);
  let high = low === previous ? point : previous;
  let stuck = false;
  for (; evaluations < maxEvaluations && Math.abs(high.step - low.step) * span >= tolerance; evaluations++) {
    const left = Math.min(low.step, high.step);
    const right = Math.max(low.step, high.step);
    let step = minimum(low, high, left, right);
    // Too close to an end twice in a row, or on it: move a tenth of the bracket away from that end.
    const margin = 0.1 * (right - left);
    const near: boolean = Math.min(right - step, step - left) < margin;
    const push: boolean = near && (stuck || step >= right || step <= left);
    if (push) step = Math.abs(step - right) < Math.abs(step - left) ? right - margin : left + margin;
    stuck = near && !push;

    const trial = at(step);
    if (tooHigh(trial) || trial.value >= low.value) {
      high = trial;
      if (high.value < low.value) [low, high] = [high, low];
    } else {
      if (flat(trial)) return trial;
      if (trial.slope * (high.step - low.step) >= 0) high = low;
      low = trial;
    }
  }
  return low;
}

/** The point with the lower value; the first when they are equal. */
function lower<G>(a: Point<G>, b: Point<G>): Point<G> {
  return a.value <= b.value ? a : b;
}

/** The minimum between `left` and `right` of the cubic through both points with their slopes; else the middle. */
function minimum<G>(a: Point<G>, b: Point<G>, left: number, right: number): number {
  const [near, far] = a.step <= b.step ? [a, b] : [b, a];
  const d1 = a.slope + b.slope - (3 * (a.value - b.value)) / (a.step - b.step);
  const square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (left + right) / 2;
  const d2 = Math.sqrt(square);
  const position = far.step - (far.step - near.step) * ((far.slope + d2 - d1) / (far.slope - near.slope + 2 * d2));
  return Math.min(Math.max(position, left), right);
}
