/**
 * The segments (segment.ts) of a network, which libtorch's graph does not contain, in the order of their forward passes.
 * `Tensor.backward` runs them and `scope` drops them. Both import this file, so it imports neither.
 */
import { type Handle, native } from "./native.ts";

interface Owner {
  readonly handle: Handle;
}

export interface Recorded {
  /**
   * Handles that nobody else can dispose: they live as long as this is on the tape. The output is the tensor that the caller has: a leaf
   * of the graph that continues from it.
   */
  readonly needs: readonly [input: Owner, output: Owner, ...more: Owner[]];
  /** Whether a backward pass without `keepGraph` went through it. */
  isSpent: boolean;
  /** Passes the gradient accumulated at the output, if any, on to the input and the parameters. */
  readonly replay: (keepGraph: boolean) => void;
}

/** When a scope ends, it removes what was recorded in it. */
export const tape: Recorded[] = [];

let bottom = 0;
let replaying = false;

/** Whether a forward pass is being repeated for its gradient: code that counts passes must not count this one. */
export function isReplaying(): boolean {
  return replaying;
}

/** Runs after libtorch's own backward pass, last recorded first, so that each has the gradient of all its consumers. */
export function replay(keepGraph: boolean): void {
  if (tape.length === bottom) return;
  const before = { bottom, replaying, gradMode: native().gradMode(true) };
  replaying = true;
  try {
    for (let i = tape.length - 1; i >= before.bottom; i--) {
      bottom = tape.length; // a nested backward pass covers only what is recorded during the replay
      (tape[i] as Recorded).replay(keepGraph);
    }
  } finally {
    ({ bottom, replaying } = before);
    native().gradMode(before.gradMode);
  }
}

/** The same for all handles to one tensor: `contiguous`, `to` and others may return the tensor itself. */
export const identity = (handle: Handle): number => native().info(handle)[3];

/** Whether `backward` from one of these may reach a segment recorded at `start` or later. */
export function dependsOnTape(owners: readonly Owner[], start: number): boolean {
  const recorded = tape.slice(start);
  if (recorded.every(({ isSpent }) => isSpent)) return false;
  const outputs = new Set(recorded.map(({ needs: [, output] }) => identity(output.handle)));
  return owners.some(({ handle }) => {
    try {
      const [, , , own, isLeaf] = native().info(handle);
      return native().requiresGrad(handle) && (!isLeaf || outputs.has(own));
    } catch {
      return false; // disposed
    }
  });
}
