/** Two things that vary, with a measurement in each cell: tasks and models, for example. */
import { type Metric, plainValue, signedValue } from "../../metric.ts";
import { type Cell, frames, grid, hatching, shades } from "./cells.ts";
import { figure } from "./plot.ts";
import type { Measured } from "./series.ts";

export interface HeatmapCell extends Measured {
  row: string;
  column: string;
  /** Cells that are not are hatched. */
  significant: boolean;
}

export interface Heatmap {
  caption: string;
  /** In the order in which they are shown. */
  rows: readonly string[];
  columns: readonly string[];
  cells: readonly HeatmapCell[];
  metric: Metric;
  /** Differences have a sign, and one colour on each side of zero; positive is better. Default: values of the metric. */
  differences?: boolean;
  /** Values of no and of full strength. Default: the worst and the best that there are. */
  range?: readonly [low: number, high: number];
  /** What the colours mean. */
  words?: { good: string; bad: string };
  /** Default: as the metric is shown. */
  format?: (value: number) => string;
}

const WORDS = { good: "better", bad: "worse" };
/** A task and one of its options fit ("jigsaw (permutations 1000)"), and a width with a number of images. */
const NAME = 32;
const CELL = { width: 100, height: 46 };
const HATCHED = "repeating-linear-gradient(135deg, var(--soft) 0 1px, transparent 1px 4px)";

/** A table of cells: the value, its 95 % interval below, darker where better; hatched where not significant. */
export function heatmapChart(chart: Heatmap): string {
  const { caption, rows, columns, cells, metric, differences = false, words = WORDS } = chart;
  const placed = cells
    .map((cell) => ({ ...cell, row: rows.indexOf(cell.row), column: columns.indexOf(cell.column) }))
    .filter(({ row, column, value }) => row >= 0 && column >= 0 && Number.isFinite(value));
  const values = placed.map(({ value }) => value);
  const own = differences ? [0, Math.max(...values.map(Math.abs))] : [Math.min(...values), Math.max(...values)];
  const [low = 0, high = 0] = chart.range ?? own;
  const strength = ({ value }: Measured) => {
    const size = high > low ? ((differences ? Math.abs(value) : value) - low) / (high - low) : 0;
    const share = Math.max(0, Math.min(1, size));
    return metric.better === "lower" && !differences ? 1 - share : share;
  };
  const show = (value: number) =>
    chart.format?.(value) ??
    (differences ? signedValue(metric, value) || "0" : plainValue(metric, value).replace("-", "−"));
  const bad = differences ? placed.filter(({ value }) => value < 0) : [];
  const hatched = placed.filter(({ significant }) => !significant);
  return figure({
    caption,
    label: `${caption}: ${placed.length} cells, ${rows.join(", ")} by ${columns.join(", ")}`,
    legend: [
      { name: words.good, colour: "var(--heat)" },
      ...(bad.length ? [{ name: words.bad, colour: "var(--miss)" }] : []),
      ...(hatched.length ? [{ name: "not significant", colour: HATCHED }] : []),
    ],
    hasData: placed.length > 0,
    draw: (plot) => {
      const text = { x: ({ column }: Cell) => column + 0.5, y: ({ row }: Cell) => row + 0.5, fill: "var(--ink)" };
      return grid(plot, { rows, columns, axes: { rows: "", columns: "" }, cell: CELL, name: NAME }, [
        frames(
          rows.flatMap((_, row) => columns.map((_, column) => ({ row, column }))),
          "var(--rule)",
        ),
        ...shades(
          placed.filter((cell) => !bad.includes(cell)),
          { colour: "var(--heat)", strength },
        ),
        ...shades(bad, { colour: "var(--miss)", strength }),
        hatching(hatched),
        plot.text(placed, { ...text, text: ({ value }) => show(value), dy: -8, fontWeight: 600 }),
        plot.text(placed, {
          ...text,
          text: ({ low, high }) => `${show(low)} to ${show(high)}`,
          dy: 9,
          className: "small",
        }),
      ]);
    },
  });
}
