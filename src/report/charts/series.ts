/** Encoders side by side: a line with its 95 % interval as a band for each. */
import type { Markish } from "@observablehq/plot";
import type { Kind } from "../../evaluate/representations.ts";
import { type Metric, showValue } from "../../metric.ts";
import { lineStyles } from "../colours.ts";
import { axisFormat, axisName, chanceLine, span, valueAxis } from "./axes.ts";
import { heightForNames, namesAtEnds, roomForNames } from "./names.ts";
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
  /** Stands beside another of the same colour: dashed, without a band and a name. */
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
  /** Of the whole chart, in its own units. */
  width: number;
  /** "labels per class". */
  name: string;
  at(point: Point): number | string;
  /** The point's place in words. */
  say(point: Point): string;
  marginBottom: number;
  scale: NonNullable<ReturnType<Figure["draw"]>["x"]>;
  axis(plot: Plot): Markish;
}

const [HEIGHT, MARGIN_LEFT] = [270, 44];
/** Bands of more lines than this are fainter: they lie upon each other. */
const FULL_BANDS = 4;
const BESIDE = "2 3";

/** Width that is left for the lines of a chart this wide. */
export function widthOfPlot(width: number, series: readonly Named[]): number {
  return width - MARGIN_LEFT - roomForNames(namesOf(series));
}

type Named = Pick<Series<Measured>, "name" | "beside">;
const namesOf = (series: readonly Named[]) => series.filter(({ beside }) => !beside).map(({ name }) => name);

/**
 * One line for each encoder, named at its right end, with dots, hollow for baselines. Points that are not finite break the line; an encoder with
 * one point has its interval as a whisker.
 */
export function seriesChart<Point extends Measured>(
  { series, metric, chance, title }: SeriesChart<Point>,
  across: Across<Point>,
): string {
  const format = axisFormat(metric);
  const styles = lineStyles(series.map(({ kind }) => kind));
  const coloured = series.map((one, i) => ({
    ...(styles[i] as (typeof styles)[number]),
    ...(one.beside && { dash: BESIDE }),
    ...one,
    colour: one.colour ?? (styles[i] as (typeof styles)[number]).colour,
    finite: one.points.filter(isKnown),
  }));
  const fillOpacity = 0.16 * Math.min(1, FULL_BANDS / series.length);
  const values = coloured.flatMap(({ finite }) => finite.flatMap(({ value, low, high }) => [value, low, high]));
  const caption = [title, `${axisName(metric)} by ${across.name}`].filter(Boolean).join(": ");
  return figure({
    caption,
    label: `${caption}: ${series.map(({ name }) => name).join(", ")}`,
    hasData: values.length > 0,
    draw: (plot) => ({
      width: across.width,
      height: Math.max(HEIGHT + across.marginBottom, heightForNames(namesOf(series))),
      marginLeft: MARGIN_LEFT,
      marginRight: roomForNames(namesOf(series)),
      marginTop: 14,
      marginBottom: across.marginBottom,
      x: across.scale,
      y: { domain: span([chance, ...values]), nice: 5 },
      marks: [
        valueAxis(plot, format),
        across.axis(plot),
        chanceLine(plot, chance, format),
        coloured
          .filter(({ beside }) => !beside)
          .map(({ points, finite, colour }) =>
            finite.length === 1
              ? plot.ruleX(finite, { x: across.at, y1: "low", y2: "high", stroke: colour, strokeWidth: 1.5 })
              : plot.areaY(points, { x: across.at, y1: "low", y2: "high", fill: colour, fillOpacity }),
          ),
        coloured.map(({ points, colour, dash, beside }) =>
          plot.lineY(points, {
            ...{ x: across.at, y: "value", stroke: colour, strokeWidth: beside ? 1.25 : 2 },
            ...(dash && { strokeDasharray: dash }),
          }),
        ),
        coloured.map(({ name, kind, finite, colour }) =>
          plot.dot(finite, {
            x: across.at,
            y: "value",
            r: 3.5,
            stroke: colour,
            strokeWidth: 2,
            fill: kind === "pre-trained" || kind === "weights" ? colour : "var(--card)",
            title: (point: Point) => `${name}, ${across.say(point)}: ${shown(metric, point)}`,
          }),
        ),
        namesAtEnds(
          coloured
            .filter(({ beside }) => !beside)
            .map(({ finite, ...line }) => {
              const last = finite.at(-1);
              return { ...line, end: last && { x: across.at(last), y: last.value } };
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
