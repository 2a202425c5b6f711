import { expect, it } from "vitest";
import { differenceTable, resultTables } from "../../src/report/results.ts";
import { difference, row } from "./sample.ts";

/** A bar and its whisker, in percent of the width. */
interface Bar {
  from: number;
  to: number;
  low: number;
  high: number;
  fill: string | undefined;
}

function bars(html: string): Bar[] {
  return [...html.matchAll(/<svg .*?<\/svg>/g)].map(([svg]) => {
    const from = Number(/<rect x="([^"]*)"/.exec(svg)?.[1] ?? 0);
    const whisker = /d="M(\S+) 5V11M\S+ 8H([^M]+)M/.exec(svg);
    return {
      from,
      to: from + Number(/width="([^"]*)"/.exec(svg)?.[1]),
      low: Number(whisker?.[1]),
      high: Number(whisker?.[2]),
      fill: /fill:var\((.*?)\)/.exec(svg)?.[1],
    };
  });
}

it("draws values from the left, on the scale that the heading names", () => {
  const html = resultTables([row("demo", "layer1", 0.4), row("other", "layer1", 0.2, { low: 0.1, high: 0.5 })], []);
  expect(html).toContain("<th>0 to 50 %</th>");
  expect(bars(html)).toEqual([
    { from: 0, to: 80, low: 74, high: 86, fill: "--s0" },
    { from: 0, to: 40, low: 20, high: 100, fill: "--s1" },
  ]);
});

it("draws gains to the right of zero, losses to the left, and doubt in grey", () => {
  const [gain, loss, doubt] = bars(
    differenceTable([
      difference({ difference: 0.1, low: 0.05, high: 0.15 }),
      difference({ difference: -0.1, low: -0.2, high: -0.05 }),
      difference({ difference: 0.02, low: -0.02, high: 0.06 }),
    ]),
  );
  expect(gain).toEqual({ from: 50, to: 74.5, low: 62.25, high: 86.75, fill: "--good" });
  expect(loss).toEqual({ from: 25.5, to: 50, low: 1, high: 37.75, fill: "--bad" });
  expect(doubt).toEqual({ from: 50, to: 54.9, low: 45.1, high: 64.7, fill: "--s1" });
});

it("scales differences to the farthest interval end, on either side", () => {
  const ends = (low: number, high: number) => bars(differenceTable([difference({ difference: 0.1, low, high })]))[0];
  expect(ends(-0.1, 0.2)).toMatchObject({ low: 25.5, high: 99 });
  expect(ends(-0.4, 0.2)).toMatchObject({ low: 1, high: 74.5 });
});
