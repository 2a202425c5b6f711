import { stripVTControlCharacters } from "node:util";
import { expect, it } from "vitest";
import { blocksOf } from "../../src/report/blocks.ts";
import { resultTable } from "../../src/report/table.ts";
import { textWidth } from "../../src/setup/terminal.ts";
import { difference, row, rows } from "./sample.ts";

const plain = `linear · 5 labels per class · 700 test images, 5 draws
┌────────┬─────────────────────┬─────────────────────┬─────────────────────┐
│ layer  │                demo │     demo, untrained │              pixels │
├────────┼─────────────────────┼─────────────────────┼─────────────────────┤
│ layer1 │ * 40.0 [37.0, 43.0] │ * 25.0 [22.0, 28.0] │                     │
│ layer2 │   41.0 [38.0, 44.0] │   20.0 [17.0, 23.0] │                     │
│ pixels │                     │                     │ * 30.0 [27.0, 33.0] │
└────────┴─────────────────────┴─────────────────────┴─────────────────────┘

linear · all labels · 700 test images, 1 draw
┌────────┬─────────────────────┬─────────────────────┐
│ layer  │                demo │     demo, untrained │
├────────┼─────────────────────┼─────────────────────┤
│ layer1 │ * 60.0 [57.0, 63.0] │ * 55.0 [52.0, 58.0] │
└────────┴─────────────────────┴─────────────────────┘
Percent [95 % interval]; * each encoder's best layer.`;

it("has a block for each protocol and number of labels", () => {
  expect(resultTable(rows, {}, [difference()])).toBe(plain);
});

it("is bold and dim on a terminal, with the same text", () => {
  const painted = resultTable(rows, { isTTY: true, columns: 200 }, [difference()]);
  expect(painted).toContain("\x1b[1m40.0\x1b[22m");
  expect(stripVTControlCharacters(painted)).toBe(plain);
});

it("uses one line per layer of each encoder on a narrow terminal", () => {
  const width = (columns: number) =>
    Math.max(
      ...resultTable(rows, { columns }, [difference()])
        .split("\n")
        .map(({ length }) => length),
    );
  expect(width(76)).toBe(76);
  expect(width(75)).toBeLessThan(60);
  expect(resultTable(rows, { columns: 60 }, [difference()])).toMatch(
    /│ demo, untrained +│ layer2 +│ +20\.0 \[17\.0, 23\.0\] │/,
  );
});

it("is never wider than the terminal, whatever the runs' names", () => {
  const names = ["demo", "写真のフォルダー-rotation-resnet10-とても長い名前", `${"long-name-".repeat(9)}, untrained`];
  const many = names.flatMap((encoder) => ["stem", "layer1"].map((layer) => row(encoder, layer, 0.4)));
  for (const columns of [24, 40, 60, 80, 120, 200]) {
    for (const isTTY of [false, true]) {
      const lines = resultTable(many, { isTTY, columns }).split("\n");
      expect(Math.max(...lines.map(textWidth)), `${columns} columns`).toBeLessThanOrEqual(columns);
      expect(lines.join("\n").match(/37\.0, 43\.0/g)).toHaveLength(6);
    }
  }
  const narrow = resultTable(rows, { columns: 30 }, [difference()]);
  expect(narrow).toMatch(/^demo, untrained\n {2}layer1 {2}\* 25\.0 \[22\.0, 28\.0\]\n {2}layer2 {4}20\.0/m);
  expect(resultTable(rows, { columns: 0 }, [difference()])).toBe(plain); // width unknown
});

it("marks the layer that was chosen, and none where the test images alone could tell", () => {
  const best = (differences: Parameters<typeof blocksOf>[1]) =>
    blocksOf(rows, differences)[0]
      ?.rows.filter((one) => blocksOf(rows, differences)[0]?.isBest(one))
      .map((one) => `${one.encoder}: ${one.layer}`);
  expect(best([difference()])).toEqual(["demo: layer1", "demo, untrained: layer1", "pixels: pixels"]);
  expect(best([])).toEqual([]);
  expect(resultTable(rows)).not.toContain("*");
  expect(best([difference({ baselineLayer: "layer2" })])?.[1]).toBe("demo, untrained: layer2");
  expect(best([difference({ labelsPerClass: "all" })])).toEqual(["pixels: pixels"]); // it has no other
});

it("works with a single row and with none", () => {
  expect(resultTable([row("a", "b", 0.5)])).toContain("│ b     │ 50.0 [47.0, 53.0] │");
  expect(resultTable([])).toContain("95 % interval");
});

it("names the metric's unit", () => {
  const metric = { name: "error", unit: "m", better: "lower", perfect: 0, worthwhile: 0.1 } as const;
  expect(resultTable([row("a", "b", 0.5, { metric })])).toMatch(/ 0\.500 .*\nm \[95 % interval\]\.$/s);
});
