import { describe, expect, it } from "vitest";
import {
  collectionIdentity,
  concatenate,
  type ImageSet,
  selectSplits,
  splitByGroup,
  subset,
} from "../../src/data/images.ts";
import { UsageError } from "../../src/errors.ts";
import { fakeSet, ids, labels } from "./fake-set.ts";

const classes = ["cat", "dog"];
const train = fakeSet("train", { labels: [0, 1, 1], classes });
const unlabelled = fakeSet("unlabelled", { labels: [-1, -1] });
const test = fakeSet("test", { labels: [0], classes: ["cat"] });
const collection = { name: "pets", splits: { train, unlabelled, test } };

describe("subset", () => {
  const part = subset(train, [2, 0]);

  it("has the given images, in that order", async () => {
    expect(ids(part)).toEqual(["train#2", "train#0"]);
    expect(labels(part)).toEqual([1, 0]);
    expect(await part.read(0)).toEqual({ encoded: Uint8Array.of(2) });
    expect(part.classes).toBe(classes);
  });

  it("has a fingerprint that depends on its images and their order", () => {
    const prints = [train, part, subset(train, [0, 2]), subset(test, [2, 0])].map((set) => set.fingerprint);
    expect(new Set(prints).size).toBe(4);
  });

  it("has no images beyond its end", () => {
    expect(() => part.id(2)).toThrow(RangeError);
  });
});

it("a collection is another one with other labels or groups", () => {
  const identity = (options: Parameters<typeof fakeSet>[1]) =>
    collectionIdentity({ name: "pets", splits: { train: fakeSet("train", options), test } });
  const [same, again, ...others] = [
    { labels: [0, 1, 1], classes, groups: ["a", "a", "b"] },
    { labels: [0, 1, 1], classes, groups: ["x", "x", "y"] }, // the same groups by other names
    { labels: [0, 1, 1], classes, groups: ["a", "b", "b"] },
    { labels: [0, 0, 1], classes, groups: ["a", "a", "b"] },
    { labels: [0, 1, 1], classes },
  ].map(identity);
  expect(again).toBe(same);
  expect(new Set([same, ...others]).size).toBe(4);
});

describe("concatenate", () => {
  it("puts one set after another, including images without labels", async () => {
    const both = concatenate([train, unlabelled]);
    expect(ids(both)).toEqual(["train#0", "train#1", "train#2", "unlabelled#0", "unlabelled#1"]);
    expect(labels(both)).toEqual([0, 1, 1, -1, -1]);
    expect(both.classes).toBe(classes);
    expect(await both.read(4)).toEqual({ encoded: Uint8Array.of(1) });
    expect(() => both.read(5)).toThrow(RangeError);
    expect(() => both.read(-1)).toThrow(RangeError);
  });

  it("drops labels that mean different classes", () => {
    const both = concatenate([train, test]);
    expect(both.classes).toBeUndefined();
    expect(labels(both)).toEqual([-1, -1, -1, -1]);
  });

  it("keeps named groups together and numbered ones apart", () => {
    const a = fakeSet("a", { labels: [0, 0], groups: ["shirt", 1] });
    const b = fakeSet("b", { labels: [0, 0], groups: ["shirt", 1] });
    const both = concatenate([a, b]);
    expect(both.group(0)).toBe(both.group(2));
    expect(both.group(1)).not.toBe(both.group(3));
  });

  it("skips sets without images", () => {
    const empty = fakeSet("empty", { labels: [] });
    expect(ids(concatenate([empty, test, empty, unlabelled]))).toEqual(["test#0", "unlabelled#0", "unlabelled#1"]);
  });
});

describe("selectSplits", () => {
  it("joins the named splits", () => {
    const set = selectSplits(collection, "train+unlabelled");
    expect([set.name, set.length]).toEqual(["train+unlabelled", 5]);
  });

  it("says which splits there are", () => {
    expect(() => selectSplits(collection, "trian")).toThrow(UsageError);
    expect(() => selectSplits(collection, "trian")).toThrow(/pets.*Did you mean "train".*train, unlabelled, test/);
    expect(() => selectSplits(collection, "toString")).toThrow(UsageError);
  });

  it("does not take a split twice", () => {
    expect(() => selectSplits(collection, "train+test+train")).toThrow(/train twice/);
  });
});

describe("splitByGroup", () => {
  // 60 groups of two images; 40 groups are class 0, 20 are class 1.
  const many = fakeSet("many", {
    labels: Array.from({ length: 120 }, (_, i) => (i % 60 < 40 ? 0 : 1)),
    groups: Array.from({ length: 120 }, (_, i) => `g${i % 60}`),
    classes,
  });
  const groups = (set: ImageSet) => new Set(Array.from({ length: set.length }, (_, i) => set.group(i)));

  it("divides every class, and puts no group on both sides", () => {
    const [first, rest] = splitByGroup(many, 0.8, 1);
    expect(labels(first).filter((label) => label === 0)).toHaveLength(64);
    expect(labels(first).filter((label) => label === 1)).toHaveLength(32);
    expect(new Set([...ids(first), ...ids(rest)]).size).toBe(120);
    expect([...groups(first)].filter((group) => groups(rest).has(group))).toEqual([]);
  });

  it("depends on the seed, and on nothing else", () => {
    const [a, b, c] = [1, 1, 2].map((seed) => ids(splitByGroup(many, 0.5, seed)[0]));
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
  });

  it("leaves images of every class on both sides, for any fraction", () => {
    for (const fraction of [0.001, 0.999]) {
      for (const part of splitByGroup(many, fraction, 0)) expect(new Set(labels(part))).toEqual(new Set([0, 1]));
    }
  });

  it("refuses a set of one group", () => {
    const one = fakeSet("one", { labels: [0, 0], groups: ["x", "x"] });
    expect(() => splitByGroup(one, 0.5, 0)).toThrow(UsageError);
  });
});
