/** Gradient mode, gradients as values, and autocast. */
import { native } from "./native.ts";
import { type Device, Tensor } from "./tensor.ts";

/** Runs `body` without recording operations for `backward`. Synchronous, like {@link scope}. */
export function noGrad<T>(body: () => T): T {
  const before = native().gradMode(false);
  try {
    return body();
  } finally {
    native().gradMode(before);
  }
}

export interface GradOptions {
  /** d(loss)/d(output) for each output; may be left out when every output is one number. */
  gradients?: readonly Tensor[];
  keepGraph?: boolean;
  /** Make the gradients differentiable themselves. */
  createGraph?: boolean;
  /** Give null for an input that the outputs do not depend on, instead of an error. */
  allowUnused?: boolean;
}

/** d(sum of outputs)/d(input) for each input, without touching any `grad`. */
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options: GradOptions = {},
): (Tensor | null)[] {
  const { gradients, createGraph = false, keepGraph = createGraph, allowUnused = false } = options;
  // Array.from stops at the first hole of an array of four billion; map would look at every one.
  const handles = (tensors: readonly Tensor[]) => Array.from(tensors, (tensor) => tensor.handle);
  return native()
    .grad(handles(outputs), handles(inputs), gradients ? handles(gradients) : null, keepGraph, createGraph, allowUnused)
    .map((handle) => (handle === null ? null : new Tensor(handle)));
}

/**
 * Runs `body` in mixed precision: convolutions and matrix products in `dtype`, what needs range in f32, as PyTorch's
 * autocast. `f32` runs it as it is.
 */
export function autocast<T>(device: Device, dtype: "bf16" | "f16" | "f32", body: () => T): T {
  const before = native().autocast(device, dtype === "f32" ? null : dtype);
  try {
    return body();
  } finally {
    native().autocast(device, before);
  }
}
