/** Which process this is, in words that another one can check: is the process that wrote them still running? */
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** A process as it is written down. */
export interface ProcessMark {
  pid: number;
  /** Of the machine, and of the container where there is one: process ids mean something only inside. */
  place: string;
  /** Of when the process began: another process may get its id later. "0" where the system does not say. */
  birth: string;
}

/** This process. */
export const ownMark = (): ProcessMark => ({ pid: process.pid, place: place(), birth: birthOf(process.pid) ?? "0" });

/**
 * Whether a process still runs; "unknown" for one of another machine or container.
 * A zombie does not run: it is dead, and its parent has not looked yet.
 */
export function isAlive({ pid, place: where, birth }: ProcessMark): boolean | "unknown" {
  if (where !== place()) return "unknown";
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false; // EPERM: it is another user's
  }
  if (isZombie(pid)) return false;
  const now = birthOf(pid);
  return now === undefined || birth === "0" || now === birth;
}

function place(): string {
  const machine = attempt(() => readFileSync("/etc/machine-id", "utf8").trim());
  return digest([hostname(), machine, attempt(() => readlinkSync("/proc/self/ns/pid"))]);
}

/** The machine's start and the ticks since; undefined where there is no /proc. */
function birthOf(pid: number): string | undefined {
  const ticks = statusOf(pid)?.[19];
  return ticks && digest([attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()), ticks]);
}

const isZombie = (pid: number): boolean => ["Z", "X"].includes(statusOf(pid)?.[0] ?? "");

/** Fields of /proc/PID/stat from the third on, the state: the second, a name in brackets, may hold anything. */
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
