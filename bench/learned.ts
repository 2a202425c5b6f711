/**
 * What a training budget teaches: `npx tsx bench/learned.ts runs/learned`. Trains every task on every set for so many minutes by several recipes,
 * and measures each against the same network untrained.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import type { Evaluation } from "../src/evaluate/evaluate.ts";
import { run } from "../src/setup/process.ts";
import { type LearnedSet, learnedSet, setNames } from "./learned/sets.ts";

interface Cell {
  set: string;
  task: string;
  recipe: string;
  minutes: number;
  seed: number;
}

interface Flags {
  on: "validation" | "test";
  sets: string[];
  tasks: string[];
  recipes: string[];
  minutes: number[];
  seeds: number[];
  jobs: number;
  program: string;
}

const words = (recipe: string) => recipe.split("+").filter((word) => !["before", "quick", ""].includes(word));

/** A recipe is a list of flags and task options, joined by +. */
async function measureCell(folder: string, cell: Cell, flags: Flags): Promise<void> {
  const { images, options }: LearnedSet = await learnedSet(cell.set, join(folder, "sets"));
  const out = join(folder, "runs", cell.set, cell.task, `${cell.recipe}@${cell.minutes}m-${cell.seed}`);
  if (existsSync(join(out, "evals", flags.on, "result.json"))) return;
  const started = performance.now();
  if (!existsSync(join(out, "encoder.safetensors"))) {
    rmSync(out, { recursive: true, force: true });
    const given = Object.entries(options).flatMap(([name, value]) => [
      `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
      String(value),
    ]);
    const own = words(cell.recipe).flatMap((word) => {
      const [name = "", value = ""] = word.split("=");
      return name.startsWith("-") ? [name, value] : [word];
    });
    await program(flags, [
      ...["pretrain", images, "--task", cell.task, ...own, ...given, "--minutes", String(2 * cell.minutes)],
      ...["--threads", "1", "--seed", String(cell.seed), "--out", out, "--save-minutes", "100"],
    ]);
  }
  await program(flags.program.includes("before") ? { program: here } : flags, [
    ...["evaluate", out, images, "--train-split", "train", "--test-split", flags.on, "--protocol", "linear"],
    ...["--labels-per-class", "25", "--threads", "1", "--name", flags.on],
  ]);
  say(`${describe(out, flags.on)} (${Math.round((performance.now() - started) / 1000)} s)`);
}

const here = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

async function program({ program: path }: Pick<Flags, "program">, args: string[]): Promise<void> {
  const { code, output } = await run(process.execPath, [path, ...args], { timeoutSeconds: 7200 });
  if (code !== 0) throw new Error(`${args.join(" ")}\n${output.slice(-1500)}`);
}

function describe(out: string, on: string): string {
  const { differences, rows } = JSON.parse(readFileSync(join(out, "evals", on, "result.json"), "utf8")) as Evaluation;
  const found = differences.find(({ baselineKind }) => baselineKind === "untrained");
  if (!found) return `${out}: no difference`;
  const points = (value: number) => (100 * value).toFixed(1);
  const layers = rows.filter(({ kind }) => kind === "pre-trained").map(({ value }) => points(value));
  const raw = rows.filter(({ kind }) => kind === "untrained").map(({ value }) => points(value));
  return `${out.split("/").slice(-3).join(" ")}: ${points(found.difference)} [${points(found.low)}, ${points(found.high)}] at ${found.layer}; ${layers.join(" ")} | ${raw.join(" ")}`;
}

const say = (line: string) => process.stdout.write(`${new Date().toTimeString().slice(0, 8)} ${line}\n`);

const list = (text: string) => text.split(",");
const numbers = (text: string) => list(text).map(Number);
await new Command("learned")
  .argument("<folder>", "where the runs are kept")
  .option("--on <part>", "part to measure on", "validation")
  .option("--sets <names>", "sets", list, setNames)
  .option("--tasks <names>", "tasks", list, ["rotation"])
  .option("--recipes <names>", "recipes", list, ["before"])
  .option("--minutes <numbers>", "of two cores", numbers, [1])
  .option("--seeds <numbers>", "seeds", numbers, [0])
  .option("--jobs <number>", "runs side by side, of one thread each", Number, 2)
  .option("--program <path>", "the program that trains", here)
  .action(async (folder: string, flags: Flags) => {
    mkdirSync(folder, { recursive: true });
    const cells = flags.minutes.flatMap((minutes) =>
      flags.seeds.flatMap((seed) =>
        flags.recipes.flatMap((recipe) =>
          flags.tasks.flatMap((task) => flags.sets.map((set): Cell => ({ set, task, recipe, minutes, seed }))),
        ),
      ),
    );
    let next = 0;
    const worker = async () => {
      while (next < cells.length) {
        const cell = cells[next++] as Cell;
        await measureCell(folder, cell, flags).catch((error: Error) =>
          say(`FAILED ${JSON.stringify(cell)} ${error.message}`),
        );
      }
    };
    await Promise.all(Array.from({ length: flags.jobs }, worker));
  })
  .parseAsync();
