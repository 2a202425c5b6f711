/**
 * A lock between processes. To take it, a process makes a sign, an empty file whose name identifies the process, and then looks
 * for other signs: of two that come at once, at least one sees the other and backs off. Signs of dead processes are removed.
 */
import { randomBytes } from "node:crypto";
import { closeSync, openSync, readdirSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onDisk } from "../errors.ts";
import { isAlive, ownMark, type ProcessMark } from "./alive.ts";
import { makeFolder } from "./folders.ts";
import { cacheDir } from "./paths.ts";

/** The holder of a lock. */
export interface Holder extends ProcessMark {
  host: string;
  /** Path of its sign: removing it releases the lock. */
  sign: string;
  /** Undefined if that cannot be known from here: on another machine, or in a container. */
  alive: true | undefined;
}

const pollMs = 300;
/** After backing off, a process tries again after a random time of at most this. */
const stepBackMs = 40;

/** Signs of this process. They are removed when it exits, unless it is killed. */
const ownSigns = new Set<string>();

/** Lets Ctrl-C and `docker stop` end this process as an exit, which removes its signs: in another container, nobody could tell that it is gone. */
export function exitOnSignals(): void {
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
}

/** Runs `work` while holding the lock. If another process holds it, calls `waiting` once with that holder, and waits. */
export async function withLock<T>(file: string, waiting: (why: string) => void, work: () => Promise<T>): Promise<T> {
  const hint = file.startsWith(cacheDir()) ? " (SELFSIGHT_CACHE names another folder for the cache)" : "";
  onDisk(`${dirname(file)} cannot be made${hint}`, () => makeFolder(dirname(file)));
  for (let first = true; ; first = false) {
    const release = await takeLock(file);
    if (typeof release !== "function") {
      if (first) waiting(holderNote(release));
      await sleep(pollMs);
      continue;
    }
    try {
      return await work();
    } finally {
      release();
    }
  }
}

/**
 * Takes the lock and returns a function that releases it, or returns its holder. The folder of `file` must exist; the
 * signs are beside `file` and begin with its name.
 */
export async function takeLock(file: string): Promise<(() => void) | Holder> {
  for (;;) {
    const holder = lockHolder(file);
    if (holder) return holder;
    const sign = putUpSign(file);
    if (!lockHolder(file, sign)) return () => takeDown(sign);
    takeDown(sign);
    await sleep(Math.random() * stepBackMs);
  }
}

/** The holder of the lock, if any. Ignores the sign `except`. */
export function lockHolder(file: string, except?: string): Holder | undefined {
  for (const name of namesIn(dirname(file))) {
    if (!isSign(file, name)) continue;
    const sign = join(dirname(file), name);
    if (sign === except) continue;
    const [pid = "", place = "", birth = "", , ...host] = name.slice(basename(file).length + 1).split("-");
    const mark = { pid: Number(pid), place, birth };
    const alive = isAlive(mark);
    if (alive) return { ...mark, host: host.join("-"), sign, alive: alive === true || undefined };
    takeDown(sign);
  }
  return undefined;
}

/** Describes the holder for a waiting user: "process 12", or the file to delete if that process is long gone. */
function holderNote({ pid, host, sign, alive }: Holder): string {
  if (alive) return `process ${pid}`;
  return `process ${pid} of the machine or container "${host}"; if that one is no longer running, delete ${sign}`;
}

/** Whether a file name is a sign of this lock. */
export function isSign(file: string, name: string): boolean {
  const start = `${basename(file)}.`;
  return name.startsWith(start) && /^\d+-[\da-f]{8}-[\da-f]{1,8}-[\da-f]{8}-/.test(name.slice(start.length));
}

function putUpSign(file: string): string {
  const { pid, place, birth } = ownMark();
  const host = hostname().replace(/[^\w.-]/g, "_");
  const sign = `${file}.${[pid, place, birth, randomBytes(4).toString("hex"), host].join("-")}`;
  closeSync(openSync(sign, "wx"));
  if (!ownSigns.size) process.on("exit", takeDownAll);
  ownSigns.add(sign);
  return sign;
}

function takeDown(sign: string): void {
  try {
    rmSync(sign, { force: true });
  } catch {
    // the disk has become read-only: the sign counts as dead once this process has ended
  }
  if (ownSigns.delete(sign) && !ownSigns.size) process.off("exit", takeDownAll);
}

function takeDownAll(): void {
  for (const sign of ownSigns) rmSync(sign, { force: true });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
