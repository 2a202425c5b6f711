/** Identifies this process on disk, so that another process can check whether it is still running. */
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** The identity of a process, as stored on disk. */
export interface ProcessMark {
  pid: number;
  /** Digest of the machine and its container, if any: process ids are valid only inside. */
  place: string;
  /** Digest of the process's start time, because ids are reused. "0" if the system does not tell. */
  birth: string;
}

/** The identity of this process. */
export const ownMark = (): ProcessMark => ({ pid: process.pid, place: place(), birth: birthOf(process.pid) ?? "0" });

/**
 * Whether a process still runs; "unknown" for one on another machine or in another container.
 * A zombie does not run: it has ended, but its parent has not collected it yet.
 */
export function isAlive({ pid, place: where, birth }: ProcessMark): boolean | "unknown" {
  if (where !== place()) return "unknown";
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false; // EPERM: it belongs to another user
  }
  if (isZombie(pid)) return false;
  const now = birthOf(pid);
  return now === undefined || birth === "0" || now === birth;
}

function place(): string {
  const machine = attempt(() => readFileSync("/etc/machine-id", "utf8").trim());
  return digest([hostname(), machine, attempt(() => readlinkSync("/proc/self/ns/pid"))]);
}

/** Digest of the machine's boot and the ticks from then to the process's start; undefined without /proc. */
function birthOf(pid: number): string | undefined {
  const ticks = statusOf(pid)?.[19];
  return ticks && digest([attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()), ticks]);
}

const isZombie = (pid: number): boolean => ["Z", "X"].includes(statusOf(pid)?.[0] ?? "");

/** Fields of /proc/PID/stat from the third (the state) on. The second, a name in brackets, may contain any character. */
function statusOf(pid: number): string[] | undefined {
  const text = attempt(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

function digest(parts: readonly (string | undefined)[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 8);
}

function attempt<Result>(body: () => Result): Result | undefined {
  try {
    return body();
  } catch {
    return undefined;
  }
}
