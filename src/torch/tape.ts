/**
 * What libtorch's graph does not know: stretches of a network whose gradient is computed from here (segment.ts), in the
 * order of their forward passes. This file is below `Tensor`, whose `backward` runs them, and `scope`, which forgets them.
 */
import { type Handle, native } from "./native.ts";

interface Owner {
  readonly handle: Handle;
}

export interface Recorded {
  /** As the caller has it: a leaf of the graph that goes on from it. */
  readonly output: Owner;
  /** Which nobody else can dispose: they live as long as this is on the tape. */
  readonly needs: readonly [input: Owner, output: Owner, ...more: Owner[]];
  /** Whether a backward pass went through it, and did not mean to come back. */
  isSpent: boolean;
  /** Hands the gradient that has come together at the output on to the input and the parameters, if there is any. */
  readonly replay: (keepGraph: boolean) => void;
}

/** A scope cuts off what was recorded in it, when it ends. */
export const tape: Recorded[] = [];

let bottom = 0;
let replaying = false;

/** Whether a forward pass is repeated for its gradient: what counts passes must not count this one. */
export function isReplaying(): boolean {
  return replaying;
}

/** After libtorch's own backward pass: the last recorded first, so that each has the gradient of all its consumers. */
export function replay(keepGraph: boolean): void {
  if (tape.length === bottom) return;
  const before = { bottom, replaying, gradMode: native().gradMode(true) };
  replaying = true;
  try {
    for (let i = tape.length - 1; i >= before.bottom; i--) {
      bottom = tape.length; // a backward pass within is only about what is recorded within
      (tape[i] as Recorded).replay(keepGraph);
    }
  } finally {
    ({ bottom, replaying } = before);
    native().gradMode(before.gradMode);
  }
}

/** Whether `backward` from one of these may run into something recorded from `start` on. */
export function dependsOnTape(owners: readonly Owner[], start: number): boolean {
  const recorded = tape.slice(start);
  if (recorded.every(({ isSpent }) => isSpent)) return false;
  const outputs = new Set(recorded.map(({ output }) => output.handle));
  return owners.some(({ handle }) => {
    try {
      const [, , , , isLeaf] = native().info(handle);
      return native().requiresGrad(handle) && (!isLeaf || outputs.has(handle));
    } catch {
      return false; // disposed
    }
  });
}
