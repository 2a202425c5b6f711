/** Runs the command line in its own process. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

interface Options {
  env?: Record<string, string>;
  watch?: (child: ChildProcess) => void;
  /** Working directory; default: the current one. */
  cwd?: string;
  stdio?: StdioOptions;
}

/** Starts `selfsight …`. Calls `watch` every few milliseconds while it runs. */
export function selfsight(
  words: readonly string[],
  { env = {}, watch, cwd, stdio = "pipe" }: Options = {},
): Promise<Finished> {
  const tsx = import.meta.resolve("tsx"); // resolved from here, wherever the command runs
  const child = spawn(process.execPath, ["--import", tsx, main, ...words], {
    env: { ...process.env, ...env },
    cwd,
    stdio,
  });
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const timer = setInterval(() => watch?.(child), 5);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearInterval(timer);
      resolve({ code, signal, stdout, stderr });
    });
  });
}
