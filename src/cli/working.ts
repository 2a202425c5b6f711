/** What goes on, in one line. */
import { cut } from "../setup/terminal.ts";

interface Output {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string): unknown;
}

const [REDRAW_EVERY, PLAIN_EVERY] = [100, 10_000];

/** A line that is written over on a terminal; elsewhere one of them every ten seconds, so that no log is flooded. */
export function workingLine(output: Output = process.stderr, now = Date.now) {
  let shownAt = output.isTTY ? Number.NEGATIVE_INFINITY : now();
  return {
    show(text: string): void {
      if (now() - shownAt < (output.isTTY ? REDRAW_EVERY : PLAIN_EVERY)) return;
      output.write(output.isTTY ? `\r\x1b[K${cut(text, (output.columns || 120) - 1)}` : `${text}\n`);
      shownAt = now();
    },
    end(): void {
      if (output.isTTY) output.write("\r\x1b[K");
    },
  };
}
