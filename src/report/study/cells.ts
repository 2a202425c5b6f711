/** The tasks' ranking, every cell, what failed, and what it took. */
import { listed } from "../../data/names.ts";
import { type Metric, plainValue, showValue, signedValue } from "../../metric.ts";
import { duration } from "../../setup/terminal.ts";
import type { Analysis } from "../../study/analysis/analysis.ts";
import type { FinishedStudy } from "../../study/analysis/result.ts";
import { capital, count } from "../format.ts";
import { factList } from "../page.ts";
import { differenceBar } from "../results.ts";
import { baselineWords } from "./baseline.ts";
import { heading, meansOver, note, number, table, text } from "./html.ts";
import { metricOf, ONE_SEED } from "./sentences.ts";

/** Undefined for one task: there is nothing to rank. */
export function rankingSection(analysis: Analysis): string | undefined {
  const { ranking, full, repeated } = analysis;
  const metric = metricOf(analysis) as Metric;
  if (ranking.length < 2) return undefined;
  const rows = [...ranking, ...yardsticks(analysis)];
  const reach = Math.max(...rows.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]), 1e-9);
  const lines = rows.map((one) => [
    number(one.rank === undefined ? "*" : String(one.rank)),
    heading(one.name),
    number(showValue(metric, one.value)),
    text(showValue(metric, one.untrained), "number wide"),
    number(signedValue(metric, one.difference)),
    text(`${signedValue(metric, one.low)} to ${signedValue(metric, one.high)}`, "interval"),
    text(duration((1000 * one.seconds) / one.cells.length), "number wide"),
    { html: differenceBar({ ...one, metric }, reach), kind: "bar" },
  ]);
  const columns = [
    ...["", "Task", number(metric.name), text(capital(baselineWords(analysis).short), "number wide"), number("Gain")],
    ...[text("95 % interval", "interval"), text("Training", "number wide"), text("worse | better", "middle")],
  ];
  const tied = ranking.filter((one) => one.tied).map(({ name }) => name);
  return [
    table(columns, lines),
    note(
      tied.length > 0
        ? `Not clearly behind the first: ${listed(tied)}.`
        : `Clearly behind the first${repeated ? "" : ` in these trainings (${ONE_SEED})`}: ${listed(ranking.slice(1).map(({ name }) => name))}.`,
      full.columns.length > 1 && `Means over ${listed(full.columns)}.`,
      meansOver(full.settings),
      full.leftOut,
      "Training: the time of one.",
      "The ranking is by test images, so that the first owes some of its lead to luck: the intervals say how much that may be.",
      startsDiffer(ranking) &&
        "The networks that these are compared with differ, as tasks bring first layers of their own: where one is worse, there is more to gain.",
      rows.length > ranking.length && "* learned from all training labels: a yardstick.",
    ),
  ].join("\n");
}

const startsDiffer = (ranking: Analysis["ranking"]) => new Set(ranking.map(({ untrained }) => untrained)).size > 1;

/** The tasks that learn from labels, where the others are compared. */
function yardsticks({ grid, full, places, estimate }: Analysis) {
  const names = places.filter(({ yardstick }) => yardstick).map(({ row }) => row);
  return [...new Set(names)].flatMap((name) => {
    const cells = full.columns.flatMap((column) => full.settings.flatMap((setting) => grid.at(name, column, setting)));
    if (!cells.length) return [];
    const { value: difference, low, high } = estimate(cells, "gain");
    const [value, untrained] = [estimate(cells, "performance").value, estimate(cells, "start").value];
    const seconds = cells.reduce((sum, one) => sum + one.seconds.training, 0);
    return [{ rank: undefined, name, value, untrained, difference, low, high, seconds, cells }];
  });
}

/** From this many on, the table is folded. */
const MANY = 12;

export function cellTable(analysis: Analysis): string {
  const { places, study } = analysis;
  const { cells } = study;
  const sure = new Set(places.flatMap((place) => (place.significant ? place.cells : [])));
  const lines = cells.map((cell) => {
    const { name, difference, pretext, seconds } = cell;
    const { metric, value, baselineValue, low, high, layer } = difference;
    const sign = !sure.has(cell) ? "" : low > 0 ? " up" : high < 0 ? " down" : "";
    return [
      heading(name),
      number(plainValue(metric, value)),
      text(plainValue(metric, baselineValue), "number wide"),
      text(signedValue(metric, difference.difference), `number${sign}`),
      text(`${signedValue(metric, low)} to ${signedValue(metric, high)}`, "interval"),
      text(layer, "wide note"),
      text(showValue(pretext.metric, pretext.value), "number wide"),
      text(duration(1000 * seconds.training), "number wide"),
    ];
  });
  const metric = cells[0]?.difference.metric as Metric;
  const head = [
    ...[
      "Cell",
      number(metric.name),
      text(capital(baselineWords(analysis).short), "number wide"),
      number("Gain"),
      text("95 % interval", "interval"),
    ],
    ...[text("Layer", "wide"), text("Pretext", "number wide"), text("Training", "number wide")],
  ];
  const content = `${table(head, lines)}
${note("Each interval is about its cell alone. In colour: more than chance could give, corrected for the number of cells.")}`;
  if (cells.length < MANY) return content;
  return `<details><summary>${count(cells.length, "cell")}</summary>${content}</details>`;
}

/** Cells without a result, and why. */
export function reasons(cells: FinishedStudy["leftOut"]): string | undefined {
  return cells.length ? factList(cells.map(({ name, message }) => [name, message])) : undefined;
}

export function cost({ study: { cells } }: Analysis): string {
  const [training, measuring] = (["training", "measuring"] as const).map((part) =>
    cells.reduce((sum, { seconds }) => sum + seconds[part], 0),
  ) as [number, number];
  return factList([
    ["Training", `${duration(1000 * training)} for ${count(cells.length, "cell")}`],
    ["Measuring", duration(1000 * measuring)],
    ["Together", duration(1000 * (training + measuring))],
  ]);
}
