/** Whether the ranking of tasks is the same on every architecture. */
import type { Metric } from "../../metric.ts";
import type { Analysis } from "../../study/analysis/analysis.ts";
import type { Orders } from "../../study/analysis/orders.ts";
import { heatmapChart } from "../charts/heatmap.ts";
import { baselineWords } from "./baseline.ts";
import { charts, heading, meansOver, note, number, paragraph, table, wideCharts } from "./html.ts";
import { decimal, metricOf, networkSentence, orderSentence } from "./sentences.ts";

/** τ has a sign, no unit, and 1 is best. */
const TAU: Metric = { name: "Kendall's τ", unit: "", better: "higher", perfect: 1, worthwhile: 0 };

export function orders(analysis: Analysis): string | undefined {
  const { tasks, networks, full } = analysis;
  const metric = metricOf(analysis) as Metric;
  if (!tasks || !networks) return undefined;
  const drawn = [
    ...(tasks.places.length > 2 ? [matrix(tasks, "tasks")] : []),
    ...(networks.places.length > 2 ? [matrix(networks, "architectures")] : []),
  ];
  return [
    paragraph(`${orderSentence(analysis, metric)} ${pairSentence(tasks)}`.trim()),
    ranks(tasks, "Task"),
    paragraph(networkSentence(analysis, metric)),
    drawn.length === 0
      ? ""
      : Math.max(tasks.places.length, networks.places.length) > 3
        ? wideCharts(drawn)
        : charts(drawn),
    note(
      `The table has each task's rank by its gain over ${baselineWords(analysis).network}, 1 for the best.`,
      "Kendall's τ is 1 where two rankings are the same, −1 where one is the reverse of the other. The interval is the middle 95 % of 1,000 resamples of the test images, the same for all cells, each with other luck in drawing labels and in training as far as it is known.",
      "A ranking is said to change only if two tasks are significantly in one order here and in the other order there, corrected for all pairs: where tasks are equally good, τ alone would be low by chance.",
      meansOver(full.settings),
      full.leftOut,
    ),
  ].join("\n");
}

function ranks({ items, places, ranks }: Orders, name: string): string {
  const mean = (item: number) => ranks.reduce((sum, row) => sum + (row[item] as number), 0) / ranks.length;
  const order = items.map((_, i) => i).sort((a, b) => mean(a) - mean(b));
  return table(
    [name, ...places.map(number)],
    order.map((item) => [heading(items[item] as string), ...ranks.map((row) => number(String(row[item])))]),
  );
}

/** Of two places, for which a matrix would be too much. */
function pairSentence({ places, agreements: [pair] }: Orders): string {
  if (places.length > 2 || !pair || Number.isNaN(pair.tau)) return "";
  const { tau, low, high } = pair;
  return `Kendall's τ of the two rankings is ${decimal(tau)} (95 % interval ${decimal(low)} to ${decimal(high)}).`;
}

function matrix({ places, agreements }: Orders, ranked: string): string {
  const cells = agreements
    .filter(({ tau }) => Number.isFinite(tau))
    .flatMap(({ a, b, tau, low, high }) => {
      const cell = { value: tau, low, high, significant: true };
      return [
        { ...cell, row: a, column: b },
        { ...cell, row: b, column: a },
      ];
    });
  return heatmapChart({
    caption: `Kendall's τ of two rankings of ${ranked}`,
    ...{ rows: places, columns: places, cells, metric: TAU, differences: true, range: [0, 1], format: decimal },
    words: { good: "alike", bad: "opposite" },
  });
}
