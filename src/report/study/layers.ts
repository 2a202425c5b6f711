/** Where in each architecture the features are best. */

import { listed } from "../../data/names.ts";
import type { ResultRow } from "../../evaluate/result.ts";
import { improvement, type Metric, signedValue } from "../../metric.ts";
import type { Analysis } from "../../study/analysis/analysis.ts";
import { withoutLabels } from "../../study/analysis/grid.ts";
import { chosenByLabels } from "../../study/analysis/ranking.ts";
import type { CellResult } from "../../study/grid/cell.ts";
import { type NumberPoint, numberChart } from "../charts/numbers.ts";
import type { Series } from "../charts/series.ts";
import { baselineWords } from "./baseline.ts";
import { charts, note, paragraph } from "./html.ts";
import { metricOf, size } from "./sentences.ts";

interface LayerPoint extends NumberPoint {
  at: number;
  layers: string;
}

/** Undefined if there is only one layer. */
export function layers(analysis: Analysis): string | undefined {
  const { grid, study } = analysis;
  const metric = metricOf(analysis) as Metric;
  const chance = study.cells[0]?.difference.chance as number;
  const most = Math.max(...study.cells.map((cell) => layersOf(cell, "pre-trained").length));
  if (most < 2) return undefined;
  const several = grid.columns.length > 1;
  const line = (name: string, cells: readonly CellResult[], kind: "pre-trained" | "untrained"): Series<LayerPoint> => ({
    ...{ name, kind },
    points: meanLayers(cells, kind),
  });
  const drawn = several
    ? grid.rows.map((row) => ({
        title: row,
        series: grid.columns.map((column) => line(column, grid.at(row, column), "pre-trained")),
      }))
    : [
        {
          series: [
            ...grid.rows.map((row) => line(row, grid.at(row, grid.columns[0] as string), "pre-trained")),
            line(baselineWords(analysis).short, study.cells, "untrained"),
          ],
        },
      ];
  const axis = {
    ...{ name: "depth (%)", ticks: [0, 0.25, 0.5, 0.75, 1] },
    text: (value: number) => String(Math.round(100 * value)),
    say: (point: LayerPoint) => point.layers,
  };
  return [
    paragraph(decaySentence(analysis)),
    charts(
      drawn.map((one) =>
        numberChart({ ...one, series: one.series.filter(({ points }) => points.length), metric, chance }, axis),
      ),
    ),
    note(
      "0 is the first layer that was measured, 100 the last.",
      "Bands: 95 % intervals, as wide as those of single networks.",
    ),
  ].join("\n");
}

/** How far the last layer is below the one chosen on held-out labels, for each architecture: the best on test images owes that to luck. */
function decaySentence(analysis: Analysis): string {
  const { grid, study } = analysis;
  if (!chosenByLabels(study.cells)) return ""; // the last layer was taken
  const metric = metricOf(analysis) as Metric;
  const unlabelled = withoutLabels(study.cells);
  const cells = unlabelled.length ? unlabelled : study.cells;
  const columns = grid.columns.filter((column) => cells.some(({ factors }) => factors.model === column));
  const losses = columns.map((column) => {
    const own = cells.filter(({ factors }) => factors.model === column);
    const each = own.map((cell) => {
      return improvement(metric, cell.difference.value, layersOf(cell, "pre-trained").at(-1)?.value as number);
    });
    return { column, loss: each.reduce((sum, one) => sum + one, 0) / each.length };
  });
  const isNone = (loss: number) => /^[0.]+$/.test(signedValue(metric, loss));
  const amount = (loss: number) =>
    isNone(loss) ? "as good" : `${size(metric, loss)} ${loss > 0 ? "below" : "above"} it`;
  if (losses.length === 1) {
    const [{ loss }] = losses as [(typeof losses)[number]];
    return isNone(loss)
      ? "The last layer is as good as the one chosen on held-out labels, on average."
      : `The last layer is ${size(metric, loss)} of ${metric.name} ${loss > 0 ? "below" : "above"} the one chosen on held-out labels, on average.`;
  }
  const sorted = losses.toSorted((a, b) => a.loss - b.loss);
  return `The last layer beside the one chosen on held-out labels, on average: ${listed(sorted.map(({ column, loss }) => `${amount(loss)} on ${column}`))}.`;
}

/** The rows that the cell's difference is about, from shallow to deep. */
const layersOf = (
  { rows, difference: { protocol, labelsPerClass } }: CellResult,
  kind: "pre-trained" | "untrained",
): ResultRow[] =>
  rows.filter((row) => row.kind === kind && row.protocol === protocol && row.labelsPerClass === labelsPerClass);

/** Means over cells, layer by layer; cells with another number of layers than the first are left out. */
function meanLayers(cells: readonly CellResult[], kind: "pre-trained" | "untrained"): LayerPoint[] {
  const all = cells.map((cell) => layersOf(cell, kind));
  const first = all[0] ?? [];
  const alike = all.filter(({ length }) => length === first.length);
  return first.map(({ layer }, i) => {
    const mean = (name: "value" | "low" | "high") =>
      alike.reduce((sum, rows) => sum + (rows[i]?.[name] as number), 0) / alike.length;
    const at = first.length > 1 ? i / (first.length - 1) : 1;
    return { at, layers: layer, value: mean("value"), low: mean("low"), high: mean("high") };
  });
}
