/**
 * Does a study take half the time with two processes, and lose nothing? `npx tsx bench/study-processes.ts` trains and measures a small
 * study of emoji three times: by one process, by two, and by two of which one is killed (SIGKILL) in the middle. Each process has one
 * thread. Compares what was found, and counts how often each cell was trained.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { cellFiles, studyFiles } from "../src/study/grid/folder.ts";

const program = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const LOG = /^events\.out\.tfevents/; // one for each process that has trained

const yaml = (epochs: number) => `images: emoji
tasks: [rotation, exemplar]
model: resnet10
width: 0.25
imageSize: 64
epochs: ${epochs}
seeds: [0, 1]
labelsPerClass: 10
threads: 1
deterministic: true
`;

const start = (file: string, out: string): ChildProcess =>
  spawn(process.execPath, [program, "study", file, "--out", out], { stdio: "ignore" });

const ended = (child: ChildProcess): Promise<number | null> =>
  child.exitCode === null && child.signalCode === null
    ? new Promise((resolve) => child.on("exit", resolve))
    : Promise.resolve(child.exitCode);

/** Seconds until all have ended. @throws if one of them fails */
async function timed(children: readonly ChildProcess[]): Promise<number> {
  const began = performance.now();
  for (const code of await Promise.all(children.map(ended))) if (code !== 0) throw new Error(`ended with ${code}`);
  return (performance.now() - began) / 1000;
}

/** What was found, without times and without what names the folder. */
const found = (out: string) =>
  JSON.stringify(JSON.parse(readFileSync(studyFiles(out).study, "utf8")), (key, value) =>
    key === "seconds" || key === "out" ? undefined : value,
  ).replaceAll(out, "OUT");

const cellsOf = (out: string) => (existsSync(studyFiles(out).cells) ? readdirSync(studyFiles(out).cells) : []);

/** How often each cell was trained, or begun to be. */
const trainings = (out: string) =>
  cellsOf(out).map((name) => {
    const { run } = cellFiles(out, name);
    return existsSync(run) ? readdirSync(run).filter((file) => LOG.test(file)).length : 0;
  });

/** The cell that a process trains now, by the lock that bears its number. */
const cellOf = (out: string, pid: number | undefined) =>
  cellsOf(out).find((name) => {
    const { run } = cellFiles(out, name);
    return existsSync(run) && readdirSync(run).some((file) => file.startsWith(`lock.${pid}-`));
  });

/** Whether cells other than this one, of those that were begun, have no result yet. */
const othersOpen = (out: string, cell: string) =>
  cellsOf(out).some((name) => name !== cell && !existsSync(cellFiles(out, name).result));

/**
 * Kills one of two processes while it trains, and waits until the other trains its cell. Ends with the study.
 * @returns seconds since the kill, and since the other had nothing of its own to do
 */
async function killOne(file: string, out: string, after: number): Promise<{ killed: number; free: number }> {
  const [first, second] = [start(file, out), start(file, out)];
  await sleep(after * 1000);
  let cell = cellOf(out, first.pid);
  for (; cell === undefined; cell = cellOf(out, first.pid)) await sleep(50);
  await sleep(2000); // well into it
  const { result } = cellFiles(out, cell);
  first.kill("SIGKILL");
  const killedAt = performance.now();
  let freeAt = killedAt;
  while (!existsSync(result) && cellOf(out, second.pid) !== cell) {
    if (othersOpen(out, cell)) freeAt = performance.now();
    await sleep(50);
  }
  const [killed, free] = [killedAt, freeAt].map((since) => (performance.now() - since) / 1000) as [number, number];
  process.stdout.write(`killed while it trained ${cell}; `);
  await timed([second]);
  return { killed, free };
}

await new Command("study-processes")
  .option("--epochs <number>", "of each training", Number, 6)
  .action(async ({ epochs }: { epochs: number }) => {
    const folder = mkdtempSync(join(tmpdir(), "study-processes-"));
    const say = (text: string) => process.stdout.write(`${text}\n`);
    try {
      const file = join(folder, "study.yaml");
      writeFileSync(file, yaml(epochs));
      const [one, two, killed] = ["one", "two", "killed"].map((name) => join(folder, name)) as [string, string, string];
      const alone = await timed([start(file, one)]);
      say(
        `one process: ${alone.toFixed(0)} s, ${cellsOf(one).length} cells, trained ${trainings(one).join(" ")} times`,
      );
      const both = await timed([start(file, two), start(file, two)]);
      const same = (out: string) => (found(out) === found(one) ? "the same was found" : "DIFFERENT");
      say(
        `two: ${both.toFixed(0)} s, ${(both / alone).toFixed(2)} of it; trained ${trainings(two).join(" ")} times; ${same(two)}`,
      );
      const wait = await killOne(file, killed, both / 3);
      say(
        `taken over ${wait.killed.toFixed(0)} s after that, ${wait.free.toFixed(0)} s after the other had ended its own; ` +
          `trained ${trainings(killed).join(" ")} times; ${same(killed)}`,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  })
  .parseAsync();
