/** Comparisons with their intervals: a forest plot. */
import { type Metric, signedValue } from "../../metric.ts";
import { cut } from "../../setup/terminal.ts";
import { axisFormat, below, span } from "./axes.ts";
import { figure } from "./plot.ts";

export interface IntervalRow {
  name: string;
  /** By how much the first of the two is better; negative if it is worse. */
  difference: number;
  /** 95 % interval. */
  low: number;
  high: number;
  /** Default: whether the interval excludes zero. */
  significant?: boolean;
}

/** Most characters of a name, so that there is room for the difference beside it on a phone. */
const NAME = 44;
const ROW = 48;
const MARGIN = { top: 6, bottom: 44 };

/** One row for each comparison, in the given order. The colour says better, worse, or not clear (hollow). */
export function intervalChart({ rows, metric }: { rows: readonly IntervalRow[]; metric: Metric }): string {
  const shown = rows
    .filter(({ difference, low, high }) => [difference, low, high].every(Number.isFinite))
    .map((row, at) => ({ ...row, at, colour: colourOf(row) }));
  const unit = [metric.unit === "%" ? "points of" : "", metric.name, metric.unit === "%" ? "" : metric.unit];
  const axis = unit.filter(Boolean).join(" ");
  const format = axisFormat(metric);
  return figure({
    caption: `Difference in ${axis}`,
    label: `Differences in ${axis}, each with its 95 % interval: ${shown.map(({ name, difference }) => `${name} ${signedValue(metric, difference)}`).join("; ")}`,
    hasData: shown.length > 0,
    draw: (plot) => {
      const row = { y: "at", stroke: "colour" } as const;
      const name = { y: "at", dy: -10, fill: "var(--ink)" } as const;
      return {
        height: MARGIN.top + MARGIN.bottom + ROW * shown.length,
        marginLeft: 16,
        marginTop: MARGIN.top,
        marginBottom: MARGIN.bottom,
        x: { domain: span([0, ...shown.flatMap(({ low, high }) => [low, high])]), nice: 5 },
        y: { axis: null, domain: [shown.length - 0.5, -0.5] },
        color: { type: "identity" },
        marks: [
          plot.gridX({ ticks: 5, stroke: "var(--rule)", strokeOpacity: 1 }),
          plot.axisX({ ...below, ticks: 5, tickFormat: format, label: "← worse · better →" }),
          plot.ruleX([0], { stroke: "currentColor", className: "zero-line" }),
          plot.text(shown, {
            ...name,
            text: (one) => cut(one.name, NAME),
            title: (one) => (cut(one.name, NAME) === one.name ? null : one.name),
            ...halo,
            frameAnchor: "left",
            dx: -12,
          }),
          plot.text(shown, {
            ...name,
            text: (one) => signedValue(metric, one.difference),
            ...halo,
            frameAnchor: "right",
            dx: 12,
            fontWeight: 600,
            fill: "colour",
          }),
          plot.ruleY(shown, { ...row, x1: "low", x2: "high", strokeWidth: 2.5, dy: 8 }),
          plot.dot(shown, {
            ...row,
            x: "difference",
            r: 5,
            strokeWidth: 2.5,
            dy: 8,
            fill: (one) => (one.colour === UNCLEAR ? "var(--card)" : one.colour),
          }),
        ],
      };
    },
  });
}

const UNCLEAR = "var(--soft)";
const halo = { stroke: "var(--card)", strokeWidth: 4 } as const;

function colourOf({ difference, low, high, significant = low > 0 || high < 0 }: IntervalRow): string {
  if (!significant) return UNCLEAR;
  return difference > 0 ? "var(--good)" : "var(--bad)";
}
