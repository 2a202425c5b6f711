/** Handles requests to stop: Ctrl-C, kill, a closed terminal, a lost connection. */
import { readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

/** Signals within this many milliseconds count as one: npm and shells pass on a signal that the process already got. */
const SAME = 300;
/** Milliseconds for the work to end by itself if there is nothing to save. */
const GRACE = 700;

/** How work learns that it must stop. */
export interface Stoppable {
  /** Aborted by the first signal. */
  signal: AbortSignal;
  /** From now on there is something to save: stopping waits for it, however long it takes. */
  saveFirst(): void;
}

/**
 * Runs `body`. A first SIGINT, SIGTERM or SIGHUP asks it to end. A second SIGINT or SIGTERM ends the process at once. So does the
 * first, after a moment, if there is nothing to save and `body` does not end by itself.
 */
export async function untilInterrupted<Result>(body: (stop: Stoppable) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  let [saves, firstAt] = [false, 0];
  let timer: NodeJS.Timeout | undefined;
  const stop = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      if (name !== "SIGHUP" && performance.now() - firstAt > SAME) process.exit(130);
      return;
    }
    firstAt = performance.now();
    process.stderr.write(saves ? "\nSaving; once more to stop at once.\n" : "\nStopping.\n");
    controller.abort();
    if (!saves) timer = setTimeout(() => process.exit(130), GRACE);
  };
  const signals: NodeJS.Signals[] = ["SIGINT", "SIGTERM", ...(hangupIgnored ? [] : (["SIGHUP"] as const))];
  for (const name of signals) process.on(name, stop);
  try {
    return await body({
      signal: controller.signal,
      saveFirst() {
        saves = true;
        clearTimeout(timer);
      },
    });
  } finally {
    clearTimeout(timer);
    for (const name of signals) process.off(name, stop);
  }
}

let hangupIgnored = false;

/** Under nohup, a closed terminal must not end the process. Node resets nohup's setting when it starts, so it is set again here. */
export function outliveTerminal(): void {
  hangupIgnored = startedToOutlive();
  if (hangupIgnored) process.on("SIGHUP", () => {});
}

/**
 * Whether the process was started to outlive the terminal. Node resets what nohup set before our code runs, so this looks for
 * traces: the shell's `_`, nohup.out, a standard input that can only be written to, or a parent that ignores SIGHUP.
 */
function startedToOutlive(): boolean {
  if (basename(process.env["_"] ?? "") === "nohup") return true;
  const traces = [
    () => [1, 2].some((fd) => basename(readlinkSync(`/proc/self/fd/${fd}`)) === "nohup.out"),
    () =>
      (octal(/^flags:\s*(\d+)/m, "/proc/self/fdinfo/0") & 3) === 1 && readlinkSync("/proc/self/fd/0") === "/dev/null",
    () => process.ppid > 1 && /^SigIgn:.*[13579bdf]$/m.test(readFileSync(`/proc/${process.ppid}/status`, "utf8")),
  ];
  return traces.some((found) => {
    try {
      return found();
    } catch {
      return false; // no /proc
    }
  });
}

function octal(pattern: RegExp, file: string): number {
  return Number.parseInt(pattern.exec(readFileSync(file, "utf8"))?.[1] ?? "0", 8);
}
