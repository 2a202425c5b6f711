/** Two metrics of the same encoders against each other. */
import type { Metric } from "../../metric.ts";
import { hue } from "../colours.ts";
import { axisFormat, axisName, below, span, valueAxis } from "./axes.ts";
import { figure } from "./plot.ts";

export interface Scatter {
  caption: string;
  x: { name: string; metric: Metric };
  y: { name: string; metric: Metric };
  /** A colour and a shape for each, in this order. */
  groups: readonly string[];
  points: readonly { x: number; y: number; group: string }[];
}

/** A shape for each group, as in Plot and in the legend. After seven they begin again, with colours one further. */
const SHAPES = [
  ["circle", "●"],
  ["square", "■"],
  ["triangle", "▲"],
  ["diamond", "◆"],
  ["cross", "✚"],
  ["star", "★"],
  ["wye", "⅄"],
] as const;

/** One mark for each point, in the colour and shape of its group. */
export function scatterChart({ caption, x, y, groups, points }: Scatter): string {
  const shown = points.filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  const place = (group: string) => groups.indexOf(group);
  const colour = (group: string) => hue(place(group) + Math.floor(place(group) / SHAPES.length));
  const shape = (group: string) => SHAPES[place(group) % SHAPES.length] as (typeof SHAPES)[number];
  const [across, up] = [axisFormat(x.metric), axisFormat(y.metric)];
  return figure({
    caption,
    label: `${caption}: ${y.name} against ${x.name} of ${shown.length} networks`,
    legend: groups
      .filter((group) => shown.some((point) => point.group === group))
      .map((name) => ({ name: `${shape(name)[1]} ${name}`, colour: colour(name) })),
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
          symbol: ({ group }: { group: string }) => shape(group)[0],
          fill: ({ group }) => colour(group),
          stroke: "var(--card)",
          title: (point) => `${point.group}: ${across(point.x)}, ${up(point.y)}`,
        }),
      ],
      color: { type: "identity" },
    }),
  });
}
