/** A study in a terminal: its cells ranked, what failed, and what to run next; or what it will take. */
import Table from "cli-table3";
import { listed } from "../data/names.ts";
import { showDifference, showValue, signedValue } from "../metric.ts";
import { duration } from "../setup/terminal.ts";
import { chosenByLabels, ranked } from "../study/analysis/ranking.ts";
import type { Study } from "../study/grid/folder.ts";
import type { DryRun } from "../study/grid/study.ts";
import { count } from "./format.ts";
import { baselineWords } from "./study/baseline.ts";

/** Most cells that are listed. */
const LISTED = 20;

export function studyTable(study: Pick<Study, "cells">): string {
  const { cells } = study;
  const rows = ranked(cells)
    .slice(0, LISTED)
    .map(({ name, heldOut, difference: { metric, value, baselineValue, difference, low, high } }) => [
      ...[name, heldOut === undefined ? "–" : showValue(metric, heldOut)],
      ...[showValue(metric, value), showValue(metric, baselineValue)],
      `${showDifference(metric, difference)} [${signedValue(metric, low)}, ${signedValue(metric, high)}]`,
    ]);
  const more = cells.length > LISTED ? `\nand ${count(cells.length - LISTED, "more cell", "more cells")}` : "";
  const note = chosenByLabels(cells)
    ? "The best on held-out training labels first; the rest on test images, with 95 % intervals."
    : "The best on test images first, with 95 % intervals.";
  return `${table(["cell", "held out", "pre-trained", baselineWords({ study }).short, "difference"], rows)}${more}\n${note}`;
}

export function planTable({ cells, peak, finished, unknown }: DryRun): string {
  const time = (seconds: number) => duration(seconds * 1000);
  const rows = cells
    .slice(0, LISTED)
    .map(({ name, training, measuring, parameters }) => [
      ...[name, time(training), time(measuring), `${(parameters / 1e6).toFixed(2)} M`],
    ]);
  const more = cells.length > LISTED ? `\nand ${count(cells.length - LISTED, "more cell", "more cells")}` : "";
  const all = cells.reduce((sum, { training, measuring }) => sum + training + measuring, 0);
  const lines = [
    `${table(["cell", "training", "measuring", "parameters"], rows)}${more}`,
    `${count(cells.length, "cell")}, about ${time(all)} in one process.`,
    ...(unknown.length
      ? [`Measuring by ${listed(unknown)} comes on top: how long that takes is not known beforehand.`]
      : []),
    ...(finished ? [`${count(finished, "other cell is", "other cells are")} finished already.`] : []),
    ...(peak === undefined ? [] : [`Memory: ${(peak / 2 ** 30).toFixed(1)} GiB at most while trying them.`]),
  ];
  return lines.join("\n");
}

function table(head: string[], rows: string[][]): string {
  const drawn = new Table({
    head,
    style: { head: [], border: [] },
    colAligns: ["left", ...Array(head.length - 1).fill("right")],
  });
  drawn.push(...rows);
  return drawn.toString();
}
