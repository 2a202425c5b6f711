/** How much of the differences between cells is the task's, the architecture's, both together's, and luck. */
import { type Metric, showDifference } from "../../metric.ts";
import type { Analysis } from "../../study/analysis/analysis.ts";
import { escapeHtml } from "../escape.ts";
import { heading, meansOver, table } from "./html.ts";
import { componentParts, metricOf, varianceSentence } from "./sentences.ts";

export function variance(analysis: Analysis): string | undefined {
  const { components, full } = analysis;
  const metric = metricOf(analysis) as Metric;
  if (!components) return undefined;
  const lines = componentParts(components).map(({ name, variance, share }) => [
    heading(name),
    { html: showDifference(metric, Math.sqrt(variance)).replace("+", ""), kind: "number" },
    { html: `${Math.round(100 * share)} %`, kind: "number" },
    { html: bar(share), kind: "bar" },
  ]);
  const rough = full.rows.length < 10 || full.columns.length < 10;
  const notes = [
    "The middle column is a standard deviation: how far two that differ in nothing else usually lie from their mean.",
    meansOver(full.settings),
    rough && "From so few tasks and architectures these are rough: others could give other shares.",
    Number.isNaN(components.repetitions) &&
      "No training was repeated with another seed, so what luck does is part of how well the two suit each other.",
    full.leftOut,
  ];
  return `<p>${escapeHtml(varianceSentence(analysis, metric))}</p>
${table(["What differs", { html: "Deviation", kind: "number" }, { html: "Share", kind: "number" }, ""], lines)}
<p class="note">${escapeHtml(notes.filter(Boolean).join(" "))}</p>`;
}

const bar = (share: number) =>
  `<svg viewBox="0 0 100 16" preserveAspectRatio="none" role="img" aria-label="${Math.round(100 * share)} %"><rect width="${(100 * share).toFixed(2)}" y="2" height="12" style="fill:var(--s0)"/></svg>`;
