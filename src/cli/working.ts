/** One line that shows the work in progress. */
import type { RunEvent } from "../run/events.ts";
import { cut } from "../setup/terminal.ts";

interface Output {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string): unknown;
}

const [REDRAW_EVERY, PLAIN_EVERY] = [100, 10_000];

/** A line that is redrawn on a terminal. Elsewhere one line every ten seconds, so that logs stay short. */
export function workingLine(output: Output = process.stderr, now = Date.now) {
  let shownAt = output.isTTY ? Number.NEGATIVE_INFINITY : now();
  const draw = (text: string) => {
    output.write(output.isTTY ? `\r\x1b[K${cut(text, (output.columns || 120) - 1)}` : `${text}\n`);
    shownAt = now();
  };
  return {
    /** Shows the work that an event reports. Events with a line elsewhere, like steps, are ignored. */
    tell(event: RunEvent): void {
      if (event.type === "download") output.write(`${event.text}\n`);
      else if (event.type === "working") draw(event.what);
      else if (event.type === "read" || event.type === "decode") {
        if (now() - shownAt < (output.isTTY ? REDRAW_EVERY : PLAIN_EVERY)) return;
        const doing = event.type === "read" ? "reading" : "decoding";
        draw(`${doing} images: ${event.done} of ${event.total}`);
      }
    },
    end(): void {
      if (output.isTTY) output.write("\r\x1b[K");
    },
  };
}
