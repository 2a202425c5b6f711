/** Gradient mode, gradients as values, and autocast. */
import { type Handle, native } from "./native.ts";
import { keep, scope } from "./scope.ts";
import { synchronous } from "./synchronous.ts";
import { identity, tape } from "./tape.ts";
import { type Device, Tensor } from "./tensor.ts";

/** Runs `body` without recording operations for `backward`. Synchronous, like {@link scope}. */
export function noGrad<T>(body: () => T): T {
  const before = native().gradMode(false);
  try {
    return synchronous("noGrad", body);
  } finally {
    native().gradMode(before);
  }
}

/** What `body` computes, without a gradient. Nothing else made in it outlives it; the caller disposes the result. */
export const kept = (body: () => Tensor): Tensor => scope(() => keep(noGrad(body)));

/** Whether operations are recorded for `backward`. */
export function gradMode(): boolean {
  return native().gradMode();
}

export interface GradOptions {
  /** d(loss)/d(output) for each output. Optional when every output has one element. */
  gradients?: readonly Tensor[];
  keepGraph?: boolean;
  /** Make the gradients differentiable themselves. */
  createGraph?: boolean;
  /** Return null instead of throwing for an input that the outputs do not depend on. */
  allowUnused?: boolean;
}

/**
 * d(sum of outputs)/d(input) for each input, without touching any `grad`.
 * @throws Error when the path runs through a segment (segment.ts): only `backward` supports those
 */
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options: GradOptions = {},
): (Tensor | null)[] {
  const { gradients, createGraph = false, keepGraph = createGraph, allowUnused = false } = options;
  // Array.from throws at the first hole of a sparse array; map would walk all four billion slots.
  const handles = (tensors: readonly Tensor[]) => Array.from(tensors, (tensor) => tensor.handle);
  const wanted = handles(inputs);
  const segments = tape.map(({ needs: [, output] }) => output.handle).slice(firstBehind(wanted));
  const found = native().grad(
    handles(outputs),
    [...wanted, ...segments],
    gradients ? handles(gradients) : null,
    keepGraph,
    createGraph,
    allowUnused || segments.length > 0,
  );
  const reached = found.splice(wanted.length).filter((handle) => handle !== null);
  native().release(reached);
  const missing = allowUnused ? -1 : found.indexOf(null);
  if (reached.length === 0 && missing < 0) return found.map((handle) => (handle === null ? null : new Tensor(handle)));
  native().release(found.filter((handle) => handle !== null));
  throw new Error(
    reached.length
      ? "grad() cannot go through a segment, as reversible networks have them: call backward() and read each grad"
      : `input ${missing} appears to be unused: no output depends on it. { allowUnused: true } gives null for it`,
  );
}

/** Tape index of the first segment that may depend on an input: 0, unless every input is itself the output of a segment. */
function firstBehind(inputs: readonly Handle[]): number {
  const outputs = tape.map(({ needs: [, output] }) => identity(output.handle));
  return 1 + Math.min(...inputs.map((input) => outputs.indexOf(identity(input))));
}

/**
 * Runs `body` in mixed precision, like PyTorch's autocast: convolutions and matrix products in `dtype`, operators that need
 * range in f32. `f32` turns autocast off. Synchronous, like {@link scope}.
 */
export function autocast<T>(device: Device, dtype: "bf16" | "f16" | "f32", body: () => T): T {
  const before = native().autocast(device, dtype === "f32" ? null : dtype);
  try {
    return synchronous("autocast", body);
  } finally {
    native().autocast(device, before);
  }
}

/** The dtype autocast is set to; null when it is off. */
export function autocastDtype(device: Device): "bf16" | "f16" | null {
  return native().autocast(device) as "bf16" | "f16" | null;
}
