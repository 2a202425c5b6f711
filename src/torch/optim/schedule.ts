/** Learning-rate schedules: pure functions from progress (0 at the first step, 1 after the last) to a factor on the base rate. */
import { UsageError } from "../../errors.ts";

export type Schedule = (progress: number) => number;

export const constant: Schedule = () => 1;

/** From 1 to 0 along half a cosine. Loshchilov & Hutter, ICLR 2017, https://arxiv.org/abs/1608.03983 */
export const cosine: Schedule = (progress) => (1 + Math.cos(Math.PI * progress)) / 2;

/**
 * Multiplies the rate by `factor` at each milestone, a fraction of the run: `steps([0.3, 0.6, 0.8], 0.2)`.
 * @throws UsageError for milestones outside of 0 to 1 or out of order
 */
export function steps(milestones: readonly number[], factor: number): Schedule {
  if (!milestones.every((at, i) => at >= (milestones[i - 1] ?? 0) && at <= 1)) {
    throw new UsageError(`Expected milestones from 0 to 1 in rising order, got [${milestones.join(", ")}].`);
  }
  return (progress) => milestones.reduce((product, at) => (progress >= at ? product * factor : product), 1);
}

/**
 * Rises linearly over the first `part` of the run, a fraction, then follows `then` over the rest. Starts at `first`, usually
 * 1 / (steps of the warm-up): a first step of zero length would be wasted.
 * Goyal et al. 2017, section 2.2 of https://arxiv.org/abs/1706.02677
 * @throws UsageError for a `part` outside of [0, 1)
 */
export function warmUp(part: number, then: Schedule, first = 0.01): Schedule {
  if (!(part >= 0 && part < 1)) throw new UsageError(`Expected a warm-up of 0 to less than 1 of the run, got ${part}.`);
  return (progress) =>
    progress < part ? then(0) * Math.min(1, first + progress / part) : then((progress - part) / (1 - part));
}
