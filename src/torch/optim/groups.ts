/** Decides which parameters get weight decay. */
import type { Tensor } from "../tensor.ts";
import type { ParameterGroup } from "./optimizer.ts";

/**
 * Two groups: matrices and kernels with `weightDecay`; parameters of at most one dimension without it. Those are biases and the
 * scales and shifts of norms, which need not be near zero. Goyal et al. 2017, section 5.3 of https://arxiv.org/abs/1706.02677
 */
export function decayGroups(named: Iterable<readonly [string, Tensor]>, weightDecay: number): ParameterGroup[] {
  const decayed: Tensor[] = [];
  const free: Tensor[] = [];
  for (const [, parameter] of named) (parameter.dim > 1 ? decayed : free).push(parameter);
  return [
    { parameters: decayed, weightDecay },
    { parameters: free, weightDecay: 0 },
  ];
}
