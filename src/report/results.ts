/** The results as HTML: the differences, then a table with bars for each protocol and number of labels. */
import type { Difference, ResultRow } from "../evaluate/result.ts";
import { plainValue, showDifference, showValue, signedValue } from "../metric.ts";
import { type Block, blocksOf } from "./blocks.ts";
import { seriesColour } from "./colours.ts";
import { escapeHtml } from "./escape.ts";
import { labelCount } from "./format.ts";

/** Every encoder against each of its baselines, with the interval as a bar around zero. */
export function differenceTable(differences: readonly Difference[]): string {
  const reach = Math.max(0.01, ...differences.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]));
  const pairs = [...new Set(differences.map(({ encoder, baseline }) => `${encoder} − ${baseline}`))];
  const groups = pairs.map((pair) => {
    const own = differences.filter(({ encoder, baseline }) => `${encoder} − ${baseline}` === pair);
    const heading = `<tr class="group"><th colspan="5">${escapeHtml(pair)}</th></tr>`;
    return `<tbody>${heading}\n${own.map((one) => differenceLine(one, reach)).join("\n")}</tbody>`;
  });
  return `<div class="card"><div class="scroll"><table><thead><tr><th>Measured by</th><th class="wide">Layers</th><th class="number">Points</th><th class="interval">95 % interval</th><th class="middle">worse | better</th></tr></thead>
${groups.join("\n")}
</table></div></div>${differences.length > 1 ? '<p class="note">Each interval is about its comparison alone: where nothing differs, one in twenty lies beyond zero by chance.</p>' : ""}`;
}

function differenceLine(one: Difference, reach: number): string {
  const sure = one.low > 0 ? "up" : one.high < 0 ? "down" : "";
  return `<tr><td>${escapeHtml(one.protocol)}, ${labelCount(one.labelsPerClass, one.labelPercent)}</td><td class="wide note">${escapeHtml(one.layer)} − ${escapeHtml(one.baselineLayer)}</td>
<td class="number ${sure}">${signedValue(one.metric, one.difference)}</td><td class="interval">${interval(one)}</td><td class="bar">${differenceBar(one, reach)}</td></tr>`;
}

/** One folded table per protocol and number of labels. The one that the verdict is about, or else the first, is open. */
export function resultTables(
  rows: readonly ResultRow[],
  differences: readonly Difference[],
  headline?: Pick<Difference, "protocol" | "labelsPerClass">,
): string {
  const encoders = [...new Set(rows.map(({ encoder }) => encoder))];
  const blocks = blocksOf(rows, differences);
  const isHeadline = (block: Block) =>
    headline
      ? block.protocol === headline.protocol && block.labelsPerClass === headline.labelsPerClass
      : block === blocks[0];
  return blocks.map((block) => blockTable(block, encoders, isHeadline(block))).join("\n");
}

function blockTable(block: Block, encoders: readonly string[], open: boolean): string {
  const most = Math.max(...block.rows.map(({ high }) => high), 0.05);
  const reach = Math.ceil(most * 20) / 20; // value of a full bar
  const lines = block.layers.flatMap((layer) => {
    const cells = block.encoders.map((encoder) => block.cell(layer, encoder)).filter((row) => row !== undefined);
    return cells.map((row, i) => {
      const name = i === 0 ? `<th rowspan="${cells.length}">${escapeHtml(layer)}</th>` : "";
      const classes = [i === 0 && "first", i === cells.length - 1 && "last", block.isBest(row) && "best"];
      const colour = seriesColour(encoders.indexOf(row.encoder));
      return `<tr class="${classes.filter(Boolean).join(" ")}">${name}<td><span class="swatch" style="background:${colour}"></span>${escapeHtml(row.encoder)}</td>
<td class="number">${showValue(row.metric, row.value)}</td><td class="interval">${interval(row)}</td><td class="bar">${valueBar(row, reach, colour)}</td></tr>`;
    });
  });
  return `<details${open ? " open" : ""}><summary>${escapeHtml(block.title)}</summary><div class="scroll"><table><thead><tr><th>Layer</th><th>Encoder</th><th class="number">${escapeHtml(block.rows[0]?.metric.name ?? "")}</th><th class="interval">95 % interval</th><th>0 to ${block.rows[0] ? showValue(block.rows[0].metric, reach).replace(".0 %", " %") : ""}</th></tr></thead><tbody>
${lines.join("\n")}
</tbody></table></div></details>`;
}

/** Has no text, so that it can be stretched to any width. */
function valueBar({ value, low, high, metric }: ResultRow, reach: number, colour: string): string {
  const at = (part: number) => ((part / reach) * 100).toFixed(2);
  return `<svg viewBox="0 0 100 16" preserveAspectRatio="none" role="img" aria-label="${showValue(metric, value)}"><rect width="${at(value)}" y="2" height="12" style="fill:${colour}"/>${whisker(at(low), at(high))}</svg>`;
}

/** A bar around zero with its interval, without text. @param reach the difference at either end */
export function differenceBar(
  { difference, low, high, metric }: Pick<Difference, "difference" | "low" | "high" | "metric">,
  reach: number,
): string {
  const at = (part: number) => (50 + (part / reach) * 49).toFixed(2);
  const [from, to] = [Math.min(0, difference), Math.max(0, difference)];
  const colour = low > 0 ? "var(--good)" : high < 0 ? "var(--bad)" : "var(--s1)";
  const bar = `<rect x="${at(from)}" width="${(((to - from) / reach) * 49).toFixed(2)}" y="2" height="12" style="fill:${colour}"/>`;
  return `<svg viewBox="0 0 100 16" preserveAspectRatio="none" role="img" aria-label="${showDifference(metric, difference)}">${bar}<line class="zero" x1="50" x2="50" y1="0" y2="16"/>${whisker(at(low), at(high))}</svg>`;
}

function whisker(low: string, high: string): string {
  return `<path class="whisker" fill="none" d="M${low} 5V11M${low} 8H${high}M${high} 5V11"/>`;
}

function interval({ low, high, metric }: Pick<ResultRow, "low" | "high" | "metric">): string {
  const [from, to] = [low, high].map((part) =>
    plainValue(metric, part)
      .replace(/^-(?=0\.?0*$)/, "")
      .replace("-", "−"),
  );
  return `${from} to ${to}`;
}
