/** Whether the score on the pretext task tells how good the features are. */
import type { Metric } from "../../metric.ts";
import type { Analysis } from "../../study/analysis/analysis.ts";
import { LEAST_POINTS, type PretextLink } from "../../study/analysis/pretext.ts";
import { scatterChart } from "../charts/scatter.ts";
import { charts, heading, note, number, paragraph, table, text } from "./html.ts";
import { decimal, mainLinks, metricOf, pretextSentence } from "./sentences.ts";

/** Undefined if no task has two networks to compare. */
export function pretext(analysis: Analysis): string | undefined {
  const { links, grid, study } = analysis;
  const metric = metricOf(analysis) as Metric;
  const shown = links.filter(({ points }) => points.length > 1);
  if (!shown.length) return undefined;
  if (!shown.some(({ found }) => found)) return paragraph(pretextSentence(links));
  const over = mainLinks(shown);
  const within = shown.filter((link) => !over.includes(link));
  const drawn = over
    .filter(({ points }) => points.length >= LEAST_POINTS)
    .map(({ row, points }) => {
      const own = study.cells.find((cell) => grid.rowOf(cell) === row)?.pretext.metric as Metric;
      return scatterChart({
        caption: row,
        x: { name: "pretext", metric: own },
        y: { name: "features", metric },
        groups: grid.columns,
        points: points.map((point) => ({ x: point.pretext, y: point.transfer, group: point.model })),
      });
    });
  return [
    paragraph(pretextSentence(links)),
    charts(drawn),
    tableOf(over),
    within.length > 0 && `<details><summary>Within each architecture</summary>${tableOf(within)}</details>`,
    note(
      "Spearman's ρ is 1 if the network that is better at the pretext task always has the better features, −1 if it always has the worse. Scores of different tasks, or of one task with other options, are not of one scale, so that each is looked at alone: over all its networks, and within each architecture over its settings, seeds averaged. Seeds are points of their own only where nothing else varies.",
      "The interval is what other test images, labels and trainings would give with these networks; p is how often chance alone gives as much to so many networks, corrected for the number of lines of the table.",
      `With fewer than ${LEAST_POINTS} points there is no number: even a perfect order of three is often chance.`,
    ),
  ]
    .filter((part) => part !== false)
    .join("\n");
}

const tableOf = (links: readonly PretextLink[]) =>
  table(
    ["Task", "Over", number("Points"), number("ρ"), text("95 % interval", "interval"), number("p")],
    links.map(line),
  );

function line({ row, model, points, found }: PretextLink) {
  const cells = found
    ? [
        number(decimal(found.rho)),
        text(`${decimal(found.low)} to ${decimal(found.high)}`, "interval"),
        number(found.p < 0.001 ? "< 0.001" : found.p.toFixed(3)),
      ]
    : [
        text(points.length < LEAST_POINTS ? "too few points" : "all the same", "number note"),
        text("", "interval"),
        text(""),
      ];
  return [heading(row), text(model ?? "all networks"), number(String(points.length)), ...cells];
}
