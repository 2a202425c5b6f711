/** The report: one self-contained HTML file. Its only script is one line that unfolds everything for printing. */
import type { Difference, ResultRow } from "../evaluate/result.ts";
import { replaceFile } from "../files.ts";
import { type Curve, curveChart } from "./charts/curve.ts";
import { escapeHtml } from "./escape.ts";
import { factList, pageHtml, pictureFigure, section } from "./page.ts";
import { differenceTable, resultTables } from "./results.ts";
import type { Outcome } from "./verdict.ts";

export interface Report {
  title: string;
  /** One sentence. Brackets at its end are shown in smaller type. */
  verdict: string;
  outcome?: Outcome;
  /** What was done: data, task, model, time, hardware, versions, seed. */
  facts: readonly (readonly [name: string, value: string])[];
  curves: readonly Curve[];
  /** A PNG of what the network saw. */
  samples?: Uint8Array;
  /** A PNG of images that look alike to the encoder, one row each. */
  neighbours?: Uint8Array;
  /** What a reader should know before the numbers, one sentence each. */
  notes?: readonly string[];
  rows: readonly ResultRow[];
  differences: readonly Difference[];
  /** What the verdict is about: its table is open. */
  headline?: Pick<Difference, "protocol" | "labelsPerClass">;
}

/** Writes the report as one self-contained HTML file, atomically. */
export function writeReport(file: string, report: Report): void {
  replaceFile(file, reportHtml(report));
}

export function reportHtml({
  title,
  verdict,
  outcome,
  facts,
  curves,
  samples,
  neighbours,
  notes = [],
  rows,
  differences,
  headline,
}: Report): string {
  const sections = [
    section("What was done", factList(facts)),
    curves.length && section("How training went", `<div class="charts">${curves.map(curveChart).join("\n")}</div>`),
    samples && section("What the network saw", samplesFigure(samples)),
    neighbours && section("What looks alike to it", neighboursFigure(neighbours)),
    notes.length &&
      section("Before the numbers", `<ul>${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join("\n")}</ul>`),
    differences.length && section("Was it worth it?", differenceTable(differences)),
    rows.length && section("All results", resultTables(rows, differences, headline)),
    rows.length && section("How to read this", `<p>${howToRead}</p>`),
  ];
  return pageHtml({
    title,
    opening: verdictParagraph(verdict, outcome),
    sections: sections.filter(Boolean) as string[],
  });
}

const howToRead = [
  "A network that was trained without labels is frozen, and a simple classifier learns from its features with the number of labels given: the bars show how many test images it then gets right, the whiskers the 95 % interval over other test images and other draws from these labels. A new set of labelled images would vary more, the more so the more of these are drawn at once.",
  "What training was worth is the difference to the same network untrained, to raw pixels and to descriptors made by hand; where its interval holds zero, chance alone could have given it.",
  "The bold layer speaks for its encoder because it did best on training labels held out for choosing, so a higher number at another layer is luck that only the test labels could have told.",
].join(" ");

function verdictParagraph(verdict: string, outcome: Outcome | undefined): string {
  const { sentence = verdict, details } =
    /^(?<sentence>.*?) \((?<details>[^()]*(?:\([^()]*\)[^()]*)*)\)\.$/s.exec(verdict)?.groups ?? {};
  const small = details ? `<small>${escapeHtml(details)}</small>` : "";
  const end = details ? "." : "";
  return `<p class="verdict ${outcome?.replaceAll(" ", "-") ?? ""}">${escapeHtml(sentence)}${end}${small}</p>`;
}

const neighboursFigure = (png: Uint8Array) =>
  pictureFigure(png, {
    alt: "Rows of images: one, and those most alike to it",
    note: "Each row begins with one image. Beside it are those whose features are nearest, with their similarity (1 is the same).",
  });

const samplesFigure = (png: Uint8Array) =>
  pictureFigure(png, {
    alt: "Images as the network saw them, each with its guess and the right answer",
    note: "Below each picture: the network's guess / the right answer. Green where they agree.",
  });
