/** The report of a study: what it found in sentences, then what they rest on. */
import { join } from "node:path";
import { stringify } from "yaml";
import { replaceFile } from "../files.ts";
import { type Analysis, analyse } from "../study/analysis/analysis.ts";
import { isIdleGain } from "../study/analysis/estimates.ts";
import { withoutLabels } from "../study/analysis/grid.ts";
import { chosenByLabels, nextCommand } from "../study/analysis/ranking.ts";
import type { FinishedStudy } from "../study/analysis/result.ts";
import type { CellResult } from "../study/grid/cell.ts";
import { escapeHtml } from "./escape.ts";
import { count, labelCount, testImages } from "./format.ts";
import { pageHtml, section } from "./page.ts";
import { baselineWords } from "./study/baseline.ts";
import { cellTable, cost, rankingSection, reasons } from "./study/cells.ts";
import { studyCsv } from "./study/csv.ts";
import { heatmaps } from "./study/heatmaps.ts";
import { paragraph } from "./study/html.ts";
import { layers } from "./study/layers.ts";
import { numberSections } from "./study/lines.ts";
import { orders } from "./study/orders.ts";
import { pretext } from "./study/pretext.ts";
import { studyVerdict } from "./study/sentences.ts";
import { variance } from "./study/variance.ts";
import { seenImages } from "./verdict.ts";

/**
 * Writes `study.html`, one self-contained page, and `study.csv`, one line for each cell.
 * @returns their paths, and what the study found in sentences, the most important first
 * @throws SelfsightError for cells that were measured on different test images, and if a file cannot be written
 */
export function writeStudyPages(folder: string, study: FinishedStudy): { files: string[]; sentences: string[] } {
  const analysis = analyse(study);
  const [page, table] = [join(folder, "study.html"), join(folder, "study.csv")];
  replaceFile(page, studyHtml(analysis));
  replaceFile(table, studyCsv(study.cells));
  return { files: [page, table], sentences: [...studyVerdict(analysis), ...studyNotes(study.cells)] };
}

export function studyHtml(analysis: Analysis): string {
  const { study } = analysis;
  const { images } = study.config;
  const sections = [
    ...(study.cells.length ? measured(analysis) : []),
    titled("Before you compare", notesOf(study)),
    titled("What to train next", next(study)),
    titled("What failed", reasons(study.failed)),
    titled("What cannot be trained", reasons(study.leftOut)),
    study.cells.length ? section("What it took", cost(analysis)) : undefined,
    section("How to repeat it", repetition(study)),
  ];
  return pageHtml({
    title: [study.name, images].filter(Boolean).join(": "),
    opening: opening(analysis),
    sections: sections.filter((one) => one !== undefined),
  });
}

/** What a reader should know of the images and the measurements, each sentence once. */
function notesOf({ cells }: FinishedStudy): string | undefined {
  const notes = studyNotes(cells);
  return notes.length ? `<ul>${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join("")}</ul>` : undefined;
}

const studyNotes = (cells: FinishedStudy["cells"]): string[] => [
  ...new Set(
    cells.flatMap((cell) => [
      ...cell.notes,
      ...seenImages(cell.difference).map((seen) => `${cell.name}: ${seen}.`),
      ...below(cell),
    ]),
  ),
];

const below = (cell: CellResult): string[] =>
  isIdleGain([cell])
    ? [
        `${cell.name}: the network before did worse than guessing, and the encoder is not clearly better than that: its gain counts for nothing.`,
      ]
    : [];

function measured(analysis: Analysis): (string | undefined)[] {
  return [
    titled("Which task", rankingSection(analysis)),
    titled(analysis.grid.columns.length > 1 ? "Tasks and architectures" : "Tasks and settings", heatmaps(analysis)),
    titled("Does the ranking change with the architecture?", orders(analysis)),
    ...numberSections(analysis),
    titled("Where in the network", layers(analysis)),
    titled("Does a better pretext score mean better features?", pretext(analysis)),
    titled("Where the differences come from", variance(analysis)),
    section("Every cell", cellTable(analysis)),
    section("How to read this", paragraph(howToRead(analysis))),
  ];
}

const titled = (heading: string, content: string | undefined) =>
  content === undefined ? undefined : section(heading, content);

function opening(analysis: Analysis): string {
  const [first = "", ...others] = studyVerdict(analysis);
  const findings = others.map((sentence) => `<li>${escapeHtml(sentence)}</li>`);
  return `<p class="verdict ${kindOf(analysis)}">${escapeHtml(first)}${circumstances(analysis)}</p>
${findings.length ? `<ul class="findings">${findings.join("\n")}</ul>` : ""}`;
}

function kindOf({ ranking: [best, ...others] }: Analysis): string {
  if (!best) return "";
  if ([best, ...others].some(({ significant, difference }) => significant && difference > 0)) return "helped";
  return best.significant ? "did-not-help" : "cannot-tell";
}

function circumstances({ study: { cells }, repeated }: Analysis): string {
  const [first] = cells;
  if (!first) return "";
  const { protocol, labelsPerClass, labelPercent, draws } = first.difference;
  const words = [
    ...[
      count(cells.length, "training"),
      protocol,
      labelCount(labelsPerClass, labelPercent),
      testImages(first.difference),
    ],
    ...[count(draws, "draw of labels", "draws of labels"), repeated ? "several seeds" : "one seed"],
  ];
  return `<small>${escapeHtml(words.join("; "))}.</small>`;
}

/** Undefined if nothing was trained without labels. */
function next(study: FinishedStudy): string | undefined {
  const command = nextCommand(study);
  if (command === undefined) return undefined;
  const by = chosenByLabels(withoutLabels(study.cells)) ? "held-out training labels" : "the test images";
  return `${paragraph(`The best by ${by}, for longer:`)}
<pre><code>${escapeHtml(command)}</code></pre>`;
}

function repetition({ command, config }: FinishedStudy): string {
  const how = command === undefined ? "" : `<pre><code>${escapeHtml(command)}</code></pre>\n`;
  return `${how}<details><summary>Its settings</summary><pre class="settings"><code>${escapeHtml(stringify(config))}</code></pre></details>
<p class="note">The numbers: study.json, and study.csv with one line for each cell.</p>`;
}

function howToRead(analysis: Analysis): string {
  const { repeated, study } = analysis;
  const { network } = baselineWords(analysis);
  const drawn = study.cells.some(({ difference }) => difference.draws > 1);
  return [
    withoutLabels(study.cells).length === study.cells.length
      ? "Each network was trained without labels."
      : "Each network was trained without labels, but for the yardsticks, which learn from all training labels.",
    `Then it is measured with the number of labels given. What training was worth is the difference to ${network}, each at ${chosenByLabels(study.cells) ? "the layer that did best on training labels held out for choosing" : "its last layer: no training labels could be held out to choose one by"}.`,
    "Where an interval holds zero, chance alone could have given the difference. All networks are compared on the same test images, so that images that are hard for all of them do not widen the intervals of differences.",
    repeated
      ? `Trainings were repeated with other seeds: values are means over them, and intervals allow for other test images${drawn ? ", other draws from the labels there are" : ""} and other trainings. How much trainings differ is taken from all repetitions together.`
      : `Everything was trained once: intervals allow for ${drawn ? "other test images and other draws from the labels there are" : "other test images"}, but not for chance in training. More seeds would show it.`,
    drawn ? "" : "Labels were drawn once: intervals do not allow for other labels. More draws would show that.",
  ]
    .filter(Boolean)
    .join(" ");
}
