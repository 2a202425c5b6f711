/**
 * Which process works on which cell, for any number of processes on any number of machines that share a folder. A claim is a file
 * `claim.0` in the cell's folder, which only one process can create. Its holder changes it every few seconds, by a beat. When another
 * process has seen no change for half a minute, by its own clock, it takes over by creating `claim.1`, which again only one can; and
 * so on. The latest claim counts. A holder that was only asleep sees that there is a later one, and stops.
 */
import { randomUUID } from "node:crypto";
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { isAlive, ownMark, type ProcessMark } from "../../setup/alive.ts";

/** Milliseconds. */
export interface Pace {
  /** Between two beats. */
  beat: number;
  /** Without a beat, after which a claim counts as given up. */
  stale: number;
}

export const PACE: Pace = { beat: 5000, stale: 30_000 };

export interface Claim {
  /** Aborted when another process has taken over. */
  readonly lost: AbortSignal;
  /** Whether it still counts. Asks the disk. */
  held(): boolean;
  /**
   * Whether another process has taken over, for asking after every step, before anything is written: a process that was asleep gets
   * the signal only later. Asks the disk once a beat.
   */
  isLost(): boolean;
  /** Ends it: others may claim the cell at once. If the cell is finished, its claims are removed. */
  release(finished: boolean): Promise<void>;
}

export interface Claims {
  /** Claims a cell by its folder, which must exist. Undefined if another process holds it. */
  take(folder: string): Claim | undefined;
}

/** What a process has seen of others' claims, and its own. */
export function openClaims(pace: Pace = PACE, now = () => performance.now()): Claims {
  const seen = new Map<string, { text: string; since: number }>();

  /**
   * Whether the holder has released it, has died on this machine, or has not changed it for long. Not if it is just gone: the holder has
   * removed it, and another process may have begun again with `claim.0`.
   */
  function isGivenUp(file: string): boolean {
    const text = readIfThere(file);
    if (text === undefined) return false;
    const holder = parseHolder(text);
    if (holder?.released || (holder && isAlive(holder) === false)) return true;
    const before = seen.get(file);
    if (before?.text === text) return now() - before.since >= pace.stale;
    seen.set(file, { text, since: now() });
    return false;
  }

  return {
    take(folder) {
      const latest = latestClaim(folder);
      if (latest >= 0 && !isGivenUp(claimFile(folder, latest))) return undefined;
      const own = latest + 1;
      const token = randomUUID();
      if (!create(claimFile(folder, own), token)) return undefined; // another process was faster
      return hold(folder, own, token, pace);
    },
  };
}

interface Holder extends ProcessMark {
  host: string;
  /** This claim's own: numbers come again when a finished cell is tried anew. */
  token: string;
  beat: number;
  released: boolean;
}

const claimFile = (folder: string, number: number) => join(folder, `claim.${number}`);

const CLAIM = /^claim\.(\d+)$/;

/** Whether a file of this name is a claim. */
export const isClaim = (name: string): boolean => CLAIM.test(name);

/** Number of the claim that counts; -1 if there is none. */
function latestClaim(folder: string): number {
  return Math.max(-1, ...readdirSync(folder).map((name) => Number(CLAIM.exec(name)?.[1] ?? -1)));
}

/** All texts of one holder have the same length, so that each is written over the one before. */
function holderText(token: string, beat: number, released = false): string {
  const holder: Holder = { ...ownMark(), host: hostname(), token, released, beat };
  return `${JSON.stringify(holder).padEnd(400)}\n`;
}

function parseHolder(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return undefined; // it is just being written
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function create(file: string, token: string): boolean {
  try {
    const descriptor = openSync(file, "wx");
    writeSync(descriptor, holderText(token, 0));
    closeSync(descriptor);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Beats from a thread of its own: a long computation must not look like death. Ends when there is a later claim, or its own is gone or
 * another's.
 */
const beating = `
  const { existsSync, openSync, readFileSync, writeSync, closeSync } = require("node:fs");
  const { parentPort, workerData: { file, later, every, text, token } } = require("node:worker_threads");
  let beat = 0;
  const timer = setInterval(() => {
    try {
      if (existsSync(later) || !readFileSync(file, "utf8").includes(token)) throw { code: "ENOENT" };
      const descriptor = openSync(file, "r+");
      writeSync(descriptor, text.replace('"beat":0', '"beat":' + ++beat).slice(0, 400) + "\\n", 0);
      closeSync(descriptor);
    } catch ({ code }) {
      if (code !== "ENOENT") return; // the disk may be back at the next beat
      clearInterval(timer);
      parentPort.postMessage("lost");
    }
  }, every);
`;

function hold(folder: string, number: number, token: string, { beat }: Pace): Claim {
  const [file, later] = [claimFile(folder, number), claimFile(folder, number + 1)];
  const lost = new AbortController();
  const workerData = { file, later, every: beat, text: holderText(token, 0), token };
  const worker = new Worker(beating, { eval: true, workerData, execArgv: [] });
  worker.unref();
  worker.on("message", () => lost.abort());
  worker.on("error", () => lost.abort()); // without a beat, others take over
  const held = () => latestClaim(folder) === number && (readIfThere(file)?.includes(token) ?? false);
  let asked = Date.now(); // unlike performance.now(), it goes on while the machine sleeps
  return {
    lost: lost.signal,
    held,
    isLost() {
      if (!lost.signal.aborted && Date.now() - asked >= beat) {
        asked = Date.now();
        if (!held()) lost.abort();
      }
      return lost.signal.aborted;
    },
    async release(finished) {
      await worker.terminate();
      if (!held()) return;
      if (finished) for (let i = number; i >= 0; i--) rmSync(claimFile(folder, i), { force: true });
      else {
        const descriptor = openSync(file, "r+");
        writeSync(descriptor, holderText(token, 0, true), 0);
        closeSync(descriptor);
      }
    },
  };
}
