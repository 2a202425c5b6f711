import { expect, test } from "vitest";
import { labelAmounts, SHARE } from "../../src/evaluate/label-amounts.ts";

/** Labels of classes of these sizes; −1 is no label. */
const labelled = (sizes: readonly number[]) => [...sizes.flatMap((size, label) => new Array(size).fill(label)), -1, -1];

test("shares of all labels become the same number for each class, rounded up", () => {
  const { counts, percents } = labelAmounts(["1%", "10 %", "all"], labelled([130, 130, 130]));
  expect(counts).toEqual([2, 13, "all"]); // 1.3 and 13 of 130
  expect([...percents]).toEqual([
    [2, 1.54],
    [13, 10],
  ]);
  expect(labelAmounts(["10%"], labelled([90, 10])).counts).toEqual([5]); // 10 labels, 5 of each class
});

test("a share gives one label a class at least, and each number is measured once", () => {
  const labels = labelled([20, 0, 20]); // the class in the middle has none
  expect(labelAmounts(["0.5%"], labels).counts).toEqual([1]);
  expect(labelAmounts([2, "10%", "100%", "all"], labels).counts).toEqual([2, "all"]);
  expect(labelAmounts([5, 20], labels)).toEqual({ counts: [5, 20], percents: new Map(), notes: [] });
});

test("numbers that not every class has are told, with what is drawn on average", () => {
  expect(labelAmounts([2, 8, 64, "all"], labelled([100, 0, 20, 3])).notes).toEqual([
    "2 classes have fewer labels than asked for, the smallest 3, and give all they have. Labels a class, on average: 8 are 6.33 and 64 are 29.",
  ]);
  expect(labelAmounts([1000], labelled([40, 40])).notes).toEqual([
    "2 classes have fewer labels than asked for, the smallest 40, and give all they have. Labels a class, on average: 1000 are 40.",
  ]);
});

test("a share is told as it is drawn, and which come to the same number", () => {
  const { counts, percents, notes } = labelAmounts(["1%", "2 %", "2%", "100%", "all"], labelled([40, 40]));
  expect([counts, [...percents]]).toEqual([[1, "all"], [[1, 2.5]]]);
  expect(notes).toEqual(["1% and 2% come to the same 1 label a class: measured once."]);
  expect([...labelAmounts(["10%"], labelled([92, 3])).percents]).toEqual([[5, 8.42]]); // the small class gives all three
  expect(labelAmounts([4, "10%"], labelled([40, 40])).notes).toEqual([
    "4 and 10% come to the same 4 labels a class: measured once.",
  ]);
});

test("shares are above 0 % and up to 100 %", () => {
  for (const text of ["1%", "10 %", "0.1%", "12.5%", "100%"]) expect(text).toMatch(SHARE);
  for (const text of ["0%", "0.0%", "101%", "100.5%", "-1%", "%", "1", "1%%"]) expect(text).not.toMatch(SHARE);
});
