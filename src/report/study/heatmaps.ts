/** Tasks by architectures: the gain over the untrained network, and the metric itself. */
import type { Metric } from "../../metric.ts";
import type { Analysis, MeasureName } from "../../study/analysis/analysis.ts";
import { isIdleGain, significant } from "../../study/analysis/estimates.ts";
import { axisName } from "../charts/axes.ts";
import { heatmapChart } from "../charts/heatmap.ts";
import { capital } from "../format.ts";
import { baselineWords } from "./baseline.ts";
import { charts, meansOver, note, wideCharts } from "./html.ts";
import { metricOf } from "./sentences.ts";

/** With more settings than this, their mean is shown. */
const FEW = 4;
/** Of architectures in a chart that is half as wide as the page. */
const NARROW = 3;

/** Undefined for one architecture in one setting: the ranking has it all. */
export function heatmaps(analysis: Analysis): string | undefined {
  const { grid, places } = analysis;
  const metric = metricOf(analysis) as Metric;
  const { rows, columns, settings } = grid;
  if (columns.length === 1 && settings.length === 1) return undefined;
  const flat = columns.length === 1; // then settings stand across
  const across = flat ? settings : columns;
  const few = flat || settings.length <= FEW;
  const kinds = [
    {
      measure: "gain",
      caption: `Gain in ${axisName(metric)} over ${baselineWords(analysis).network}`,
      differences: true,
    },
    { measure: "performance", caption: capital(axisName(metric)), differences: false },
  ] as const;
  const shown = few && !flat ? settings : [undefined];
  const drawn = kinds.flatMap(({ measure, caption, differences }) =>
    shown.map((setting) =>
      heatmapChart({
        caption: [caption, setting].filter(Boolean).join(", "),
        ...{ rows, columns: across, metric, differences },
        cells: flat
          ? settings.flatMap((own) => cellsOf(analysis, own, measure).map((cell) => ({ ...cell, column: own })))
          : cellsOf(analysis, setting, measure),
      }),
    ),
  );
  const yardsticks = analysis.places.filter(({ yardstick }) => yardstick);
  const labels = [...new Set(yardsticks.map(({ row }) => row))];
  return [
    across.length > NARROW ? wideCharts(drawn) : charts(drawn),
    note(
      "Below each value: its 95 % interval.",
      `Hatched: the difference to ${baselineWords(analysis).network} is no more than chance could give, corrected for the number of cells${places.some(({ idle }) => idle) ? `, or ${baselineWords(analysis).network} does worse than guessing and the trained one is not clearly better than that` : ""}.`,
      !few && meansOver(settings),
      labels.length > 0 &&
        `${labels.join(", ")}: learned from all training labels, a yardstick that takes no part in rankings.`,
    ),
  ].join("\n");
}

function cellsOf({ grid, places, estimate }: Analysis, setting: string | undefined, measure: MeasureName) {
  const found = grid.rows.flatMap((row) =>
    grid.columns.flatMap((column) => {
      const own = places.filter(
        (place) => place.row === row && place.column === column && (setting === undefined || place.setting === setting),
      );
      if (!own.length) return [];
      const cells = own.flatMap((place) => place.cells);
      const { value, low, high } = estimate(cells, measure);
      const { p } = estimate(cells, "gain");
      return [{ row, column, value, low, high, p, sure: own[0]?.significant as boolean, idle: isIdleGain(cells) }];
    }),
  );
  const ofMeans = significant(found.map(({ p }) => p));
  return found.map((one, i) => ({
    ...one,
    significant: setting === undefined ? (ofMeans[i] as boolean) && !one.idle : one.sure,
  }));
}
