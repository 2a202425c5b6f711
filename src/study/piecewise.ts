/** One line about several pieces of work, such as trainings, in place of what each says of itself. */
import type { Hooks, RunEvent } from "../run/events.ts";

export interface PieceWords {
  /** What to say at a step of a training. @param progress 0 to 1 */
  step(progress: number): string;
  /** What to say in place of what a piece says that it does. */
  working(what: string): string;
}

/** Hooks for the pieces, which pass other events on as they are, and what says something of all. */
export function piecewise({ onEvent, signal }: Hooks, { step, working }: PieceWords) {
  const say = (type: "working" | "progress", text: string) =>
    onEvent?.(type === "working" ? { type, what: text } : { type, text });
  const hooks: Hooks = {
    signal,
    onEvent(event: RunEvent) {
      if (event.type === "step") {
        onEvent?.(event);
        say("progress", step(event.record.progress));
      } else if (event.type === "working") say("progress", working(event.what));
      else onEvent?.(event);
    },
  };
  return { hooks, say };
}
