/** Charts with many lines: each can be told from the others, and has its name beside its end. */
import { expect, test } from "vitest";
import { accuracy } from "../../src/metric.ts";
import { labelEfficiencyChart } from "../../src/report/charts/labels.ts";
import { apart } from "../../src/report/charts/names.ts";
import { lineStyles } from "../../src/report/colours.ts";
import { attributes, groups, scale, texts } from "./marks.ts";
import { measured } from "./tables.ts";

const tasks = Array.from({ length: 7 }, (_, i) => ({ name: `task ${i}`, kind: "pre-trained" as const }));
const baselines = (["untrained", "from-scratch", "handcrafted", "pixels"] as const).map((kind) => ({
  name: kind,
  kind,
}));
const all = [...tasks, ...baselines];

test("seven tasks and four baselines have styles of their own, and baselines differ without colour", () => {
  const styles = lineStyles(all.map(({ kind }) => kind));
  expect(new Set(styles.map(({ colour, dash }) => `${colour} ${dash}`)).size).toBe(11);
  expect(styles.slice(0, 7).every(({ dash }) => dash === undefined)).toBe(true);
  expect(new Set(styles.slice(7).map(({ dash }) => dash)).size).toBe(4);
  expect(styles.slice(7).every(({ dash }) => dash !== undefined)).toBe(true);
  const many = lineStyles(new Array(14).fill("pre-trained"));
  expect(new Set(many.map(({ colour, dash }) => `${colour} ${dash}`)).size).toBe(14);
  expect(lineStyles(["untrained", "pre-trained"])[1]).toEqual(lineStyles(["pre-trained"])[0]);
});

test("each line has its name, which covers no other and lies beside the chart", () => {
  const series = all.map((one, i) => ({
    ...one,
    points: [1, 4, 16].map((labels) => ({ labels, ...measured(0.5 + i / 1000) })), // all end at the same height
  }));
  const html = labelEfficiencyChart({ series, metric: accuracy, chance: 0.1 });
  const names = groups(html, "name").flatMap((group) => [...group.querySelectorAll("text")]);
  expect(names.map((one) => one.textContent).sort()).toEqual(all.map(({ name }) => name).sort());
  const heights = names.map((one) => Number(one.getAttribute("y"))).sort((a, b) => a - b);
  for (const [i, height] of heights.slice(1).entries()) expect(height - (heights[i] as number)).toBeGreaterThan(12);
  const right = scale(html, "x")(16);
  for (const one of names) expect(Number(one.getAttribute("x"))).toBeGreaterThan(right);
  expect(texts(html, "x-axis tick label")).toEqual(["1", "4", "16"]);
  expect(attributes(html, "line", "d")).toHaveLength(11);
});

test("a chart is as high as its names need", () => {
  const points = [1, 4].map((labels) => ({ labels, ...measured(0.5) }));
  const series = Array.from({ length: 40 }, (_, i) => ({ name: `line ${i}`, kind: "pre-trained" as const, points }));
  const html = labelEfficiencyChart({ series, metric: accuracy, chance: 0.1 });
  const heights = groups(html, "name").flatMap((group) =>
    [...group.querySelectorAll("text")].map((one) => Number(one.getAttribute("y"))),
  );
  const [, , , height = 0] = (/viewBox="([^"]*)"/.exec(html)?.[1] ?? "").split(" ").map(Number);
  expect(Math.max(...heights)).toBeGreaterThan(500);
  expect(Math.max(...heights)).toBeLessThan(height);
});

test("dots of weights from elsewhere are full, those of baselines hollow", () => {
  const fillOf = (kind: "weights" | "untrained") => {
    const series = [{ name: "one", kind, points: [1, 4].map((labels) => ({ labels, ...measured(0.5) })) }];
    return groups(labelEfficiencyChart({ series, metric: accuracy, chance: 0.1 }), "dot")[0]?.getAttribute("fill");
  };
  expect(fillOf("untrained")).toBe("var(--card)");
  expect(fillOf("weights")).not.toBe("var(--card)");
});

test("a long name is cut, and kept whole in a tooltip", () => {
  const name = "a task whose name is longer than the chart has room for";
  const series = [{ name, kind: "pre-trained" as const, points: [{ labels: 1, ...measured(0.5) }] }];
  const html = labelEfficiencyChart({ series, metric: accuracy, chance: 0.1 });
  expect(html).toContain(`…<title>${name}</title>`);
});

test("heights move as little as they must, and stay in the range", () => {
  expect(apart([10, 50, 90], 14, [0, 100])).toEqual([10, 50, 90]);
  expect(apart([50, 50], 14, [0, 100])).toEqual([43, 57]);
  expect(apart([2, 3, 80], 14, [0, 100])).toEqual([0, 14, 80]);
  expect(apart([99, 100], 14, [0, 100])).toEqual([86, 100]);
  expect(apart([], 14, [0, 100])).toEqual([]);
});
