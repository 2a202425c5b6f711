import { expect, test } from "vitest";
import { labelAmounts, SHARE, smallClasses } from "../../src/evaluate/label-amounts.ts";

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
  const told = (counts: readonly (number | "all")[], sizes: readonly number[]) =>
    smallClasses(counts, { percents: new Map(), sizes });
  expect(told([2, 8, 64, "all"], [100, 0, 20, 3])).toEqual([
    "2 classes have fewer than 64 labels and give all: on average 6.33 instead of 8 and 29 instead of 64 a class.",
  ]);
  expect(told([5, 25], [25, 3])).toEqual([
    "1 class has fewer than 25 labels and gives all: on average 4 instead of 5 and 14 instead of 25 a class.",
  ]);
  expect(told([5, "all"], [5, 40])).toEqual([]);
  expect(smallClasses([5], { percents: new Map([[5, 8.4]]), sizes: [92, 3] })).toEqual([]); // the share says it
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
