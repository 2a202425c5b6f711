/**
 * What a few minutes teach: `npx tsx bench/learned.ts runs/learned`. Trains tasks on sets by recipes, each run for so many minutes, and
 * measures each against the same network untrained (linear probe, 25 labels a class). What is measured already (measured.json) is not
 * measured again, so it can be stopped at any time. At the end it prints the tables of docs/RESULTS.md.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { SelfsightError, unknownName } from "../src/errors.ts";
import type { Evaluation } from "../src/evaluate/evaluate.ts";
import { runFiles } from "../src/run/folder.ts";
import { lastLines, run } from "../src/setup/process.ts";
import { flag } from "../src/setup/terminal.ts";
import { type Cell, keepMeasured, keyOf, readMeasured, recipes } from "./learned/cells.ts";
import { learnedSet, setNames } from "./learned/sets.ts";
import { candidates, gains, leaveOneOut } from "./learned/tables.ts";

const here = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const LABELS = 25;

interface Flags {
  on: "validation" | "test";
  sets: string[];
  tasks: string[];
  recipes: string[];
  minutes: number[];
  seeds: number[];
  jobs: number;
  program: string;
  tables: boolean;
}

async function measureCell(folder: string, cell: Cell, program: string): Promise<void> {
  const { images, options } = await learnedSet(cell.set, join(folder, "sets"));
  const { set, task, recipe, minutes, seed, on } = cell;
  const out = join(folder, "runs", set, task, `${recipe.replaceAll(/[^\w.]+/g, "-")}-${minutes}m-${seed}`);
  if (!existsSync(runFiles(out).encoder)) {
    rmSync(out, { recursive: true, force: true });
    await call(program, [
      ...["pretrain", images, "--task", task, ...(recipes[recipe] as string[]), ...asFlags(options)],
      ...["--minutes", String(2 * minutes), "--threads", "1", "--seed", String(seed), "--out", out],
    ]);
  }
  const file = join(runFiles(out).evaluations, on, "result.json");
  if (!existsSync(file)) {
    const parts = ["--train-split", "train", "--test-split", on];
    const how = ["--protocol", "linear", "--labels-per-class", String(LABELS), "--threads", "1", "--name", on];
    await call(here, ["evaluate", out, images, ...parts, ...how]);
  }
  const { differences } = JSON.parse(readFileSync(file, "utf8")) as Evaluation;
  const found = differences.find(({ baselineKind }) => baselineKind === "untrained");
  if (!found) throw new SelfsightError(`${file} has no comparison with the untrained network.`);
  const { difference, low, high, layer, baselineLayer, value } = found;
  const limit = process.env["ONEDNN_MAX_CPU_ISA"];
  const processor = `${cpus()[0]?.model ?? process.arch}${limit ? `, limited to ${limit}` : ""}`;
  keepMeasured({ ...cell, difference, low, high, layer, baselineLayer, value, processor });
  const [d, l, h] = [difference, low, high].map((part) => (100 * part).toFixed(1));
  say(`${keyOf(cell)}: ${d} [${l}, ${h}] at ${layer}`);
}

const asFlags = (options: object) => Object.entries(options).flatMap(([name, value]) => [flag(name), String(value)]);

async function call(program: string, args: string[]): Promise<void> {
  const { code, output } = await run(process.execPath, [program, ...args], { timeoutSeconds: 7200 });
  if (code !== 0) throw new SelfsightError(`${args.join(" ")} ended with ${code}:\n${lastLines(output, 6)}`);
}

async function measureAll(folder: string, flags: Flags): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const recipe of flags.recipes) {
    if (!Object.hasOwn(recipes, recipe)) throw unknownName("recipe", recipe, Object.keys(recipes));
  }
  const done = new Set(readMeasured().map(keyOf));
  const { on } = flags;
  const cells = flags.minutes
    .flatMap((minutes) => flags.seeds.map((seed) => ({ minutes, seed })))
    .flatMap((one) => flags.tasks.map((task) => ({ ...one, task })))
    .flatMap((one) => flags.recipes.map((recipe) => ({ ...one, recipe })))
    .flatMap((one) => flags.sets.map((set): Cell => ({ ...one, set, on })))
    .filter((cell) => !done.has(keyOf(cell)));
  for (const set of flags.sets) await learnedSet(set, join(folder, "sets"));
  say(`${cells.length} cells`);
  const worker = async () => {
    for (let cell = cells.shift(); cell; cell = cells.shift()) {
      await measureCell(folder, cell, flags.program).catch((error: Error) => {
        say(error.message);
        process.exitCode = 1;
      });
    }
  };
  await Promise.all(Array.from({ length: flags.jobs }, worker));
}

const say = (line: string) => process.stderr.write(`${new Date().toTimeString().slice(0, 8)} ${line}\n`);

const list = (text: string) => text.split(";").flatMap((part) => part.split(/,(?! )/));
const numbers = (text: string) => list(text).map(Number);
await new Command("learned")
  .argument("[folder]", "where the runs are kept", "runs/learned")
  .option("--on <part>", "part to measure on: validation, to choose by, or test", "test")
  .option("--sets <names>", "sets", list, setNames)
  .option("--tasks <names>", "tasks", list, ["rotation", "jigsaw", "relative-patch", "exemplar", "colorization"])
  .option("--recipes <names>", `recipes: ${Object.keys(recipes).join("; ")}`, list, ["quick"])
  .option("--minutes <numbers>", "of two cores", numbers, [1, 3, 10])
  .option("--seeds <numbers>", "seeds", numbers, [0])
  .option("--jobs <number>", "runs side by side, of one thread each", Number, 2)
  .option("--program <path>", "main.js of the version that trains; this one evaluates", here)
  .option("--tables", "only print the tables: measure nothing", false)
  .action(async (folder: string, flags: Flags) => {
    if (!flags.tables) await measureAll(folder, flags);
    const rows = readMeasured();
    process.stdout.write(
      `${gains(rows, ["before", "quick"])}\n\n${candidates(rows, "rotation")}\n\n${leaveOneOut(rows, "rotation", "paper")}\n`,
    );
  })
  .parseAsync();
