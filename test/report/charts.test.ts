import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { accuracy } from "../../src/metric.ts";
import { confusionChart } from "../../src/report/charts/confusion.ts";
import { type Curve, curveChart } from "../../src/report/charts/curve.ts";
import { heatmapChart } from "../../src/report/charts/heatmap.ts";
import { intervalChart } from "../../src/report/charts/interval.ts";
import { labelEfficiencyChart } from "../../src/report/charts/labels.ts";
import { layerChart } from "../../src/report/charts/layers.ts";
import type { Series } from "../../src/report/charts/series.ts";
import { style } from "../../src/report/style.ts";
import { attributes, groups, pairs, parsed, scale, texts } from "./marks.ts";
import { confusion, EVIL, heat, measured } from "./tables.ts";

const curve = (points: Curve["points"], chance = 1) => curveChart({ name: "loss", unit: "nats", points, chance });

const series: Series<{ labels: number | "all"; value: number; low: number; high: number }>[] = [
  {
    name: EVIL,
    kind: "pre-trained",
    points: ([1, 4, 16, "all"] as const).map((labels, i) => ({ labels, ...measured(0.2 + i / 10) })),
  },
  { name: "untrained", kind: "untrained", points: [{ labels: 4, ...measured(0.2) }] },
];
const labels = (chance = 0.1) => labelEfficiencyChart({ series, metric: accuracy, chance });
const layers = (names: string[]) =>
  layerChart({
    series: [{ name: "demo", kind: "pre-trained", points: names.map((layer) => ({ layer, ...measured(0.5) })) }],
    metric: accuracy,
    chance: 0.1,
  });
const intervals = intervalChart({
  metric: accuracy,
  rows: [
    { name: EVIL, difference: 0.2, low: 0.1, high: 0.3 },
    { name: "worse", difference: -0.2, low: -0.3, high: -0.1 },
    { name: "unclear", difference: 0.1, low: -0.1, high: 0.3 },
    { name: "corrected", difference: 0.2, low: 0.1, high: 0.3, significant: false },
  ],
});
const all = {
  curve: curve([
    [0, 2],
    [500, 1],
  ]),
  labels: labels(),
  layers: layers(["conv1", EVIL]),
  intervals,
  confusion: confusion(3),
  heat: heat(true),
};

function chanceHeight(html: string): number {
  return Number(parsed(html).querySelector(".chance line")?.getAttribute("y1"));
}

describe.each(Object.entries(all))("%s", (_, html) => {
  it("is an image with a name, escaped, without ids, fixed colours or a style sheet of its own", () => {
    const svg = parsed(html).querySelector("svg");
    expect(svg?.getAttribute("role")).toBe("img");
    expect(svg?.getAttribute("aria-label")).toMatch(/\w{3}/);
    expect(svg?.getAttribute("viewBox")).toMatch(/^0 0 \d/);
    expect(html).not.toMatch(/<b>|<style|\bid="|NaN|undefined|#[\da-f]{3,6}\b|"(?:white|black|steelblue)"/);
    for (const [, name] of html.matchAll(/var\((--\w+)\)/g)) expect(style).toContain(`${name}: #`);
  });

  it("has rounded numbers", () => {
    expect(html).not.toMatch(/\d\.\d{3}/);
  });
});

it("gives the same string for the same data", () => {
  expect([labels(), confusion(3), heat(true)]).toEqual([labels(), confusion(3), heat(true)]);
});

it("names what is escaped", () => {
  for (const html of [all.labels, all.intervals, all.confusion, all.heat]) {
    expect(parsed(html).documentElement?.textContent).toContain(EVIL);
  }
});

it("says so when there is nothing to show", () => {
  const empty = [
    curve([]),
    curve([[0, Number.NaN]]),
    labelEfficiencyChart({ series: [], metric: accuracy, chance: 0.1 }),
    layerChart({ series: [{ name: "a", kind: "pixels", points: [] }], metric: accuracy, chance: 0.1 }),
    intervalChart({ rows: [], metric: accuracy }),
    confusionChart({ classes: [], counts: [], draws: 1 }),
    heatmapChart({ caption: "Gain", rows: [], columns: [], cells: [], metric: accuracy }),
  ];
  for (const html of empty) {
    expect(html).toContain("There is nothing to show.");
    expect(html).not.toContain("<svg");
  }
});

describe("a curve", () => {
  it("has its points and the chance line at their values", () => {
    const html = curve(
      [
        [0, 2],
        [500, 1],
        [1000, 0.5],
      ],
      1,
    );
    const [x, y] = [scale(html, "x"), scale(html, "y")];
    const [line = ""] = attributes(html, "line", "d");
    for (const [i, [px, py]] of pairs(line).entries()) {
      expect(px).toBeCloseTo(x([0, 500, 1000][i] ?? 0), 1);
      expect(py).toBeCloseTo(y([2, 1, 0.5][i] ?? 0), 1);
    }
    expect(pairs(line)).toHaveLength(3);
    expect(chanceHeight(html)).toBeCloseTo(y(1), 1);
    expect(html).toContain(">chance 1<");
    expect(html).toContain("loss (nats)");
  });

  it("breaks at values that are not finite", () => {
    const html = curve([
      [0, 1],
      [1, 1],
      [2, Number.NaN],
      [3, 2],
      [4, 2],
      [5, Number.POSITIVE_INFINITY],
    ]);
    expect(attributes(html, "line", "d").join("").match(/[ML]/g)?.join("")).toBe("MLML");
  });

  it("has no chance line without a score of guessing", () => {
    expect(curve([[0, 1]], Number.NaN)).not.toContain("chance");
  });

  it("has ticks at round numbers that enclose the values", () => {
    const html = curve(
      [
        [0, 0.1],
        [42_000, 0.72],
      ],
      0.25,
    );
    expect(texts(html, "x-axis tick label")).toEqual(["0", "10k", "20k", "30k", "40k", "50k"]);
    expect(texts(html, "y-axis tick label")).toEqual(["0", "0.2", "0.4", "0.6", "0.8"]);
  });
});

describe("label efficiency", () => {
  it("has a band, a line and dots for an encoder, a whisker and a hollow dot for a baseline with one point", () => {
    expect(groups(labels(), "area")).toHaveLength(1);
    const dots = groups(labels(), "dot");
    expect(dots.map((group) => group.children.length)).toEqual([4, 1]);
    expect(dots.map((group) => group.getAttribute("fill"))).toEqual(["var(--s0)", "var(--card)"]);
    expect(dots.map((group) => group.getAttribute("stroke"))).toEqual(["var(--s0)", "var(--soft)"]);
    expect(texts(labels(), "dot")[0]).toBe(`${EVIL}, 1 label per class: 20.0 % (10.0 % to 30.0 %)`);
  });

  it("has the interval's ends as the edges of the band", () => {
    const y = scale(labels(), "y"); // in percent
    const edges = pairs(attributes(labels(), "area", "d")[0] ?? "").map(([, height]) => height);
    const wanted = [30, 40, 50, 60, 40, 30, 20, 10].map(y); // along the upper edge, and back along the lower
    expect(edges).toHaveLength(wanted.length);
    for (const [i, height] of edges.entries()) expect(height).toBeCloseTo(wanted[i] ?? Number.NaN, 1);
    expect(chanceHeight(labels())).toBeCloseTo(y(10), 1);
    expect(labels(Number.NaN)).not.toContain("chance");
  });

  it("has a logarithmic axis with the numbers of labels, and all at its end", () => {
    const [one, four, sixteen, all] = attributes(labels(), "dot", "cx").map(Number) as [number, number, number, number];
    expect(texts(labels(), "x-axis tick label")).toEqual(["1", "4", "16", "all"]);
    expect(four - one).toBeCloseTo(sixteen - four, 1);
    expect(all).toBeGreaterThan(sixteen);
    expect(attributes(labels(), "x-axis tick label", "transform").map((text) => pairs(text)[0]?.[0])).toEqual([
      one,
      four,
      sixteen,
      all,
    ]);
  });

  it("leaves out numbers that would touch, never a point", () => {
    const points = [100, 101, 102, 1000].map((labels) => ({ labels, ...measured(0.5) }));
    const html = labelEfficiencyChart({
      series: [{ name: "a", kind: "pixels", points }],
      metric: accuracy,
      chance: 0.1,
    });
    expect(texts(html, "x-axis tick label")).toEqual(["102", "1,000"]);
    expect(attributes(html, "dot", "cx")).toHaveLength(4);
  });

  it("breaks at values that are not finite", () => {
    const points = [1, 2, 4, 8, 16].map((labels) => ({ labels, ...measured(labels === 4 ? Number.NaN : 0.5) }));
    const html = labelEfficiencyChart({
      series: [{ name: "a", kind: "pixels", points }],
      metric: accuracy,
      chance: 0.1,
    });
    expect(attributes(html, "line", "d")[0]?.match(/[ML]/g)?.join("")).toBe("MLML");
    expect(attributes(html, "area", "d")[0]?.match(/M/g)).toHaveLength(2);
    expect(attributes(html, "dot", "cx")).toHaveLength(4);
  });

  it("says which direction is better", () => {
    const error = { ...accuracy, name: "error", unit: "°", better: "lower" } as const;
    const html = labelEfficiencyChart({ series, metric: error, chance: 90 });
    expect(html).toContain("<figcaption>error (°, lower is better) by labels per class</figcaption>");
    expect(html).toContain(">chance 90<");
  });
});

it("shows layers in their order, upright if there are many", () => {
  const few = ["stem", "layer1", "layer2"];
  expect(texts(layers(few), "x-axis tick label")).toEqual(few);
  expect(layers(few)).not.toContain("rotate(");
  const many = Array.from({ length: 12 }, (_, i) => `blocks.${i}`);
  expect(texts(layers(many), "x-axis tick label")).toEqual(many);
  expect(attributes(layers(many), "x-axis tick label", "transform").every((one) => one.includes("rotate(-90)"))).toBe(
    true,
  );
  const places = attributes(layers(many), "dot", "cx").map(Number);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(texts(layers(["a layer with a long name"]), "x-axis tick label")).toEqual(["a layer wit…"]);
});

it("draws comparisons as rows in their order, coloured by what the interval says", () => {
  const x = scale(intervals, "x"); // in points
  const dots = groups(intervals, "dot").flatMap((group) => [...group.children]);
  expect(dots.map((dot) => dot.getAttribute("stroke"))).toEqual([
    "var(--good)",
    "var(--bad)",
    "var(--soft)",
    "var(--soft)",
  ]);
  expect(dots.map((dot) => dot.getAttribute("fill"))).toEqual([
    "var(--good)",
    "var(--bad)",
    "var(--card)",
    "var(--card)",
  ]);
  const heights = dots.map((dot) => Number(dot.getAttribute("cy")));
  expect(heights).toEqual(heights.toSorted((a, b) => a - b));
  for (const [i, place] of [20, -20, 10, 20].entries())
    expect(Number(dots[i]?.getAttribute("cx"))).toBeCloseTo(x(place), 1);
  const [zero, ...lines] = groups(intervals, "rule").flatMap((group) => [...group.children]);
  expect(Number(zero?.getAttribute("x1"))).toBeCloseTo(x(0), 1);
  const ends = lines.map((line) => [Number(line.getAttribute("x1")), Number(line.getAttribute("x2"))]);
  for (const [i, [low, high]] of [
    [10, 30],
    [-30, -10],
    [-10, 30],
    [10, 30],
  ].entries()) {
    expect(ends[i]?.[0]).toBeCloseTo(x(low ?? Number.NaN), 1);
    expect(ends[i]?.[1]).toBeCloseTo(x(high ?? Number.NaN), 1);
  }
  expect(texts(intervals, "text")).toEqual([EVIL, "worse", "unclear", "corrected", "+20.0", "−20.0", "+10.0", "+20.0"]);
});

it("cuts a long name of a comparison, and keeps the whole in a tooltip", () => {
  const name = "a name that is much too long to be shown beside its difference";
  const html = intervalChart({ metric: accuracy, rows: [{ name, difference: 0.2, low: 0.1, high: 0.3 }] });
  expect(html).toContain(`a name that is much too long to be shown be…<title>${name}</title>`);
});

it("is loaded with the first chart, not before: commands without charts start sooner", () => {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const eager = /^import (?!type )[^;]*from "(?:@observablehq\/plot|linkedom)"/m;
  expect(files.filter((file) => eager.test(readFileSync(join("src", file), "utf8")))).toEqual([]);
});
