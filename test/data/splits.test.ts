/** What one command keeps back, no other uses. */
import { describe, expect, test } from "vitest";
import { imagesToLearnFrom, labelledParts } from "../../src/data/splits.ts";
import { UsageError } from "../../src/errors.ts";
import { fakeSet, ids, labels } from "./fake-set.ts";

const classes = ["cat", "dog"];
const train = fakeSet("train", { labels: [0, 1, 1], classes });
const unlabelled = fakeSet("unlabelled", { labels: [-1, -1] });
const validation = fakeSet("validation", { labels: [1], classes });
const tests = fakeSet("test", { labels: [0, -1, 1], classes });
const pets = { name: "pets", splits: { train, unlabelled, validation, test: tests } };

describe("a collection with splits", () => {
  test("is learned from without labels but for validation and test", () => {
    const { set, heldBack } = imagesToLearnFrom(pets);
    expect([ids(set), heldBack]).toEqual([[...ids(train), ...ids(unlabelled)], 0]);
    expect(ids(imagesToLearnFrom(pets, "test").set)).toEqual(ids(tests));
  });

  test("is tested on validation and test, but for images without a label", () => {
    const parts = labelledParts(pets, {});
    expect(ids(parts.train)).toEqual(ids(train));
    expect(ids(parts.test)).toEqual(["validation#0", "test#0", "test#2"]);
    expect(parts.classes).toEqual(classes);
  });

  test("is never tested on what it is learned from", () => {
    expect(ids(labelledParts(pets, { trainSplit: "validation" }).test)).toEqual(["test#0", "test#2"]);
    expect(() => labelledParts(pets, { testSplit: "train" })).toThrow(/train cannot be both/);
    expect(() => labelledParts(pets, { trainSplit: "train+test", testSplit: "validation+test" })).toThrow(
      /^test cannot/,
    );
  });

  test("without labels in a part is refused", () => {
    for (const names of [{ testSplit: "unlabelled" }, { trainSplit: "unlabelled" }])
      expect(() => labelledParts(pets, names)).toThrow(/unlabelled has no labels to measure by/);
    expect(() => labelledParts(pets, { trainSplit: "tarin" })).toThrow(UsageError);
  });
});

describe("a labelled set without splits", () => {
  const all = fakeSet("all", { labels: Array.from({ length: 30 }, (_, i) => (i % 3) - 1), classes });
  const collection = { name: "photos", splits: { all } };
  const parts = labelledParts(collection, {});

  test("keeps the same 30 % of the labelled images back, whoever asks", () => {
    const { set, heldBack } = imagesToLearnFrom(collection);
    expect([parts.train.length, parts.test.length, heldBack]).toEqual([14, 6, 6]);
    expect(new Set([...labels(parts.train), ...labels(parts.test)])).toEqual(new Set([0, 1]));
    expect(ids(set).filter((id) => ids(parts.test).includes(id))).toEqual([]);
    expect(set.length).toBe(24); // those without a label are learned from
  });

  test("is learned from whole when that is said", () => {
    expect(imagesToLearnFrom(collection, "all")).toMatchObject({ set: { length: 30 }, heldBack: 0 });
  });

  test("is learned from whole when there are too few labels, or none", () => {
    for (const few of [fakeSet("few", { labels: [0, 1], classes }), unlabelled])
      expect(imagesToLearnFrom({ name: "few", splits: { all: few } })).toMatchObject({
        set: { length: 2 },
        heldBack: 0,
      });
  });
});
