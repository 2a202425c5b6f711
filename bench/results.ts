/**
 * Compares the pretext tasks: `npx tsx bench/results.ts FOLDER [--sets clothing,cifar10] [--minutes 5]`.
 *
 * Trains every task for the same time on the same photos, evaluates each layer against the same network untrained, and prints
 * one table per data set. A task whose interval touches zero is trained with two more seeds, and the three runs are compared
 * together. Runs stay in FOLDER: when started again, it resumes there.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Command } from "commander";
import { type Evaluation, evaluate } from "../src/evaluate/evaluate.ts";
import type { Difference, ResultRow } from "../src/evaluate/result.ts";
import { parseOptions } from "../src/options.ts";
import { readConfig, runFiles } from "../src/run/folder.ts";
import { type PretrainOptions, pretrainOptions } from "../src/run/options.ts";
import { resolveConfig } from "../src/run/resolve.ts";
import { tasks } from "../src/tasks/index.ts";
import { pretrain } from "../src/train/pretrain.ts";

type Settings = Omit<PretrainOptions, "images">;

/** Every task with its default options, in the form of its paper. */
const entries: Record<string, Settings> = Object.fromEntries(
  Object.keys(tasks).map((task) => [task, { task, preset: "paper" }]),
);

const sets: Record<string, Settings> = {
  clothing: { imageSize: 64 },
  cifar10: { imageSize: 32, stem: "cifar" },
};
const MORE_SEEDS = [1, 2];
const LABELS = 25;

interface Measured {
  name: string;
  /** The stem, if the untrained network gets a row in the table; else empty. */
  stem: string;
  rows: ResultRow[];
  difference: Difference;
}

type Found = Pick<Evaluation, "rows" | "differences">;

/** Minutes of training and number of threads, the same for all runs. */
interface Effort {
  folder: string;
  minutes: number;
  threads?: number | undefined;
}

/** The linear probe of every layer of some runs. The result is kept in the first run's folder. */
async function evaluated(runs: string[], images: string, name: string, { threads }: Effort): Promise<Found> {
  const file = join(runFiles(runs[0] as string).evaluations, name, "result.json");
  if (existsSync(file)) {
    const found = JSON.parse(readFileSync(file, "utf8")) as Found & { options: { runs: string[] } };
    const newer = (run: string) => statSync(runFiles(run).encoder).mtimeMs > statSync(file).mtimeMs;
    if (String(found.options.runs) === String(runs) && !runs.some(newer)) return found;
    rmSync(file); // of other or older runs
  }
  const options = { runs, images, name, protocol: ["linear"], labelsPerClass: [LABELS], draws: 5, threads };
  return evaluate(options, { onEvent: (event) => event.type === "working" && say(`${images}: ${event.what}`) });
}

/** Trains a task on a data set, unless that was done before with the same settings. Returns the run's folder. */
async function trained(set: string, name: string, seed: number, { folder, minutes, threads }: Effort): Promise<string> {
  const out = join(folder, set, `${name}-${seed}`);
  const options = {
    minutes,
    threads,
    seed,
    model: "resnet10",
    width: 0.5,
    ...entries[name],
    ...sets[set],
    images: set,
    out,
  };
  const wanted: unknown = JSON.parse(JSON.stringify(resolveConfig(parseOptions(pretrainOptions, options))));
  if (existsSync(runFiles(out).encoder) && isDeepStrictEqual(readConfig(out), wanted)) return out;
  rmSync(out, { recursive: true, force: true });
  say(`${set}: training ${name}, seed ${seed}`);
  await pretrain(options);
  return out;
}

const isUntrained = ({ baselineKind }: Difference) => baselineKind === "untrained";

/** A row for a run: its results, and the difference to the untrained network. */
function lineOf(label: string, stem: string, run: string, { rows, differences }: Found): Measured {
  const difference = differences.find((one) => isUntrained(one) && one.encoder === basename(run)) as Difference;
  return { name: label, stem, rows, difference };
}

/** A row for all seeds of a task together: the mean of each layer, and one interval. */
function togetherOf(label: string, runs: readonly string[], { rows, differences }: Found): Measured {
  const difference = differences.findLast(isUntrained) as Difference;
  const own = rows.filter(({ encoder }) => runs.map((run) => basename(run)).includes(encoder));
  const layers = [...new Set(own.map(({ layer }) => layer))].map((layer) => {
    const same = own.filter((row) => row.layer === layer) as [ResultRow, ...ResultRow[]];
    const value = same.reduce((sum, row) => sum + row.value, 0) / same.length;
    return { ...same[0], encoder: difference.encoder, value };
  });
  return { name: label, stem: "", rows: layers, difference };
}

/** Measures every task once, and those whose interval touches zero with more seeds. */
async function measureSet(set: string, chosen: readonly string[], effort: Effort): Promise<Measured[]> {
  const runs: string[] = [];
  for (const name of chosen) runs.push(await trained(set, name, 0, effort));
  const found = await evaluated(runs, set, "results", effort);
  const all: Measured[] = [];
  for (const [i, name] of chosen.entries()) {
    const { stem = "" } = readConfig(runs[i] as string);
    const first = lineOf(name, stem, runs[i] as string, found);
    all.push(first);
    if (first.difference.low > 0) continue;
    const seeds = [runs[i] as string];
    for (const seed of MORE_SEEDS) seeds.push(await trained(set, name, seed, effort));
    const more = await evaluated(seeds, set, "seeds", effort);
    all.push(...MORE_SEEDS.map((seed, j) => lineOf(`${name}, seed ${seed}`, "", seeds[j + 1] as string, more)));
    all.push(togetherOf(`${name}, ${seeds.length} seeds together`, seeds, more));
  }
  return all;
}

/** A table with one row per run of its layers' accuracies, then rows for the untrained networks and the pixels. */
function markdown(set: string, measured: readonly Measured[]): string {
  const layersOf = (rows: readonly ResultRow[], encoder: string) => rows.filter((row) => row.encoder === encoder);
  const first = measured[0] as Measured;
  const layers = layersOf(first.rows, first.difference.encoder).map(({ layer }) => layer);
  const cells = (rows: readonly ResultRow[], best?: string) =>
    layers.map((layer) => {
      const row = rows.find((one) => one.layer === layer);
      const text = row ? (100 * row.value).toFixed(1) : "";
      return layer === best ? `**${text}**` : text;
    });
  const lines = [
    ["", ...layers, "against untrained"],
    layers.concat("", "").map(() => "---"),
    ...measured.map(({ name, rows, difference }) => [
      name,
      ...cells(layersOf(rows, difference.encoder), difference.layer),
      points(difference),
    ]),
  ];
  const stems = new Map(measured.filter(({ stem }) => stem).map((one) => [one.stem, one]));
  for (const [stem, { rows, difference }] of stems) {
    const untrained = cells(layersOf(rows, difference.baseline), difference.baselineLayer);
    lines.push([`untrained, stem ${stem}`, ...untrained, ""]);
  }
  const pixels = first.rows.find(({ kind }) => kind === "pixels");
  lines.push([`${pixels?.encoder}: ${(100 * (pixels?.value ?? Number.NaN)).toFixed(1)}`, ...layers.map(() => ""), ""]);
  return `## ${set}\n\n${lines.map((line) => `| ${line.join(" | ")} |`).join("\n")}\n`;
}

const points = ({ difference, low, high }: Difference) => {
  const [d, l, h] = [difference, low, high].map((value) => (100 * value).toFixed(1));
  return `${difference >= 0 ? "+" : ""}${d} [${l}, ${h}]`;
};

const say = (line: string) => process.stderr.write(`${new Date().toTimeString().slice(0, 8)} ${line}\n`);

const list = (text: string) => text.split(",");
await new Command("results")
  .argument("<folder>", "where the runs are kept")
  .option("--sets <names>", "sets of images", list, Object.keys(sets))
  .option("--tasks <names>", "tasks", list, Object.keys(entries))
  .option("--minutes <number>", "of training, each", Number, 5)
  .option("--threads <number>", "CPU threads; default: all cores", Number)
  .action(async (folder: string, flags: Omit<Effort, "folder"> & { sets: string[]; tasks: string[] }) => {
    mkdirSync(folder, { recursive: true });
    for (const set of flags.sets) {
      const measured = await measureSet(set, flags.tasks, { folder, ...flags });
      process.stdout.write(`${markdown(set, measured)}\n`);
    }
  })
  .parseAsync();
