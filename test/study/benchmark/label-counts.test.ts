import { expect, test } from "vitest";
import { headlineCount, inOrder, labelCounts } from "../../../src/study/benchmark/label-counts.ts";

test("label counts double as far as the middle class goes", () => {
  expect(labelCounts([100, 90, 3])).toEqual([1, 2, 4, 8, 16, 32, 64, "all"]);
  expect(labelCounts([1, 1])).toEqual(["all"]);
  expect(labelCounts([])).toEqual(["all"]);
  expect(labelCounts([0, 100, 0, 0, 90])).toEqual(labelCounts([100, 90])); // classes of which there are test images only
  expect(labelCounts([100_000]).at(-2)).toBe(256);
});

test("the verdict is about a number in the middle, of which some can be held out", () => {
  expect(headlineCount([1, 2, 4, 8, 16, 32, 64, "all"])).toBe(8);
  expect(headlineCount([1, "all"])).toBe("all");
  expect(headlineCount([5, 25, "all"])).toBe(5);
});

test("counts are put in order, each once", () => {
  expect(inOrder(["all", 25, 5, 25])).toEqual([5, 25, "all"]);
});
