/** Axes and lines that several charts have. */
import type { Markish } from "@observablehq/plot";
import type { Metric } from "../../metric.ts";
import { short } from "../format.ts";
import type { Plot } from "./plot.ts";

/** An axis below, named in its middle. */
export const below = { anchor: "bottom", tickSize: 0, labelAnchor: "center", labelArrow: "none" } as const;

/** The value axis at the left, with lines across the chart. */
export function valueAxis(plot: Plot, format: (value: number) => string): Markish {
  return [
    plot.gridY({ ticks: 5, stroke: "var(--rule)", strokeOpacity: 1 }),
    plot.axisY({ ticks: 5, tickSize: 0, tickFormat: format, label: null }),
  ];
}

/** A dashed line at the score of guessing, if there is one, named at its right end. */
export function chanceLine(plot: Plot, chance: number, format: (value: number) => string): Markish {
  if (!Number.isFinite(chance)) return null;
  const colour = "var(--s5)";
  return [
    plot.ruleY([chance], { stroke: colour, strokeWidth: 1.5, strokeDasharray: "5 4", className: "chance" }),
    plot.text([`chance ${format(chance)}`], {
      y: [chance],
      frameAnchor: "right",
      dy: -8,
      stroke: "var(--card)",
      strokeWidth: 4,
      fill: "currentColor",
    }),
  ];
}

/** Numbers on the axis of a metric: 0.531 as 53.1 if it is shown in percent. */
export function axisFormat({ unit }: Metric): (value: number) => string {
  return unit === "%" ? (value) => short(100 * value) : short;
}

/** "accuracy (%)", "error (°, lower is better)". */
export function axisName({ name, unit, better }: Metric): string {
  const remarks = [unit, better === "lower" && "lower is better"].filter(Boolean).join(", ");
  return remarks ? `${name} (${remarks})` : name;
}

/** The smallest and largest of the finite values; never the same number twice. */
export function span(values: readonly number[]): [low: number, high: number] {
  const finite = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  return low < high ? [low, high] : [low, low + (Math.abs(low) || 1)];
}
