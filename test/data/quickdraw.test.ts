import { beforeAll, describe, expect, it, vi } from "vitest";
import { concatenate, type ImageCollection, type ImageSet } from "../../src/data/images.ts";
import { openQuickdraw } from "../../src/data/quickdraw.ts";
import { imagesToLearnFrom, labelledParts } from "../../src/data/splits.ts";

const positions = (set: ImageSet) => Array.from({ length: set.length }, (_, i) => i);
const things = (set: ImageSet) => new Set(positions(set).map((i) => set.id(i).split("/", 1)[0]));

describe("quickdraw", () => {
  let collection: ImageCollection;
  let train: ImageSet;
  let validation: ImageSet;
  let test: ImageSet;
  let unlabelled: ImageSet;

  beforeAll(() => {
    collection = openQuickdraw();
    ({ train, validation, test, unlabelled } = collection.splits as Record<string, ImageSet> as {
      [part in "train" | "validation" | "test" | "unlabelled"]: ImageSet;
    });
  });

  it("has 25 classes, and the other things without labels", () => {
    expect([train.length, validation.length, test.length]).toEqual([1000, 500, 1000]);
    expect(unlabelled.length).toBe(320 * 100 - 1); // one drawing is a duplicate
    expect(train.classes).toHaveLength(25);
    for (const set of [train, validation, test]) {
      const counts = new Map<number, number>();
      for (const i of positions(set)) counts.set(set.label(i), (counts.get(set.label(i)) ?? 0) + 1);
      expect(new Set(counts.values())).toEqual(new Set([set.length / 25]));
      expect(positions(set).every((i) => set.classes?.[set.label(i)] === set.id(i).split("/", 1)[0])).toBe(true);
    }
    expect(positions(unlabelled).every((i) => unlabelled.label(i) === -1)).toBe(true);
    const labelled = things(train);
    expect([...things(unlabelled)].filter((thing) => labelled.has(thing))).toEqual([]);
  });

  it("names every drawing once, and never trains on drawings for evaluation", async () => {
    const all = concatenate([train, validation, test, unlabelled]);
    expect(new Set(positions(all).map((i) => all.id(i))).size).toBe(all.length);
    const { set } = await imagesToLearnFrom(collection);
    expect(set.length).toBe(train.length + unlabelled.length);
    const parts = await labelledParts(collection, { testSplit: "validation" });
    expect([parts.train.length, parts.test.length]).toEqual([train.length, validation.length]);
  });

  it("is dark ink on white paper", async () => {
    const image = await test.read(0);
    if (!("pixels" in image)) throw new Error("expected pixels");
    expect([image.width, image.height, image.pixels.length]).toEqual([32, 32, 32 * 32 * 3]);
    const frame = [...Array(32).keys()].flatMap((i) => [i, 32 + i, 32 * i, 32 * i + 1, 32 * i + 31, 31 * 32 + i]);
    expect(frame.every((at) => image.pixels[3 * at] === 255)).toBe(true);
    const white = image.pixels.filter((value) => value === 255).length / image.pixels.length;
    expect(white).toBeGreaterThan(0.5);
    expect(Math.min(...image.pixels)).toBeLessThan(20);
    await expect(test.read(test.length)).rejects.toThrow(/image 1000 of 1000/);
  });

  it("has the same drawings in the same order everywhere: what was measured on them stays comparable", () => {
    expect([train, validation, test, unlabelled].map(({ fingerprint }) => fingerprint)).toEqual([
      "a170c5a42ab159c68e9696cfbc08cf2a",
      "a685e361eb2fb443b026cb6e318ea176",
      "10dac9daf7840820366434fe8a996ef4",
      "8657f501c1eac8e289d8404e1faadd10",
    ]);
  });

  it("names the package to install if it is missing", async () => {
    vi.resetModules();
    vi.doMock("node:module", () => ({
      createRequire: () => ({
        resolve: (path: string) => {
          throw new Error(`Cannot find module '${path}'`);
        },
      }),
    }));
    try {
      const { openQuickdraw: openWithout } = await import("../../src/data/quickdraw.ts");
      expect(() => openWithout()).toThrow(/not installed: npm install quickdraw\.js/);
    } finally {
      vi.doUnmock("node:module");
    }
  });
});
