/** How many images are read or decoded at the same time. */
import { availableParallelism } from "node:os";
import { threads } from "../torch/device.ts";

/** Two for each thread that may compute: one is decoded while the next is read. One for a single thread: two would use two cores. */
export function imagesAtOnce(): number {
  const cores = Math.min(threads(), availableParallelism());
  return cores === 1 ? 1 : 2 * cores;
}
