/** Where in a network the features are good: each layer's metric. */
import { cut } from "../../setup/terminal.ts";
import { below } from "./axes.ts";
import { drawnWidth } from "./plot.ts";
import { type Measured, type SeriesChart, seriesChart, widthOfPlot } from "./series.ts";

export interface LayerPoint extends Measured {
  layer: string;
}

/** Narrow enough to stand beside another chart. */
const WIDTH = 470;
/** Most characters of a layer's name. */
const LAYER_NAME = 12;

/** Each encoder's metric over its layers, in the order of their first mention: from shallow to deep. */
export function layerChart(chart: SeriesChart<LayerPoint>): string {
  const layers = [...new Set(chart.series.flatMap(({ points }) => points.map(({ layer }) => layer)))];
  const short = (layer: string) => cut(layer, LAYER_NAME);
  const widest = Math.max(0, ...layers.map((layer) => drawnWidth(short(layer))));
  const upright = widest + 6 > widthOfPlot(WIDTH, chart.series) / layers.length;
  return seriesChart(chart, {
    width: WIDTH,
    name: "layer",
    at: ({ layer }) => layer,
    say: ({ layer }) => layer,
    marginBottom: upright ? widest + 14 : 28,
    scale: { type: "point", domain: layers, padding: 0.5 },
    axis: (plot) =>
      plot.axisX({ ...below, tickFormat: short, label: null, ...(upright && { tickRotate: -90, textAnchor: "end" }) }),
  });
}
