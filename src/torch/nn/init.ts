/** Initial values, drawn from libtorch's generator: see manualSeed. */
import { rand, randn } from "../ops.ts";
import type { Tensor } from "../tensor.ts";

/** N(0, deviation²). */
export function normal(shape: readonly number[], deviation: number): Tensor {
  return randn(shape).mul_(deviation);
}

/** Uniform in [-bound, bound). */
export function uniform(shape: readonly number[], bound: number): Tensor {
  return rand(shape)
    .mul_(2 * bound)
    .add_(-bound);
}

/** N(0, 2 / fan-out): He et al. 2015, https://arxiv.org/abs/1502.01852, the variant that preserves the gradients' scale. */
export function kaimingNormalFanOut(
  shape: readonly [outputs: number, inputs: number, height: number, width: number],
): Tensor {
  const [outputs, , height, width] = shape;
  return normal(shape, Math.sqrt(2 / (outputs * height * width)));
}
