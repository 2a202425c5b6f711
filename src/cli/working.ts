/** One line that shows the work in progress. */
import type { Counted, RunEvent } from "../run/events.ts";
import { cut, duration } from "../setup/terminal.ts";

interface Output {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string): unknown;
}

const [REDRAW_EVERY, PLAIN_EVERY] = [100, 10_000];
/** Milliseconds of work after which the time left can be guessed. */
const GUESS_AFTER = 2000;

const doing: Readonly<Record<Counted, string>> = {
  read: "reading images",
  decode: "decoding images",
  embed: "computing features",
  compare: "looking for neighbours",
  write: "writing",
};
const isCounted = (event: RunEvent): event is Extract<RunEvent, { type: Counted }> => event.type in doing;

/** A line that is redrawn on a terminal. Elsewhere one line every ten seconds, so that logs stay short. */
export function workingLine(output: Output = process.stderr, now = Date.now) {
  let shownAt = output.isTTY ? Number.NEGATIVE_INFINITY : now();
  let begun: { type?: Counted; at: number; done: number } = { at: 0, done: 0 };
  const draw = (text: string) => {
    output.write(output.isTTY ? `\r\x1b[K${cut(text, (output.columns || 120) - 1)}` : `${text}\n`);
    shownAt = now();
  };
  const timeLeft = (done: number, total: number) => {
    const took = now() - begun.at;
    if (took < GUESS_AFTER || done <= begun.done) return "";
    return ` · ${duration((took / (done - begun.done)) * (total - done))} left`;
  };
  return {
    /** Shows the work that an event reports. Events with a line elsewhere, like steps, are ignored. */
    tell(event: RunEvent): void {
      if (event.type === "download") output.write(`${event.text}\n`);
      else if (event.type === "working") draw(event.what);
      else if (event.type === "progress") {
        if (now() - shownAt >= (output.isTTY ? REDRAW_EVERY : PLAIN_EVERY)) draw(event.text);
      } else if (isCounted(event)) {
        const { type, done, total } = event;
        if (begun.type !== type || done < begun.done) begun = { type, at: now(), done };
        if (now() - shownAt < (output.isTTY ? REDRAW_EVERY : PLAIN_EVERY)) return;
        draw(`${doing[type]}: ${done} of ${total}${timeLeft(done, total)}`);
      }
    },
    end(): void {
      if (output.isTTY) output.write("\r\x1b[K");
    },
  };
}
