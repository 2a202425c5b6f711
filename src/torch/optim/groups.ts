/** Decides which parameters get weight decay. */
import { Parameter } from "../nn/module.ts";
import type { Tensor } from "../tensor.ts";
import type { ParameterGroup } from "./optimizer.ts";

/**
 * Two groups: matrices and kernels with `weightDecay`; without it parameters of at most one dimension and those that say so. The
 * former are biases and the scales and shifts of norms, which need not be near zero (Goyal et al. 2017, section 5.3 of
 * https://arxiv.org/abs/1706.02677); the latter a transformer's class token and position embeddings (DeiT).
 */
export function decayGroups(named: Iterable<readonly [string, Tensor]>, weightDecay: number): ParameterGroup[] {
  const decayed: Tensor[] = [];
  const free: Tensor[] = [];
  for (const [, parameter] of named) (parameter.dim > 1 && mayDecay(parameter) ? decayed : free).push(parameter);
  return [
    { parameters: decayed, weightDecay },
    { parameters: free, weightDecay: 0 },
  ];
}

const mayDecay = (parameter: Tensor) => !(parameter instanceof Parameter) || parameter.decays;
