/** The processes that train one network together. By default there is just one. */
import type { Parameter } from "./nn/module.ts";
import type { Tensor } from "./tensor.ts";

export interface World {
  /** Which process this is: 0 to size - 1. Process 0 logs and saves. */
  readonly rank: number;
  readonly size: number;
  /** Replaces each gradient by its mean over all processes. */
  averageGradients(parameters: readonly Parameter[]): void;
  /** Concatenates (B, …) of each process to (size · B, …), in rank order. Gradients flow to this process's own rows. */
  gather(tensor: Tensor): Tensor;
  /** The value of process 0, in every process: clocks differ, and all must stop at the same step. */
  agree(value: number): number;
}

/** One process: nothing to exchange. */
export const alone: World = {
  rank: 0,
  size: 1,
  averageGradients: () => {},
  gather: (tensor) => tensor,
  agree: (value) => value,
};
