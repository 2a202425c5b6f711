/** Being told to stop in the middle of long work. */
import { setImmediate } from "node:timers/promises";
import { InterruptedError } from "./errors.ts";

/** @param doing what was going on, such as "the images were decoded" @throws InterruptedError if the signal was aborted */
export function refuseAborted(signal: AbortSignal | undefined, doing: string): void {
  if (signal?.aborted) throw new InterruptedError(`Interrupted while ${doing}.`);
}

/**
 * Between two pieces of long work: lets the event loop turn, so that signals, timers and progress get through.
 * @throws InterruptedError if the signal was aborted
 */
export async function pause(signal: AbortSignal | undefined, doing: string): Promise<void> {
  await setImmediate();
  refuseAborted(signal, doing);
}
