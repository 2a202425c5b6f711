/** Finds programs on PATH and runs them, with their output kept in a log file. */
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, createWriteStream, statSync, type WriteStream } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { makeFolder } from "./folders.ts";

export interface RunOptions {
  /** A file to which everything the program prints is appended. */
  log?: string;
  env?: Record<string, string>;
  timeoutSeconds?: number;
}

export interface RunResult {
  /** Exit status; 127 when the program could not be started, 124 when it timed out. */
  code: number;
  /** Standard output and standard error, in order of arrival. */
  output: string;
  /** Standard output only. */
  stdout: string;
}

/** The absolute path of a program on PATH, or undefined. */
export function which(name: string): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (folder && isProgram(join(folder, name))) return join(folder, name);
  }
  return undefined;
}

/** Whether `path` is a file this user may execute. */
export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Whether a program runs at all. On macOS, /usr/bin has programs that only offer to install the real ones. */
export function works(program: string): boolean {
  return spawnSync(program, ["--version"], { stdio: "ignore", timeout: 20_000 }).status === 0;
}

/** Runs a program to its end. Never throws: check `code`. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      ...(options.timeoutSeconds ? { timeout: options.timeoutSeconds * 1000, killSignal: "SIGKILL" as const } : {}),
    });
    const log = options.log ? openLog(options.log) : undefined;
    log?.write(`\n$ ${[program, ...args].join(" ")}\n`);
    let output = "";
    let stdout = "";
    const take = (chunk: Buffer) => {
      output += chunk.toString();
      log?.write(chunk);
    };
    const end = (code: number) => {
      const result = { code, output, stdout };
      if (log && !log.destroyed) log.end(() => resolve(result));
      else resolve(result);
    };
    child.stdout.on("data", take);
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on("data", take);
    child.on("error", (error) => {
      output += error.message;
      end(127);
    });
    child.on("close", (code, signal) => end(code ?? (signal === "SIGKILL" ? 124 : 1)));
  });
}

/** Errors of the log are ignored: a full or read-only disk must not fail the program. */
function openLog(file: string): WriteStream | undefined {
  try {
    makeFolder(dirname(file));
  } catch {
    return undefined;
  }
  return createWriteStream(file, { flags: "a" }).on("error", () => {});
}

/** The last `count` lines of a program's output, without trailing blank ones. */
export function lastLines(output: string, count: number): string {
  return output.trimEnd().split("\n").slice(-count).join("\n");
}
