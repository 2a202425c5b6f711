/** The ranking of tasks for a terminal. */
import { showDifference, showValue, signedValue } from "../../metric.ts";
import { textWidth } from "../../setup/terminal.ts";
import type { RankedTask } from "../../study/analysis/ranking.ts";

/**
 * One line for each task, the best first: its gain with the 95 % interval, the metric and that of the network untrained. "~" stands
 * before those that cannot be told apart from the first.
 */
export function rankingLines(ranked: readonly RankedTask[]): string[] {
  const width = Math.max(0, ...ranked.map(({ name }) => textWidth(name)));
  return ranked.map(({ rank, name, tied, value, untrained, difference, low, high, cells }) => {
    const metric = cells[0]?.difference.metric;
    if (!metric) return name;
    const interval = `[${signedValue(metric, low)}, ${signedValue(metric, high)}]`;
    const place = `${tied ? "~" : ""}${rank}`.padStart(3);
    const padded = name + " ".repeat(width - textWidth(name));
    return `${place}  ${padded}  ${showDifference(metric, difference)} ${interval}  ${showValue(metric, value)}, untrained ${showValue(metric, untrained)}`;
  });
}
