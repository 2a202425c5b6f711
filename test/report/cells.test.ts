import { describe, expect, it } from "vitest";
import { confusionChart } from "../../src/report/charts/confusion.ts";
import { attributes, groups, pairs, parsed, texts } from "./marks.ts";
import { confusion, heat } from "./tables.ts";

describe("a confusion matrix", () => {
  const html = confusionChart({
    classes: ["cat", "dog"],
    counts: [
      [9, 0],
      [1, 3],
    ],
    draws: 1,
  });
  const fills = (colour: string) =>
    [...parsed(html).querySelectorAll(`path[fill="var(${colour})"]`)].map((path) => [
      path.getAttribute("fill-opacity"),
      path.getAttribute("d")?.match(/M/g)?.length,
    ]);

  it("says so where each image was asked about several times", () => {
    const counts = [
      [20, 0],
      [3, 7],
    ];
    expect(confusionChart({ classes: ["cat", "dog"], counts, draws: 5 })).toContain(
      "27 of 30 answers, 5 for each test image, are on the diagonal",
    );
  });

  it("has right answers in one colour and mistakes in another, darker with their share of the class", () => {
    expect(fills("--heat")).toEqual([
      ["0.68", 1],
      ["0.80", 1],
    ]);
    expect(fills("--miss")).toEqual([["0.40", 1]]);
    expect(html).toContain("12 of 13 test images are on the diagonal");
  });

  it("has numbers in its cells, true classes down, predicted ones across", () => {
    expect(texts(html, "text")).toEqual(["9", "1", "3"]);
    expect(texts(html, "x-axis tick label")).toEqual(["cat", "dog"]);
    const [cat, dog] = attributes(html, "y-axis tick label", "transform").map((text) => pairs(text)[0]?.[1] ?? 0);
    expect(cat).toBeLessThan(dog ?? 0);
    const left = attributes(html, "x-axis tick label", "transform").map((text) => pairs(text)[0]?.[0]);
    const cells = attributes(html, "text", "transform").map((text) => pairs(text)[0]);
    expect(cells).toEqual([
      [left[0], cat],
      [left[0], dog],
      [left[1], dog],
    ]);
  });

  it("shows thirty classes without numbers, on less than 60 kB, wider than a phone", () => {
    const large = confusion(30);
    expect(texts(large, "x-axis tick label")).toHaveLength(30);
    expect(groups(large, "text")).toHaveLength(0);
    expect(large.length).toBeLessThan(60_000);
    expect(large).toContain('<div class="scroll">');
  });
});

describe("a heat map", () => {
  const paths = (html: string, colour: string) =>
    [...parsed(html).querySelectorAll(`path[fill="var(${colour})"]`)].map((path) => path.getAttribute("fill-opacity"));

  it("shows values and intervals of the cells that it has rows and columns for", () => {
    expect(texts(heat(true), "text")).toEqual([
      "+40.0",
      "+20.0",
      "−5.0",
      "+30.0 to +50.0",
      "+10.0 to +30.0",
      "−15.0 to +5.0",
    ]);
    expect(texts(heat(false), "text").slice(0, 3)).toEqual(["40.0", "20.0", "−5.0"]);
  });

  it("colours differences by their sign, values from worst to best", () => {
    expect(paths(heat(true), "--heat")).toEqual(["0.40", "0.80"]);
    expect(paths(heat(true), "--miss")).toEqual(["0.12"]);
    expect(paths(heat(false), "--heat")).toEqual(["0.44", "0.80"]);
    expect(paths(heat(false), "--miss")).toEqual([]);
  });

  it("hatches the cell that is not significant, inside its borders", () => {
    const hatch = parsed(heat(true)).querySelector('path[stroke="currentColor"]')?.getAttribute("d") ?? "";
    const [cell = ""] = [...parsed(heat(true)).querySelectorAll('path[fill="var(--miss)"]')].map(
      (path) => path.getAttribute("d") ?? "",
    );
    const [left, top, width, height] = [...cell.matchAll(/-?[\d.]+/g)].map(Number) as [number, number, number, number];
    const points = [...hatch.matchAll(/[ML](\S+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)] as const);
    expect(points.length).toBeGreaterThan(10);
    for (const [x, y] of points) {
      expect(x).toBeGreaterThanOrEqual(left - 0.51);
      expect(x).toBeLessThanOrEqual(left + width + 0.51);
      expect(y).toBeGreaterThanOrEqual(top - 0.51);
      expect(y).toBeLessThanOrEqual(top + height + 0.51);
    }
  });
});
