import { expect, it } from "vitest";
import { count, labelCount, percent, points, signed } from "../../src/report/format.ts";

it("writes numbers as a reader wants them", () => {
  expect(percent(0.4963)).toBe("49.6 %");
  expect([0.2154, -0.03, 0, -0.0001].map(points)).toEqual(["+21.5 points", "−3.0 points", "0.0 points", "0.0 points"]);
  expect(signed(-0.125)).toBe("−12.5");
  expect([count(1, "draw"), count(1234, "draw"), count(2, "box", "boxes")]).toEqual([
    "1 draw",
    "1,234 draws",
    "2 boxes",
  ]);
  expect([labelCount(1), labelCount(25), labelCount("all")]).toEqual([
    "1 label per class",
    "25 labels per class",
    "all labels",
  ]);
});
