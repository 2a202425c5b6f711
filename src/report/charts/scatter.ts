/** Two metrics of the same encoders against each other. */
import type { Metric } from "../../metric.ts";
import { hue } from "../colours.ts";
import { axisFormat, axisName, below, span, valueAxis } from "./axes.ts";
import { figure } from "./plot.ts";

export interface Scatter {
  caption: string;
  x: { name: string; metric: Metric };
  y: { name: string; metric: Metric };
  /** A colour for each, in this order. */
  groups: readonly string[];
  points: readonly { x: number; y: number; group: string }[];
}

/** One dot for each point, in the colour of its group. */
export function scatterChart({ caption, x, y, groups, points }: Scatter): string {
  const shown = points.filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  const colour = (group: string) => hue(groups.indexOf(group));
  const [across, up] = [axisFormat(x.metric), axisFormat(y.metric)];
  return figure({
    caption,
    label: `${caption}: ${y.name} against ${x.name} of ${shown.length} networks`,
    legend: groups
      .filter((group) => shown.some((point) => point.group === group))
      .map((name) => ({ name, colour: colour(name) })),
    hasData: shown.length > 0,
    draw: (plot) => ({
      height: 290,
      marginLeft: 44,
      marginTop: 26,
      marginBottom: 44,
      x: { domain: span(shown.map((point) => point.x)), nice: 5, insetLeft: 8, insetRight: 8 },
      y: { domain: span(shown.map((point) => point.y)), nice: 5, insetTop: 8, insetBottom: 8 },
      marks: [
        valueAxis(plot, up),
        plot.axisX({ ...below, ticks: 5, tickFormat: across, label: `${x.name}: ${axisName(x.metric)}` }),
        plot.text([`${y.name}: ${axisName(y.metric)}`], { frameAnchor: "top-left", dx: -40, dy: -22 }),
        plot.dot(shown, {
          x: "x",
          y: "y",
          r: 4.5,
          fill: ({ group }) => colour(group),
          stroke: "var(--card)",
          title: (point) => `${point.group}: ${across(point.x)}, ${up(point.y)}`,
        }),
      ],
      color: { type: "identity" },
    }),
  });
}
