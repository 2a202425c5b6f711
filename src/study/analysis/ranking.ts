/** Which task suits these images, from a study that tried several for a short time; and what to do next. */
import { improvement } from "../../metric.ts";
import { presetOf } from "../../run/resolve.ts";
import { flag, shellWord } from "../../setup/terminal.ts";
import type { CellResult } from "../grid/cell.ts";
import {
  contrast,
  type Estimate,
  estimate,
  gain,
  isIdleGain,
  performance,
  significant,
  spreadOf,
  start,
  testedGain,
} from "./estimates.ts";
import { fullGrid, gridOf, groupBy, withoutLabels } from "./grid.ts";
import { pairsOf } from "./orders.ts";
import type { FinishedStudy } from "./result.ts";

export interface RankedTask {
  /** 1 for the largest gain. */
  rank: number;
  /** The task, with those of its options that vary. */
  name: string;
  task: string;
  /** Means over all networks of the study that every task was trained on: the metric, and that of the networks untrained. */
  value: number;
  untrained: number;
  /** The gain, with its 95 % interval. */
  difference: number;
  low: number;
  high: number;
  /** Whether the gain is more than chance could give, corrected for the number of tasks. */
  significant: boolean;
  /** It would be significant, but the untrained networks do worse than guessing, and these are not clearly better than that. */
  idle: boolean;
  /** Cannot be told apart from the first, corrected for every two tasks: which one is first is known from the data alone. */
  tied: boolean;
  /** Of training, all cells together. */
  seconds: number;
  cells: CellResult[];
}

/** The tasks that learn without labels, the largest gain over the untrained network first. */
export function ranking(study: Pick<FinishedStudy, "cells">): RankedTask[] {
  const cells = withoutLabels(study.cells);
  const grid = gridOf(cells);
  const full = fullGrid(grid);
  const spread = spreadOf(cells, grid);
  const found = full.rows
    .map((name) => {
      const own = full.columns.flatMap((column) => full.at(name, column));
      const [gained, value, before] = [gain, performance, start].map((measure) => estimate(own, measure, spread)) as [
        Estimate,
        Estimate,
        Estimate,
      ];
      return { name, own, gained, value: value.value, untrained: before.value };
    })
    .sort((a, b) => b.gained.value - a.gained.value);
  const helps = significant(found.map(({ own, gained }) => testedGain(own, gained)));
  const pairs = pairsOf(found.length);
  const gainOf = (i: number) => (found[i] as (typeof found)[number]).gained;
  const differs = significant(pairs.map(([i, j]) => contrast(gainOf(i), gainOf(j)).p));
  const behind = new Set(pairs.flatMap(([i, j], k) => (i === 0 && differs[k] ? [j] : [])));
  return found.map(({ name, own, gained, value, untrained }, i) => ({
    ...{ rank: i + 1, name, task: own[0]?.factors.task as string, value, untrained },
    ...{ difference: gained.value, low: gained.low, high: gained.high, cells: own },
    significant: (helps[i] as boolean) && !isIdleGain(own),
    idle: (helps[i] as boolean) && isIdleGain(own),
    tied: i > 0 && !behind.has(i),
    seconds: own.reduce((sum, { seconds }) => sum + seconds.training, 0),
  }));
}

/** A longer training takes this many times as long as that of the study, but not less than half an hour. */
const LONGER = 10;
const LEAST_MINUTES = 30;

/** How the study trains, if it says so: what was best here was best with these, and with its preset. */
const SETTINGS = [
  ...["crop", "minArea", "flip", "batchSize", "optimizer", "learningRate", "weightDecay", "firstLayer"],
  ...["schedule", "warmup"],
];

/** Whether all cells know how good they are on held-out training labels, so that no test image has to choose. */
export const chosenByLabels = (cells: readonly CellResult[]): boolean =>
  cells.every(({ heldOut }) => heldOut !== undefined);

/** Cells that differ in their seeds alone, the best mean on held-out training labels first; where not all know it, on test images. */
export function bestFirst<Group extends readonly CellResult[]>(groups: readonly Group[]): Group[] {
  const known = chosenByLabels(groups.flat());
  const goodness = (cells: readonly CellResult[]) =>
    cells.reduce((sum, { difference: { metric, value }, heldOut }) => {
      return sum + improvement(metric, known ? (heldOut as number) : value, 0) / cells.length;
    }, 0);
  return groups.toSorted((a, b) => goodness(b) - goodness(a));
}

/** Single cells in the order of {@link bestFirst}. */
export const ranked = (cells: readonly CellResult[]): CellResult[] => bestFirst(cells.map((cell) => [cell])).flat();

/** The command that trains the best cell's task and network for longer. Undefined without a task to recommend. */
export function nextCommand(study: Pick<FinishedStudy, "cells" | "config">): string | undefined {
  const cells = withoutLabels(study.cells);
  const grid = gridOf(cells);
  const places = groupBy(cells, grid.placeOf);
  const [best] = bestFirst([...places.values()]);
  if (!best) return undefined;
  const [{ factors }] = best as [CellResult];
  const seconds = Math.max(...best.map(({ seconds }) => seconds.training));
  const { images, labels, group, split } = study.config as Record<string, string | undefined>;
  const about = Object.entries({ labels, group, split }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
  const settings = SETTINGS.flatMap((name) => {
    const value = study.config[name];
    if (value === undefined || value === "auto") return [];
    return typeof value === "boolean" ? [flag(name, value)] : [flag(name), String(value)];
  });
  const minutes = Math.max(LEAST_MINUTES, Math.ceil((LONGER * seconds) / 60));
  const { preset = "auto", minutes: trained } = study.config as Partial<Parameters<typeof presetOf>[0]>;
  const options = Object.entries(factors.options).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return [
    ...["npx", "selfsight", "pretrain", images as string, ...options, ...about],
    ...["--task", factors.task, "--model", factors.model, "--width", String(factors.width)],
    ...(factors.stem === undefined ? [] : ["--stem", factors.stem]),
    ...[
      "--image-size",
      String(factors.imageSize),
      "--preset",
      presetOf({ preset, minutes: trained }),
      ...settings,
      "--minutes",
      String(minutes),
    ],
  ]
    .map(shellWord)
    .join(" ");
}
