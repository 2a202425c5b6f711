/** Label efficiency: how good an encoder's features are with few labels, and with more. */
import { labelCount } from "../format.ts";
import { below } from "./axes.ts";
import { drawnWidth } from "./plot.ts";
import { type Measured, type SeriesChart, seriesChart, widthOfPlot } from "./series.ts";

export interface LabelPoint extends Measured {
  /** For each class. */
  labels: number | "all";
}

/** It is wider than others: it has most lines, and their names beside them. */
const WIDTH = 600;
/** Where "all" is drawn: this many times the largest number of labels, whatever it stands for. */
const ALL = 2.5;

/** Each encoder's metric over the number of labels per class, on a logarithmic axis; "all" stands at its right end. */
export function labelEfficiencyChart(chart: SeriesChart<LabelPoint>): string {
  const labels = [...new Set(chart.series.flatMap(({ points }) => points.map((point) => point.labels)))];
  const counts = labels.filter((one) => one !== "all").sort((a, b) => a - b);
  const right = (counts.at(-1) ?? 1) * ALL;
  const at = (one: number | "all") => (one === "all" ? right : one);
  const places = [...counts, ...(counts.length < labels.length ? [right] : [])];
  const domain: [number, number] = [(places[0] ?? 1) / 1.25, (places.at(-1) ?? 1) * 1.25];
  const text = (place: number) => (place === right ? "all" : place.toLocaleString("en-US"));
  return seriesChart(chart, {
    width: WIDTH,
    name: "labels per class",
    at: ({ labels }) => at(labels),
    say: (point) => labelCount(point.labels),
    marginBottom: 44,
    scale: { type: "log", domain },
    axis: (plot) =>
      plot.axisX(readable(places, text, domain, widthOfPlot(WIDTH, chart.series)), {
        ...below,
        text,
        label: "labels per class",
      }),
  });
}

/** The places whose texts do not touch, from the right. */
function readable(
  places: readonly number[],
  text: (place: number) => string,
  [low, high]: [number, number],
  width: number,
): number[] {
  const unit = width / Math.log(high / low);
  const kept: number[] = [];
  for (const place of places.toReversed()) {
    const next = kept[0];
    const room = next === undefined ? Number.POSITIVE_INFINITY : unit * Math.log(next / place);
    if (next === undefined || room >= drawnWidth(text(place) + text(next)) / 2 + 6) kept.unshift(place);
  }
  return kept;
}
