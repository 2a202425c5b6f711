/**
 * What each pretext task is worth: `npx tsx bench/results.ts FOLDER [--sets clothing,cifar10] [--minutes 5]`.
 *
 * Trains every task for the same minutes on the same photos, measures each layer of what it learned beside the same network
 * untrained, and prints one table a set. A task whose interval touches zero is trained with two more seeds, and the three are
 * compared together. Runs stay in FOLDER: started again, it goes on where it was.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { Command } from "commander";
import { type Evaluation, evaluate } from "../src/evaluate/evaluate.ts";
import type { Difference, ResultRow } from "../src/evaluate/result.ts";
import { PIXELS } from "../src/evaluate/subjects.ts";
import { tasks } from "../src/tasks/index.ts";
import type { PretrainOptions } from "../src/train/options.ts";
import { pretrain } from "../src/train/pretrain.ts";

type Settings = Omit<PretrainOptions, "images">;

/** Every task as it is, and colorization in both of its forms. */
const entries: Record<string, Settings> = {
  ...Object.fromEntries(Object.keys(tasks).map((task) => [task, { task }])),
  supervised: { task: "supervised", split: "train" },
  "colorization-regression": { task: "colorization", taskOptions: { loss: "regression" } },
};

/** Patches of photos are small: their networks halve them less often. Images of 32 pixels are halved late in any case. */
const sets: Record<string, (task?: string) => Settings> = {
  clothing: (task) => ({
    imageSize: 64,
    stem: ["relative-patch", "jigsaw"].includes(task ?? "") ? "patch" : "imagenet",
  }),
  cifar10: () => ({ imageSize: 32, stem: "cifar" }),
};
const MORE_SEEDS = [1, 2];
const LABELS = 25;

interface Measured {
  name: string;
  settings: Settings;
  rows: ResultRow[];
  difference: Difference;
}

type Found = Pick<Evaluation, "rows" | "differences">;

/** The linear probe of every layer of some runs, kept in the first one's folder. */
async function evaluated(runs: string[], images: string, name: string): Promise<Found> {
  const file = join(runs[0] as string, "evals", name, "result.json");
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as Found;
  return evaluate({ runs, images, name, protocol: ["linear"], labelsPerClass: [LABELS], draws: 5 });
}

const isUntrained = ({ baseline }: Difference) => baseline.includes(", untrained");

async function measure(folder: string, set: string, name: string, settings: Settings): Promise<Measured> {
  const { seed = 0 } = settings;
  const out = runFolder(folder, set, name, seed);
  if (!existsSync(join(out, "evals", "results"))) {
    rmSync(out, { recursive: true, force: true });
    say(`${set}, ${name}, seed ${seed}: training`);
    await pretrain({ ...settings, images: set, out });
  }
  const { rows, differences } = await evaluated([out], set, "results");
  const difference = differences.find(isUntrained) as Difference;
  say(`${set}, ${name}, seed ${seed}: ${points(difference)}`);
  return { name: seed ? `${name}, seed ${seed}` : name, settings, rows, difference };
}

const runFolder = (folder: string, set: string, name: string, seed: number) => join(folder, set, `${name}-${seed}`);

/** All seeds of a task together: the mean of each layer, and one interval. */
async function measureTogether(folder: string, set: string, name: string, settings: Settings): Promise<Measured> {
  const runs = [0, ...MORE_SEEDS].map((seed) => runFolder(folder, set, name, seed));
  const { rows, differences } = await evaluated(runs, set, "seeds");
  const difference = differences.findLast(isUntrained) as Difference;
  const own = rows.filter(({ encoder }) => runs.map((run) => basename(run)).includes(encoder));
  const layers = [...new Set(own.map(({ layer }) => layer))].map((layer) => {
    const same = own.filter((row) => row.layer === layer) as [ResultRow, ...ResultRow[]];
    const value = same.reduce((sum, row) => sum + row.value, 0) / same.length;
    return { ...same[0], encoder: difference.encoder, value };
  });
  return { name: `${name}, ${runs.length} seeds together`, settings, rows: layers, difference };
}

async function measureSet(folder: string, set: string, chosen: readonly string[], minutes: number) {
  const all: Measured[] = [];
  for (const name of chosen) {
    const entry = entries[name];
    const settings = { minutes, model: "resnet10", width: 0.5, ...entry, ...sets[set]?.(entry?.task) };
    const first = await measure(folder, set, name, { ...settings, seed: 0 });
    all.push(first);
    if (first.difference.low > 0) continue;
    for (const seed of MORE_SEEDS) all.push(await measure(folder, set, name, { ...settings, seed }));
    all.push(await measureTogether(folder, set, name, settings));
  }
  return all;
}

/** A row a run, its layers' accuracies, and below them those of the untrained networks and of the pixels. */
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
  const firsts = measured.filter(({ settings }) => settings.seed === 0);
  const stems = new Map(firsts.map((one) => [one.settings.stem ?? "", one]));
  for (const [stem, { rows, difference }] of stems) {
    const untrained = cells(layersOf(rows, difference.baseline), difference.baselineLayer);
    lines.push([`untrained, stem ${stem}`, ...untrained, ""]);
  }
  const pixels = first.rows.find(({ encoder }) => encoder === PIXELS);
  lines.push([`${PIXELS}: ${(100 * (pixels?.value ?? Number.NaN)).toFixed(1)}`, ...layers.map(() => ""), ""]);
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
  .action(async (folder: string, flags: { sets: string[]; tasks: string[]; minutes: number }) => {
    mkdirSync(folder, { recursive: true });
    for (const set of flags.sets) {
      process.stdout.write(`${markdown(set, await measureSet(folder, set, flags.tasks, flags.minutes))}\n`);
    }
  })
  .parseAsync();
