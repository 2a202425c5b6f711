/** A metric over something that is counted or measured: labels, width, images, parameters. */
import { below } from "./axes.ts";
import { drawnWidth, WIDTH } from "./plot.ts";
import { type Measured, type SeriesChart, seriesChart, widthOfPlot } from "./series.ts";

export interface NumberPoint extends Measured {
  at: number | "all";
}

export interface NumberAxis<Point> {
  /** Of the whole chart, in its own units. */
  width?: number;
  /** "labels per class". */
  name: string;
  /** Default: linear. */
  log?: boolean;
  /** Where ticks may stand. Default: the points' places. */
  ticks?: readonly number[];
  text(value: number): string;
  /** A point's place in words. */
  say(point: Point): string;
}

/** Where "all" is drawn: this many times the largest number, whatever it stands for. */
const ALL = 2.5;

/** One line for each series; "all" stands at the right end of the axis. */
export function numberChart<Point extends NumberPoint>(chart: SeriesChart<Point>, axis: NumberAxis<Point>): string {
  const given = [...new Set(chart.series.flatMap(({ points }) => points.map(({ at }) => at)))];
  const numbers = given.filter((one) => one !== "all").sort((a, b) => a - b);
  const right = (numbers.at(-1) ?? 1) * ALL;
  const places = [...numbers, ...(numbers.length < given.length ? [right] : [])];
  const [least, most] = [places[0] ?? 1, places.at(-1) ?? 1];
  const room = (most - least) / 12 || Math.abs(most) / 2 || 1;
  const domain: [number, number] = axis.log ? [least / 1.25, most * 1.25] : [least - room, most + room];
  const text = (place: number) => (place === right ? "all" : axis.text(place));
  const along = (place: number) => (axis.log ? Math.log(place) : place);
  const width = axis.width ?? WIDTH;
  const unit = widthOfPlot(width, chart.series) / (along(domain[1]) - along(domain[0]));
  const fits = (a: number, b: number) => unit * (along(b) - along(a)) >= drawnWidth(text(a) + text(b)) / 2 + 6;
  return seriesChart(chart, {
    width,
    name: axis.name,
    at: ({ at }) => (at === "all" ? right : at),
    say: axis.say,
    marginBottom: 44,
    scale: { type: axis.log ? "log" : "linear", domain },
    axis: (plot) =>
      plot.axisX(readable(axis.ticks ?? places, fits), { ...below, tickFormat: text, text, label: axis.name }),
  });
}

/** The places whose texts do not touch, from the right. */
function readable(places: readonly number[], fits: (place: number, next: number) => boolean): number[] {
  const kept: number[] = [];
  for (const place of places.toReversed()) {
    const [next] = kept;
    if (next === undefined || fits(place, next)) kept.unshift(place);
  }
  return kept;
}
