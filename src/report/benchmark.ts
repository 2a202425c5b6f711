/** The report of a benchmark: the verdict first, then what it rests on. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { correctFamilies } from "../evaluate/compare.ts";
import type { Difference } from "../evaluate/result.ts";
import { replaceFile } from "../files.ts";
import { showDifference, showValue, signedValue } from "../metric.ts";
import type { Environment } from "../run/environment.ts";
import { type RunStatus, runFiles } from "../run/folder.ts";
import { readMetrics } from "../run/log.ts";
import { duration } from "../setup/terminal.ts";
import type { BenchmarkResult } from "../study/benchmark/benchmark.ts";
import type { TaskResult } from "../study/benchmark/task-results.ts";
import { secondsOfAll } from "../study/benchmark/train-all.ts";
import { curveChart } from "./charts/curve.ts";
import { intervalChart } from "./charts/interval.ts";
import { labelEfficiencyChart } from "./charts/labels.ts";
import { layerChart } from "./charts/layers.ts";
import { confusionPart } from "./confusion.ts";
import { escapeHtml } from "./escape.ts";
import { whatWouldTell } from "./evidence.ts";
import { capital, count, drawCount, labelCount, testImages } from "./format.ts";
import { healthPart } from "./health.ts";
import { factList, pageHtml, pictureFigure, section } from "./page.ts";
import { differenceTable, resultTables } from "./results.ts";
import { curve } from "./run.ts";
import { savedPart, savingsSentence } from "./savings.ts";
import { doubts, helpedWords, outcome, SIGNIFICANT, seenImages } from "./verdict.ts";

/** Writes the page as one self-contained HTML file. @param command what to type to repeat it */
export function writeBenchmark(file: string, result: BenchmarkResult, command: string): void {
  replaceFile(file, benchmarkHtml(result, command));
}

export function benchmarkHtml(result: BenchmarkResult, command: string): string {
  const { images, tasks, rows, differences, gallery, headline, classes, health, options } = result;
  const notes = result.notes.filter((note) => !health.notes.includes(note));
  const [best] = tasks as [TaskResult];
  const shown = { protocol: best.untrained.protocol, labelsPerClass: headline };
  const sections = [
    section("Which task", taskTable(result)),
    severalCounts(result.lines) &&
      section("How many labels it takes", `<div class="charts">${efficiency(result)}</div>`),
    section("Was it worth it?", `<div class="charts">${comparisons(result)}${layers(result)}</div>`),
    section("What was done", facts(result)),
    section("Data health", healthPart(health, options.imageSize, gallery.suspects)),
    notes.length && section("Before the numbers", list(notes)),
    picture(gallery.fixed, `Test images that ${best.title.toLowerCase()} put right`, fixedNote),
    picture(gallery.broken, "Test images that it got wrong instead", brokenNote),
    picture(gallery.neighbours, "What looks alike to it", neighboursNote),
    gallery.confusion && section("What is taken for what", confusionPart({ classes, ...gallery.confusion })),
    section("What each task showed the network", samples(result)),
    section("How training went", `<div class="charts">${curves(result)}</div>`),
    section("Every comparison", differenceTable(differences)),
    section("All results", resultTables(rows, differences, shown)),
    section("How to read this", `<p>${howToRead(result)}</p>`),
    section("How to repeat it", `<pre><code>${escapeHtml(command)}</code></pre>`),
  ];
  return pageHtml({
    title: `Does self-supervised learning help on ${images}?`,
    opening: verdictCard(result),
    sections: sections.filter((one) => typeof one === "string"),
  });
}

/** The verdict as sentences: the first says whether it helped. */
export function benchmarkVerdict({ tasks, headline }: Pick<BenchmarkResult, "tasks" | "headline">): string[] {
  const [best] = tasks as [TaskResult];
  const { value, baselineValue, difference, low, high, metric } = best.untrained;
  const range = `95 % interval ${signedValue(metric, low)} to ${signedValue(metric, high)}`;
  const numbers = `Pre-trained by ${best.title.toLowerCase()}: ${showValue(metric, value)}. The same network untrained: ${showValue(metric, baselineValue)}.`;
  const opening = {
    helped: `${helpedWords(best.untrained)}: ${showDifference(metric, difference)} (${range}).`,
    "did not help": `It did not help: ${showDifference(metric, difference)} (${range}).`,
    "cannot tell": `Cannot tell yet whether it helped: ${showDifference(metric, difference)} (${range}). ${stillOpen(best.untrained)}`,
  }[outcome(best.untrained)];
  const saved = best.savings && headline !== "all" ? [`${savingsSentence(best.savings)}.`] : [];
  return [opening, numbers, ...saved];
}

/** Why it cannot be told, and what would settle it. */
function stillOpen(difference: Difference): string {
  const [first = "", ...rest] = [...(difference.low > 0 ? doubts(difference) : []), whatWouldTell(difference)].join(
    "; ",
  );
  return `${first.toUpperCase()}${rest.join("")}.`;
}

function verdictCard(result: BenchmarkResult): string {
  const [first = "", ...others] = benchmarkVerdict(result);
  const [best] = result.tasks as [TaskResult];
  const { labelPercent, layer } = best.untrained;
  const circumstances = [
    `${labelCount(result.headline, labelPercent)}, ${testImages(best.untrained)}, ${drawCount(best.untrained)}`,
    `layer ${layer}, ${howChosen(result)}`,
    ...seenImages(best.untrained),
  ];
  const small = [...others, `${circumstances.join("; ")}.`].map(escapeHtml).join(" ");
  return `<p class="verdict ${outcome(best.untrained).replaceAll(" ", "-")}">${escapeHtml(first)}<small>${small}</small></p>`;
}

/** How the layer and the best task were chosen. */
const howChosen = ({ tasks }: BenchmarkResult) =>
  tasks[0]?.heldOut === null
    ? `the last${tasks.length > 1 ? ", of the task that was named first" : ""}: with so few labels, none could be held out to choose by`
    : "chosen like the task on held-out training labels";

function taskTable({ tasks, trainings, headline }: BenchmarkResult): string {
  const anySaved = headline !== "all" && tasks.some(({ savings, usesLabels }) => savings && !usesLabels);
  const lines = tasks.map((one) => {
    const { untrained, savings, title, task, usesLabels } = one;
    const { metric, low, high } = untrained;
    const verdict = outcome(untrained);
    const colour = { helped: "up", "did not help": "down", "cannot tell": "" }[verdict];
    const seconds = secondsOfAll(trainings.filter((training) => training.task === task));
    const saved = savings && !usesLabels && headline !== "all" ? savedPart(savings) : "";
    return `<tr><th>${escapeHtml(title)}${usesLabels ? " *" : ""}</th><td class="${colour}">${verdict}</td><td class="number">${showValue(metric, untrained.value)}</td><td class="number ${colour}">${signedValue(metric, untrained.difference)}</td><td class="interval">${signedValue(metric, low)} to ${signedValue(metric, high)}</td>${anySaved ? `<td>${saved}</td>` : ""}<td class="wide note">${escapeHtml(untrained.layer)}</td><td class="number">${duration(seconds * 1000)}</td></tr>`;
  });
  const { metric } = (tasks[0] as TaskResult).untrained;
  return `<div class="card"><div class="scroll"><table><thead><tr><th>Task</th><th>Verdict</th><th class="number">${capital(metric.name)}</th><th class="number">Points gained</th><th class="interval">95 % interval</th>${anySaved ? "<th>Labels</th>" : ""}<th class="wide">${(tasks[0] as TaskResult).heldOut === null ? "Last" : "Best"} layer</th><th class="number">Training</th></tr></thead><tbody>
${lines.join("\n")}
</tbody></table></div></div>${tasks.some(({ usesLabels }) => usesLabels) ? `<p class="note">* learned from all training labels: a yardstick, whatever number of labels its probe is given.</p>` : ""}`;
}

/** Whether there is something to plot over numbers of labels. */
const severalCounts = (lines: BenchmarkResult["lines"]) => lines.some(({ labels }) => labels.length > 1);

/** Tasks in the plot of labels: as many as there are colours. */
const SHOWN = 7;

function efficiency({ tasks, lines }: BenchmarkResult): string {
  const [best] = tasks as [TaskResult];
  const { metric, chance } = best.untrained;
  const series = lines.filter((_, i) => i < SHOWN || i >= tasks.length);
  return labelEfficiencyChart({
    series: series.map(({ name, kind, labels }) => ({ name, kind, points: labels })),
    ...{ metric, chance },
  });
}

function comparisons({ tasks, differences }: BenchmarkResult): string {
  const [best] = tasks as [TaskResult];
  const rows = tasks.flatMap(({ untrained, title }) =>
    differences
      .filter(
        ({ id, protocol, labelsPerClass, trainings }) =>
          id === untrained.id &&
          protocol === untrained.protocol &&
          labelsPerClass === untrained.labelsPerClass &&
          trainings === untrained.trainings,
      )
      .map((one) => ({
        ...one,
        name: `${title} − ${one.baselineRole}`,
      })),
  );
  const sure = correctFamilies(rows).map((one) => ({
    ...one,
    significant: one.p < SIGNIFICANT && (one.low > 0 || one.high < 0),
  }));
  return intervalChart({ rows: sure, metric: best.untrained.metric });
}

function layers({ tasks, lines }: BenchmarkResult): string {
  const [best] = tasks as [TaskResult];
  const { metric, chance } = best.untrained;
  const shown = lines.filter(({ kind }) => kind === "pre-trained" || kind === best.untrained.baselineKind);
  return layerChart({
    series: shown.map(({ name, kind, layers }) => ({ name, kind, points: layers })),
    metric,
    chance,
  });
}

function facts({ images, labelled, tested, classes, trainings, options }: BenchmarkResult): string {
  const [first] = trainings;
  const environment = JSON.parse(readFileSync(runFiles(first?.folder as string).environment, "utf8")) as Environment;
  const lines: [string, string][] = [
    [
      "Images",
      `${images}: ${count(classes.length, "class", "classes")}, ${count(labelled, "labelled image")} to learn from, ${count(tested, "test image")}`,
    ],
    ["Network", `${options.model}, ${options.imageSize} × ${options.imageSize} pixels`],
    [
      "Trainings",
      `${count(trainings.length, "training")} of ${options.epochs === undefined ? duration(60_000 * (first?.options.minutes as number)) : count(options.epochs, "epoch")}${trainings.length > 1 ? " each" : ""}`,
    ],
    [
      "Hardware",
      `${environment.processor}, ${environment.threads} threads, ${environment.device}, ${environment.precision}`,
    ],
    ["Software", `Selfsight ${environment.selfsight}, libtorch ${environment.libtorch}, Node ${environment.node}`],
  ];
  return factList(lines);
}

const list = (sentences: readonly string[]) =>
  `<ul>${sentences.map((one) => `<li>${escapeHtml(one)}</li>`).join("\n")}</ul>`;

function picture(png: Uint8Array | undefined, heading: string, note: string): string | false {
  return png !== undefined && section(heading, pictureFigure(png, { alt: heading, note }));
}

const fixedNote =
  "Below each picture: what the untrained network took it for / what it is. Those that changed most over the draws of labels.";
const brokenNote = "Below each picture: what the pre-trained network takes it for / what it is.";
const neighboursNote =
  "Each row begins with one test image. Beside it are those whose features are nearest, with their similarity (1 is the same).";

function samples({ trainings, tasks }: BenchmarkResult): string {
  return tasks
    .map(({ task, title }) => {
      const file = join(runFiles(trainings.find((one) => one.task === task)?.folder as string).samples, "last.png");
      const note = `${escapeHtml(title)}. Below a picture: what it is, or the network's guess / the right answer. Green is right, red is wrong.`;
      return existsSync(file) ? pictureFigure(readFileSync(file), { alt: `What ${title} shows`, note }) : "";
    })
    .join("\n");
}

function curves({ trainings, tasks }: BenchmarkResult): string {
  return tasks
    .map(({ task, title }) => {
      const files = runFiles(trainings.find((one) => one.task === task)?.folder as string);
      const { metric, guess } = JSON.parse(readFileSync(files.status, "utf8")) as RunStatus;
      const points = curve(readMetrics(files.metrics), metric.name);
      return curveChart({ name: `${title}: ${metric.name}`, unit: "", points, chance: guess.value });
    })
    .join("\n");
}

const howToRead = ({ rows, lines, options, tasks }: BenchmarkResult) =>
  [
    "A network that was trained without labels is frozen, and a simple classifier learns from its features with the number of labels given. What training was worth is the difference to the same network untrained; where its interval holds zero, chance alone could have given it.",
    lines.some(({ kind }) => kind === "from-scratch")
      ? "From scratch means that the same network, untrained, is trained on the labelled images alone. Where its line reaches a pre-trained network's, it has needed that many labels to be as good."
      : "",
    `In the plots, bands are 95 % intervals, and hollow dots are what was not pre-trained${severalCounts(lines) ? "; “all” labels, at the right end, are not to scale" : ""}.${options.seeds > 1 ? ` Lines are means over ${options.seeds} trainings, and their bands allow for these.` : " Everything was trained once: intervals do not allow for chance in training. --seeds 3 would show it."}`,
    "A verdict allows for the number of tasks: with several, one of them may look like a gain by luck (Holm's correction).",
    tasks[0]?.heldOut === null
      ? "With so few labels, none could be held out to choose by: tasks stand in the order in which they were named, and each network shows its last layer."
      : `Tasks and layers are ranked by training labels held out for choosing, never by test labels: a higher number elsewhere is luck that only the test labels could have told. Held-out labels are few, so that close tasks may change places.${rows.some(({ labelsPerClass }) => labelsPerClass === 1) ? " With one label a class none can be held out: the last layer is shown." : ""}`,
  ]
    .filter(Boolean)
    .join(" ");
