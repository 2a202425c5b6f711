/** Which task suits these images, from a study that tried several for a short time; and what to do next. */
import { improvement } from "../../metric.ts";
import { shellWord } from "../../setup/terminal.ts";
import type { CellResult } from "../grid/cell.ts";
import { contrast, estimate, gain, performance, significant, spreadOf, start } from "./estimates.ts";
import { fullGrid, gridOf, withoutLabels } from "./grid.ts";
import type { StudyResult } from "./result.ts";

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
  /** Cannot be told apart from the first. */
  tied: boolean;
  /** Of training, all cells together. */
  seconds: number;
  cells: CellResult[];
}

/** The tasks that learn without labels, the largest gain over the untrained network first. */
export function ranking(study: Pick<StudyResult, "cells">): RankedTask[] {
  const cells = withoutLabels(study.cells);
  const grid = gridOf(cells);
  const full = fullGrid(grid);
  const spreads = [gain, performance, start].map((measure) => spreadOf(cells, grid, measure));
  const found = full.rows
    .map((name) => {
      const own = full.columns.flatMap((column) => full.at(name, column));
      const [gained, value, before] = [gain, performance, start].map((measure, i) =>
        estimate(own, measure, spreads[i] as (typeof spreads)[number]),
      ) as [ReturnType<typeof estimate>, ReturnType<typeof estimate>, ReturnType<typeof estimate>];
      return { name, own, gained, value: value.value, untrained: before.value };
    })
    .sort((a, b) => b.gained.value - a.gained.value);
  const [first] = found;
  const helps = significant(found.map(({ gained }) => gained.p));
  const behind = significant(found.slice(1).map(({ gained }) => (first ? contrast(first.gained, gained).p : 1)));
  return found.map(({ name, own, gained, value, untrained }, i) => ({
    ...{ rank: i + 1, name, task: own[0]?.factors.task as string, value, untrained },
    ...{ difference: gained.value, low: gained.low, high: gained.high, cells: own },
    significant: helps[i] as boolean,
    tied: i > 0 && !behind[i - 1],
    seconds: own.reduce((sum, { seconds }) => sum + seconds.training, 0),
  }));
}

/** A longer training takes this many times as long as that of the study, but not less than half an hour. */
const LONGER = 10;
const LEAST_MINUTES = 30;

/** The best on held-out training labels first: test images do not choose. Where none were held out, the largest gain first. */
export function ranked(cells: readonly CellResult[]): CellResult[] {
  const known = cells.every(({ heldOut }) => heldOut !== undefined);
  return cells.toSorted((a, b) =>
    known ? improvement(a.difference.metric, b.heldOut as number, a.heldOut as number) : gain.value(b) - gain.value(a),
  );
}

/** The command that trains the best cell's task and network for longer. Undefined without a task to recommend. */
export function nextCommand(study: Pick<StudyResult, "cells" | "config">): string | undefined {
  const [best] = ranked(withoutLabels(study.cells));
  if (!best) return undefined;
  const { factors, seconds } = best;
  const { images, labels, group, split } = study.config as Record<string, string | undefined>;
  const about = Object.entries({ labels, group, split }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
  const minutes = Math.max(LEAST_MINUTES, Math.ceil((LONGER * seconds.training) / 60));
  const options = Object.entries(factors.options).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return [
    ...["selfsight", "pretrain", images as string, ...options, ...about],
    ...["--task", factors.task, "--model", factors.model, "--width", String(factors.width)],
    ...(factors.stem === undefined ? [] : ["--stem", factors.stem]),
    ...["--image-size", String(factors.imageSize), "--minutes", String(minutes)],
  ]
    .map(shellWord)
    .join(" ");
}
