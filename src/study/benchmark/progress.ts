/** One line for the whole benchmark: what runs now, how much is done, and about how long the rest takes. */
import { mean } from "../../evaluate/protocol.ts";
import type { Hooks } from "../../run/events.ts";
import { duration } from "../../setup/terminal.ts";
import { piecewise } from "../piecewise.ts";

/** Seconds that measuring one encoder is expected to take before the first has been. */
const GUESS = 60;

/** @param trainings how many there will be, each as long as the others */
export function overallProgress(trainings: number, given: Hooks, now = Date.now) {
  let [doing, part] = ["", 0];
  let [trained, measured, toMeasure] = [-1, -1, 0];
  let beganAt = now();
  const taken: number[] = [];
  const withTime = (what = `${doing}${part ? ` ${Math.floor(100 * part)} %` : ""}`) => {
    const left = timeLeft();
    return left === undefined ? what : `${what} · about ${duration(left * 1000)} left`;
  };
  const { hooks, say } = piecewise(given, {
    step(progress) {
      part = progress;
      return withTime();
    },
    working: withTime,
  });
  /** Training goes on for as long as it did so far; so does measuring. */
  function timeLeft(): number | undefined {
    const since = (now() - beganAt) / 1000;
    if (toMeasure === 0) {
      if (part < 0.02) return undefined;
      const one = since / part;
      return one * (trainings - trained - part) + GUESS * trainings;
    }
    const each = taken.length ? mean(taken) : GUESS;
    return Math.max(0, each * (toMeasure - Math.max(0, measured)) - since);
  }
  return {
    hooks,
    /** The next piece of work. */
    begin(what: string) {
      if (toMeasure && measured >= 0) taken.push((now() - beganAt) / 1000);
      if (toMeasure) measured++;
      else trained++;
      [doing, part, beganAt] = [what, 0, now()];
      say("working", withTime());
    },
    /** From now on so many encoders are measured. */
    expect(count: number) {
      toMeasure = count;
    },
  };
}
