/** One line for the whole study: how many cells are done, what runs now, and about how long the rest takes. */
import { mean } from "../../evaluate/protocol.ts";
import type { Hooks } from "../../run/events.ts";
import { duration } from "../../setup/terminal.ts";
import { piecewise } from "../piecewise.ts";

/** How many cells of the study are in which state. `running` are those of other processes. */
export interface Counts {
  all: number;
  done: number;
  failed: number;
  running: number;
}

export function studyProgress(given: Hooks, now = Date.now) {
  let counts: Counts = { all: 0, done: 0, failed: 0, running: 0 };
  let [doing, part, beganAt] = ["", 0, now()];
  const taken: number[] = [];
  const withState = (what: string) => {
    const { all, done, failed, running } = counts;
    const state = [
      `${done} of ${all} cells done`,
      running && `${running} running elsewhere`,
      failed && `${failed} failed`,
      what,
      timeLeft(),
    ];
    return state.filter(Boolean).join(" · ");
  };
  const { hooks, say } = piecewise(given, {
    step(progress) {
      part = progress;
      return withState(`${doing}: training ${Math.floor(100 * part)} %`);
    },
    working: (what) => withState(`${doing}: ${what.replace(`${doing}: `, "")}`),
  });
  /** Other cells take as long as those so far did, and other processes go on beside this one. */
  function timeLeft(): string {
    const spent = (now() - beganAt) / 1000;
    const each = taken.length ? mean(taken) : part > 0.02 && spent / part;
    if (!each) return "";
    const { all, done, failed, running } = counts;
    const left = Math.max(0, (all - done - failed) * each - spent) / (1 + running);
    return `about ${duration(left * 1000)} left`;
  }
  return {
    hooks,
    /** Shows the counts, and what is done now. */
    tell(found: Counts, what: string): void {
      counts = found;
      say("working", withState(what));
    },
    /** A cell begins. */
    begin(found: Counts, name: string): void {
      counts = found;
      [doing, part, beganAt] = [name, 0, now()];
      say("working", withState(name));
    },
    end(): void {
      taken.push((now() - beganAt) / 1000);
      [part, beganAt] = [0, now()];
    },
  };
}
