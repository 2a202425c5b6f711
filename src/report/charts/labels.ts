/** Label efficiency: how good an encoder's features are with few labels, and with more. */
import { labelCount } from "../format.ts";
import { numberChart } from "./numbers.ts";
import type { Measured, SeriesChart } from "./series.ts";

export interface LabelPoint extends Measured {
  /** For each class. */
  labels: number | "all";
}

/** It is wider than others: it has most lines, and their names beside them. */
const WIDTH = 600;

/** Each encoder's metric over the number of labels per class, on a logarithmic axis; "all" stands at its right end. */
export function labelEfficiencyChart(chart: SeriesChart<LabelPoint>): string {
  const series = chart.series.map((one) => ({
    ...one,
    points: one.points.map((point) => ({ ...point, at: point.labels })),
  }));
  return numberChart(
    { ...chart, series },
    {
      width: WIDTH,
      name: "labels per class",
      log: true,
      text: (place) => place.toLocaleString("en-US"),
      say: ({ labels }) => labelCount(labels),
    },
  );
}
