/**
 * Passes damaged image files to `decodeImage` in a separate process, one after another, and watches it: no crash, no decode
 * over five seconds, nothing on stderr, no growing memory, and only errors of one line that say what is wrong.
 *
 *   npx tsx bench/fuzz-decode.ts --count 20000 --seed 0
 *   npx tsx bench/fuzz-decode.ts --seed 0 --from 1234 --count 1 --save folder    (repeats one file, and saves it)
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { deserialize, serialize } from "node:v8";
import Table from "cli-table3";
import { decodeImage } from "../src/data/decode.ts";
import { peakMemory } from "../src/setup/memory.ts";
import { checkDecode, type Outcome } from "./fuzz-check.ts";
import { fuzzFile, type Sample, wholeFiles } from "./fuzz-files.ts";

const { values: flags } = parseArgs({
  options: {
    count: { type: "string", default: "20000" },
    seed: { type: "string", default: "0" },
    from: { type: "string", default: "0" },
    save: { type: "string" },
    /** Internal, for the child process: the file that holds the undamaged images. */
    worker: { type: "string" },
  },
});
const [count, seed, from] = [Number(flags.count), Number(flags.seed), Number(flags.from)];

/** Longest allowed decode, in milliseconds. */
const SLOW = 5000;
/** After this long without an answer, in milliseconds, the process counts as hung. */
const HANGS = 60_000;
/** Memory may grow by this much from the second quarter of the files to the last, in bytes. */
const GROWTH = 50 * 2 ** 20;
/** Most memory that the process may ever hold, in bytes. */
const MOST = 2 ** 31;

/** In each thread, glibc keeps large blocks that were freed. These settings return them, so that any growth is a leak. */
const GIVING_BACK = { MALLOC_MMAP_THRESHOLD_: "131072", MALLOC_TRIM_THRESHOLD_: "131072" };

/** What the process writes for each file: a line with `kind` before decoding, and one with the outcome after it. */
interface Line {
  i: number;
  kind: string;
  ms?: number;
  decoded?: boolean;
  fault?: string;
  /** Resident memory after the decode, and its maximum so far, in bytes. */
  rss?: number;
  most?: number;
}

async function work(whole: string): Promise<void> {
  const stored = deserialize(readFileSync(whole)) as { kind: string; bytes: Uint8Array }[];
  const files = stored.map(({ kind, bytes }): Sample => ({ kind, bytes: Buffer.from(bytes) }));
  const say = (line: Line) => writeSync(1, `${JSON.stringify(line)}\n`);
  for (let i = from; i < from + count; i++) {
    const { kind, bytes } = fuzzFile(files, seed, i);
    if (flags.save) {
      mkdirSync(flags.save, { recursive: true });
      writeFileSync(join(flags.save, `${seed}-${i}.bin`), bytes);
    }
    say({ i, kind });
    let [outcome, ms] = await timed(bytes, i);
    // Other work on the machine may have slowed it down: only a file that is slow twice counts as slow.
    if (ms > SLOW) [outcome, ms] = await timed(bytes, i);
    // Output of a library's thread must arrive before the next file is named.
    if (i % 16 === 0) await sleep(1);
    say({ i, kind, ms, ...outcome, rss: process.memoryUsage.rss(), most: peakMemory() });
  }
}

async function timed(bytes: Buffer, i: number): Promise<[Outcome, number]> {
  const start = performance.now();
  const outcome = await checkDecode(decodeImage, bytes, 16 + (i % 3) * 24);
  return [outcome, performance.now() - start];
}

interface Kind {
  tried: number;
  decoded: number;
  slowest: number;
}

async function watch(whole: string): Promise<void> {
  const kinds = new Map<string, Kind>();
  const violations: string[] = [];
  const report = (violation: string) => {
    violations.push(violation);
    process.stderr.write(`number ${violation}\n`);
  };
  const memory: { i: number; rss: number; most: number }[] = [];
  let next = from;
  while (next < from + count) {
    let [at, done] = [next, next - 1];
    const child = start(whole, next);
    const clock = setInterval(() => performance.now() - heard > HANGS && child.kill("SIGKILL"), 1000);
    let heard = performance.now();
    child.stderr?.on("data", (text: Buffer) => report(`${at}: on stderr: ${text.toString().trim()}`));
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    const closed = new Promise<string>((resolve) => child.on("close", (code, signal) => resolve(signal ?? `${code}`)));
    for await (const text of lines) {
      heard = performance.now();
      const line = JSON.parse(text) as Line;
      at = line.i;
      if (line.ms === undefined) continue;
      done = at;
      const kind = kinds.get(line.kind) ?? { tried: 0, decoded: 0, slowest: 0 };
      kinds.set(line.kind, kind);
      kind.tried++;
      if (line.decoded) kind.decoded++;
      kind.slowest = Math.max(kind.slowest, line.ms);
      if (line.fault) report(`${at} (${line.kind}): ${line.fault}`);
      if (line.ms > SLOW) report(`${at} (${line.kind}): took ${(line.ms / 1000).toFixed(1)} s`);
      const { rss = 0, most = 0 } = line;
      if (most > MOST && (memory.at(-1)?.most ?? 0) <= MOST) report(`${at}: ${mebibytes(most)} at once`);
      memory.push({ i: at, rss, most });
      if ((at + 1) % 1000 === 0) process.stderr.write(`${at + 1}: ${mebibytes(rss)}, at most ${mebibytes(most)}\n`);
    }
    const end = await closed;
    clearInterval(clock);
    if (end !== "0" || done < from + count - 1) report(`${at}: the process ended with ${end}`);
    next = Math.max(done, at) + 1;
  }
  process.stdout.write(`${tableOf(kinds)}\n${memoryReport(memory, violations)}\n`);
  for (const violation of violations) process.stdout.write(`seed ${seed}, number ${violation}\n`);
  process.stdout.write(`${violations.length} violations\n`);
  process.exitCode = violations.length ? 1 : 0;
}

function start(whole: string, at: number): ChildProcess {
  const args = ["--seed", flags.seed, "--from", String(at), "--count", String(from + count - at), "--worker", whole];
  if (flags.save) args.push("--save", flags.save);
  return spawn(process.execPath, ["--import", "tsx", fileURLToPath(import.meta.url), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...GIVING_BACK, ...process.env },
  });
}

const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

function tableOf(kinds: ReadonlyMap<string, Kind>): string {
  const table = new Table({
    head: ["format", "tried", "decoded", "refused", "slowest ms"],
    style: { head: [], border: [] },
  });
  for (const [name, { tried, decoded, slowest }] of [...kinds].sort())
    table.push([name, tried, decoded, tried - decoded, Math.round(slowest)]);
  return table.toString();
}

/** Median resident memory over the second and the last quarter of the files. Growth is a violation. */
function memoryReport(memory: readonly { rss: number; most: number }[], violations: string[]): string {
  const quarter = Math.floor(memory.length / 4);
  const median = (part: readonly { rss: number }[]) =>
    part.map(({ rss }) => rss).sort((a, b) => a - b)[part.length >> 1] ?? 0;
  const [early, late] = [median(memory.slice(quarter, 2 * quarter)), median(memory.slice(-quarter))];
  if (quarter > 500 && late - early > GROWTH) violations.push(`all: memory grew by ${mebibytes(late - early)}`);
  const most = Math.max(...memory.map(({ most }) => most));
  return `resident: ${mebibytes(early)} in the second quarter, ${mebibytes(late)} in the last; at most ${mebibytes(most)}`;
}

if (flags.worker) await work(flags.worker);
else {
  const folder = mkdtempSync(join(tmpdir(), "fuzz-decode-"));
  try {
    const whole = join(folder, "whole");
    writeFileSync(whole, serialize(await wholeFiles()));
    await watch(whole);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
