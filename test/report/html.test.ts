import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { accuracy } from "../../src/metric.ts";
import { type Report, reportHtml, writeReport } from "../../src/report/html.ts";
import { verdict } from "../../src/report/verdict.ts";
import { difference, row, rows } from "./sample.ts";

const report: Report = {
  title: "Rotation on photos",
  verdict: verdict(difference()),
  outcome: "helped",
  headline: difference(),
  facts: [
    ["Images", 'photos <of> "cats" & dogs'],
    ["Seed", "0"],
  ],
  curves: [
    {
      name: "accuracy",
      unit: "",
      points: [
        [64, 0.25],
        [128, 0.5],
      ],
      chance: 0.25,
    },
  ],
  samples: Uint8Array.of(137, 80, 78, 71),
  rows,
  differences: [
    difference(),
    difference({ baseline: "pixels", baselineLayer: "pixels", difference: -0.05, low: -0.09, high: -0.01 }),
  ],
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "report-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("is one file that loads nothing", () => {
  const file = join(folder, "report.html");
  writeReport(file, report);
  writeReport(file, report);
  expect(readdirSync(folder)).toEqual(["report.html"]);
  const html = readFileSync(file, "utf8");
  expect(html).not.toMatch(/(?:src|href|action)="(?!data:)|url\(|@import|<link|fetch\(/);
  expect(html).toContain('src="data:image/png;base64,iVBORw=="');
});

it("shows the sentence large and its details small", () => {
  const html = reportHtml(report);
  expect(html).toContain(
    '<p class="verdict helped">It helped: demo is 15.0 points of accuracy above demo, untrained.<small>40.0 % against 25.0 %; 95 % interval',
  );
  expect(html).toContain("5 draws of labels</small></p>");
  const plain = reportHtml({ ...report, verdict: "Cannot tell (yet) at all.", outcome: "cannot tell" });
  expect(plain).toContain('<p class="verdict cannot-tell">Cannot tell (yet) at all.</p>');
});

it("closes every tag that it opens, and escapes all names", () => {
  const evil = '<script>alert("x")</script>';
  const html = reportHtml({
    ...report,
    title: evil,
    verdict: evil,
    facts: [[evil, evil]],
    curves: [{ name: evil, unit: evil, points: [[0, 1]], chance: Number.NaN }],
    rows: [row(evil, evil, 0.5, { protocol: evil, metric: { ...accuracy, name: evil } })],
    differences: [difference({ encoder: evil, baseline: evil, layer: evil, baselineLayer: evil, protocol: evil })],
  });
  expect(html).not.toContain('alert("');
  for (const page of [html, reportHtml(report)]) expect(unbalanced(page)).toEqual([]);
});

it("has every row, its interval, and the best layer in bold", () => {
  const html = reportHtml(report);
  expect(html.match(/<td class="number">\d/g)).toHaveLength(rows.length);
  expect(html).toMatch(
    /class="first best"><th rowspan="2">layer1<\/th><td>.*?<\/span>demo<\/td>\n<td class="number">40\.0 %<\/td><td class="interval">37\.0 to 43\.0<\/td>/,
  );
  expect(html).not.toMatch(/best"><th rowspan="2">layer2/);
});

it("opens the table that the verdict is about", () => {
  const open = (headline: Report["headline"]) => {
    const { headline: _, ...rest } = report;
    return /<details open><summary>(.*?)<\/summary>/.exec(reportHtml(headline ? { ...rest, headline } : rest))?.[1];
  };
  expect(open({ protocol: "linear", labelsPerClass: "all" })).toBe("linear · all labels · 700 test images, 1 draw");
  expect(open(undefined)).toContain("5 labels per class");
});

it("shows differences on both sides of zero", () => {
  const html = reportHtml(report);
  expect(html).toContain('<td class="number up">+15.0</td><td class="interval">10.0 to 20.0</td>');
  expect(html).toContain('<td class="number down">−5.0</td><td class="interval">−9.0 to −1.0</td>');
});

it("leaves out sections without content", () => {
  const { samples: _, ...rest } = report;
  const html = reportHtml({ ...rest, curves: [], rows: [], differences: [] });
  for (const heading of [
    "How training went",
    "What the network saw",
    "Was it worth it?",
    "All results",
    "How to read",
  ]) {
    expect(html).not.toContain(heading);
  }
});

/** Tags that were opened but not closed, or closed but not opened. */
function unbalanced(html: string): string[] {
  const open: string[] = [];
  const void_ = new Set(["meta", "img", "line", "rect", "path"]);
  const body = html.replace(/<(style|script)>[\s\S]*?<\/\1>/g, "");
  for (const [tag, closing, name = ""] of body.matchAll(/<(\/?)([a-z0-9]+)[^>]*>/g)) {
    if (tag.endsWith("/>") || void_.has(name)) continue;
    if (!closing) open.push(name);
    else if (open.pop() !== name) return [`</${name}>`];
  }
  return open;
}
