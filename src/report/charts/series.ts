/** Encoders side by side: a line with its 95 % interval as a band for each. */
import type { Markish } from "@observablehq/plot";
import type { Kind } from "../../evaluate/representations.ts";
import { type Metric, showValue } from "../../metric.ts";
import { seriesColour } from "../colours.ts";
import { axisFormat, axisName, chanceLine, span, valueAxis } from "./axes.ts";
import { type Figure, figure, type Plot } from "./plot.ts";

export interface Measured {
  value: number;
  /** 95 % interval. */
  low: number;
  high: number;
}

export interface Series<Point extends Measured> {
  name: string;
  kind: Kind;
  /** Default: one of its own. */
  colour?: string | undefined;
  /** Stands beside another of the same colour: dashed, without a band and a place in the legend. */
  beside?: boolean;
  points: readonly Point[];
}

export interface SeriesChart<Point extends Measured> {
  series: readonly Series<Point>[];
  metric: Metric;
  /** The score of guessing: a dashed line. Not finite: none. */
  chance: number;
  /** Stands before the caption: "rotation". */
  title?: string;
}

/** What is along the x axis. */
interface Across<Point> {
  /** "labels per class". */
  name: string;
  at(point: Point): number | string;
  /** The point's place in words. */
  say(point: Point): string;
  marginBottom: number;
  scale: NonNullable<ReturnType<Figure["draw"]>["x"]>;
  axis(plot: Plot): Markish;
}

/**
 * One line for each encoder, with dots, hollow for baselines. Points that are not finite break the line; an encoder with
 * one point has its interval as a whisker.
 */
export function seriesChart<Point extends Measured>(
  { series, metric, chance, title }: SeriesChart<Point>,
  across: Across<Point>,
): string {
  const format = axisFormat(metric);
  const coloured = series.map((one, i) => ({
    ...one,
    colour: one.colour ?? seriesColour(i),
    finite: one.points.filter(isKnown),
  }));
  const values = coloured.flatMap(({ finite }) => finite.flatMap(({ value, low, high }) => [value, low, high]));
  const caption = [title, `${axisName(metric)} by ${across.name}`].filter(Boolean).join(": ");
  return figure({
    caption,
    label: `${caption}: ${series.map(({ name }) => name).join(", ")}`,
    legend: coloured.filter(({ beside }) => !beside),
    hasData: values.length > 0,
    draw: (plot) => ({
      height: 250 + across.marginBottom,
      marginLeft: 44,
      marginTop: 14,
      marginBottom: across.marginBottom,
      x: across.scale,
      y: { domain: span([chance, ...values]), nice: 5 },
      marks: [
        valueAxis(plot, format),
        across.axis(plot),
        chanceLine(plot, chance, format),
        coloured.map(({ points, finite, colour, beside }) =>
          beside
            ? null
            : finite.length === 1
              ? plot.ruleX(finite, { x: across.at, y1: "low", y2: "high", stroke: colour, strokeWidth: 1.5 })
              : plot.areaY(points, { x: across.at, y1: "low", y2: "high", fill: colour, fillOpacity: 0.16 }),
        ),
        coloured.map(({ points, colour, beside }) =>
          plot.lineY(points, {
            x: across.at,
            y: "value",
            stroke: colour,
            strokeWidth: beside ? 1.25 : 2,
            ...(beside && { strokeDasharray: "2 3" }),
          }),
        ),
        coloured.map(({ name, kind, finite, colour }) =>
          plot.dot(finite, {
            x: across.at,
            y: "value",
            r: 3.5,
            stroke: colour,
            strokeWidth: 2,
            fill: kind === "pre-trained" ? colour : "var(--card)",
            title: (point: Point) => `${name}, ${across.say(point)}: ${shown(metric, point)}`,
          }),
        ),
      ],
    }),
  });
}

function isKnown({ value, low, high }: Measured): boolean {
  return [value, low, high].every(Number.isFinite);
}

/** "53.1 % (50.0 % to 56.2 %)". */
export function shown(metric: Metric, { value, low, high }: Measured): string {
  return `${showValue(metric, value)} (${showValue(metric, low)} to ${showValue(metric, high)})`;
}
