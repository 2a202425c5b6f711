/** The line of work in progress. */
import { expect, test } from "vitest";
import { workingLine } from "../../src/cli/working.ts";

/** What is drawn for events at these times, in milliseconds. */
function drawn(isTTY: boolean, events: readonly [at: number, type: "decode" | "embed", done: number][]): string[] {
  const lines: string[] = [];
  let now = 0;
  const line = workingLine({ isTTY, write: (text) => lines.push(text.replace("\r\x1b[K", "").trim()) }, () => now);
  for (const [at, type, done] of events) {
    now = at;
    line.tell({ type, done, total: 1000 });
  }
  return lines;
}

test("on a terminal: what is done, and after two seconds the time left", () => {
  expect(
    drawn(true, [
      [0, "embed", 100],
      [50, "embed", 110],
      [1000, "embed", 200],
      [4000, "embed", 500],
    ]),
  ).toEqual([
    "computing features: 100 of 1000",
    "computing features: 200 of 1000",
    "computing features: 500 of 1000 · 5 s left",
  ]);
});

test("the time left is that of the present work", () => {
  expect(
    drawn(true, [
      [0, "decode", 0],
      [9000, "decode", 900],
      [60_000, "embed", 0],
      [61_000, "embed", 10],
      [70_000, "embed", 500],
    ]).slice(1),
  ).toEqual([
    "decoding images: 900 of 1000 · 1 s left",
    "computing features: 0 of 1000",
    "computing features: 10 of 1000",
    "computing features: 500 of 1000 · 10 s left",
  ]);
});

test("elsewhere: a line every ten seconds", () => {
  expect(
    drawn(false, [
      [100, "embed", 1],
      [9000, "embed", 400],
      [10_100, "embed", 501],
      [15_000, "embed", 900],
    ]),
  ).toEqual(["computing features: 501 of 1000 · 10 s left"]);
});
