/** Images held back for tests by one command are not trained on by any other. */
import { describe, expect, test } from "vitest";
import { concatenate, type ImageSet, selectSplits } from "../../src/data/images.ts";
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
  test("is used for pre-training, except validation and test", async () => {
    const { set, heldBack, unused } = await imagesToLearnFrom(pets);
    expect([ids(set), heldBack, unused]).toEqual([[...ids(train), ...ids(unlabelled)], 0, []]);
    expect(ids((await imagesToLearnFrom(pets, { split: "test" })).set)).toEqual(ids(tests));
  });

  test("gives a task that learns from labels the labelled images, and says how many it left out", async () => {
    const { set, unlabelled: left } = await imagesToLearnFrom(pets, { labelled: true });
    expect([ids(set), left]).toEqual([ids(train), 2]);
    await expect(imagesToLearnFrom(pets, { split: "unlabelled", labelled: true })).rejects.toThrow(/has no labels/);
  });

  test("names the splits that are not used", async () => {
    const splits = { ...pets.splits, siteA: fakeSet("siteA", { labels: [0], classes }) };
    expect((await imagesToLearnFrom({ name: "pets", splits })).unused).toEqual(["siteA"]);
  });

  test("is tested on validation and test, except images without a label", async () => {
    const parts = await labelledParts(pets, {});
    expect(ids(parts.train)).toEqual(ids(train));
    expect(ids(parts.test)).toEqual(["validation#0", "test#0", "test#2"]);
    expect(parts.classes).toEqual(classes);
  });

  test("whose test split has no labels is cut by content, as competitions' sets need it", async () => {
    const many = fakeSet("train", { labels: Array.from({ length: 60 }, (_, i) => i % 2), classes });
    const blind = fakeSet("test", { labels: [-1, -1] });
    const collection = { name: "contest", splits: { train: many, test: blind } };
    const learned = await imagesToLearnFrom(collection);
    const parts = await labelledParts(collection, {});
    expect(learned.heldBack).toBe(parts.test.length);
    expect(parts.test.length).toBeGreaterThan(8);
    expect(ids(parts.test).filter((id) => ids(learned.set).includes(id))).toEqual([]);
    expect([learned.parts, learned.unused]).toEqual(["train", ["test"]]);
    const onlyTests = { name: "turned", splits: { train: fakeSet("train", { labels: [-1] }), test: many } };
    await expect(labelledParts(onlyTests, {})).rejects.toThrow(/train has no labels/);
  });

  test("is not tested on groups that it learns from, whatever the parts are called", async () => {
    const part = (name: string, groups: string[]) => fakeSet(name, { labels: [0, 1, 0, 1], classes, groups });
    const splits = {
      siteA: part("siteA", ["p 1", "p 1", "p 2", "p 2"]),
      siteB: part("siteB", ["p 3", "p 3", "p 2", "p 2"]),
    };
    await expect(labelledParts({ name: "x", splits }, { trainSplit: "siteA", testSplit: "siteB" })).rejects.toThrow(
      /would be tested on and .* learned from, but both are of p 2\. .*leave out --group/,
    );
    const apart = { ...splits, siteB: part("siteB", ["p 3", "p 3", "p 4", "p 4"]) };
    await labelledParts({ name: "x", splits: apart }, { trainSplit: "siteA", testSplit: "siteB" });
  });

  test("whose parts are made of several files have no groups in common", async () => {
    const batch = (name: string) => fakeSet(name, { labels: [0, 1, 0, 1], classes });
    const splits = {
      train: concatenate([batch("one"), batch("two")], "train"),
      test: concatenate([batch("three")], "test"),
    };
    const parts = await labelledParts({ name: "x", splits }, {});
    expect([parts.train.length, parts.test.length]).toEqual([8, 4]);
    const all = selectSplits({ name: "x", splits }, "train+test");
    expect(new Set(Array.from({ length: 12 }, (_, i) => all.group(i))).size).toBe(12);
  });

  test("is not tested on a single group", async () => {
    const lone = fakeSet("test", { labels: [0, 1], classes, groups: ["who x", "who x"] });
    await expect(labelledParts({ name: "pets", splits: { train, test: lone } }, {})).rejects.toThrow(
      /^All 2 test images are of one group, who x: .* leave out --group\.$/,
    );
  });

  test("is never tested on images that it is trained on", async () => {
    expect(ids((await labelledParts(pets, { trainSplit: "validation" })).test)).toEqual(["test#0", "test#2"]);
    await expect(labelledParts(pets, { testSplit: "train" })).rejects.toThrow(/train cannot be both/);
    await expect(labelledParts(pets, { trainSplit: "train+test", testSplit: "validation+test" })).rejects.toThrow(
      /^test cannot/,
    );
  });

  test("is refused if a split has no labels", async () => {
    for (const names of [{ testSplit: "unlabelled" }, { trainSplit: "unlabelled" }])
      await expect(labelledParts(pets, names)).rejects.toThrow(/unlabelled has no labels to measure/);
    await expect(labelledParts(pets, { trainSplit: "tarin" })).rejects.toThrow(UsageError);
  });
});

describe("a labelled set without splits", () => {
  /** Photos whose content is the first word of their name. */
  const photos = (names: readonly string[], label = (i: number) => i % 2) => {
    const all: ImageSet = {
      ...fakeSet("all", { labels: names.map((_, i) => label(i)), classes }),
      id: (i) => names[i] as string,
      read: async (i) => ({ encoded: Buffer.from((names[i] as string).replace(/ .*/, "")) }),
    };
    return { name: "photos", splits: { all } };
  };
  const names = (count: number) => Array.from({ length: count }, (_, i) => `photo${i}`);

  test("holds back about 30 % of the labelled images, the same ones in every command", async () => {
    const collection = photos(names(300), (i) => (i % 3) - 1);
    const { train, test: tests } = await labelledParts(collection, {});
    const { set, heldBack } = await imagesToLearnFrom(collection);
    expect(train.length + tests.length).toBe(200);
    expect(tests.length).toBeGreaterThan(40);
    expect(tests.length).toBeLessThan(80);
    expect(heldBack).toBe(tests.length);
    expect(ids(set).filter((id) => ids(tests).includes(id))).toEqual([]);
    expect(set.length).toBe(300 - tests.length); // those without a label are trained on
    expect(new Set([...labels(train), ...labels(tests)])).toEqual(new Set([0, 1]));
  });

  test("keeps each image on its side when others are added, removed or reordered", async () => {
    const sideOf = async (list: string[]) => {
      const { test: tests } = await labelledParts(photos(list), {});
      return new Map(list.map((name) => [name, ids(tests).includes(name)]));
    };
    const before = await sideOf(names(60));
    const after = await sideOf([...names(90).reverse()].filter((_, i) => i % 7 !== 0));
    for (const [name, side] of after) if (before.has(name)) expect([name, side]).toEqual([name, before.get(name)]);
  });

  test("keeps copies of an image on one side, also if they have no label", async () => {
    const twice = [...names(60), ...names(60).map((name) => `${name} again`)];
    const { train, test: tests } = await labelledParts(photos(twice), {});
    const content = (set: ImageSet) => new Set(ids(set).map((id) => id.replace(" again", "")));
    expect([...content(train)].filter((one) => content(tests).has(one))).toEqual([]);
    const { set } = await imagesToLearnFrom(photos(twice, (i) => (i < 60 ? i % 2 : -1)));
    expect([...content(set)].filter((one) => content(tests).has(one))).toEqual([]);
    // An image and its copy are one piece of evidence.
    for (const part of [train, tests])
      expect(new Set(ids(part).map((_, i) => part.group(i))).size).toBe(content(part).size);
  });

  test("is used completely for training if its split is named", async () => {
    expect(await imagesToLearnFrom(photos(names(30)), { split: "all" })).toMatchObject({
      set: { length: 30 },
      heldBack: 0,
    });
  });

  test("of which a part is named is not trained on what is tested on, if that is to be held back", async () => {
    const site = photos(names(40)).splits["all"] as ImageSet;
    const other = fakeSet("other", { labels: [0, 1, 0], classes });
    const collection = { name: "sites", splits: { site, other } };
    const parts = await labelledParts(collection, { trainSplit: "site" });
    const { set, heldBack } = await imagesToLearnFrom(collection, { split: "site", holdBack: true });
    expect([ids(set), heldBack]).toEqual([ids(parts.train), parts.test.length]);
    expect((await imagesToLearnFrom(pets, { split: "train", holdBack: true })).set.length).toBe(train.length);
    const ofTests = await labelledParts({ name: "tests", splits: { test: site } }, { trainSplit: "test" });
    const learned = await imagesToLearnFrom(
      { name: "tests", splits: { test: site } },
      { split: "test", holdBack: true },
    );
    expect(ids(learned.set)).toEqual(ids(ofTests.train));
  });

  test("of which there is only a part to test on is not trained on what is tested on", async () => {
    const [test, validation] = [photos(names(40)).splits.all, photos(names(80).slice(40)).splits.all];
    for (const splits of [{ test }, { validation, test }] as Record<string, ImageSet>[]) {
      const parts = await labelledParts({ name: "tests", splits }, {});
      const learned = await imagesToLearnFrom({ name: "tests", splits });
      expect(ids(learned.set)).toEqual(ids(parts.train));
      expect(learned.heldBack).toBe(parts.test.length);
      expect(learned.heldBack).toBeGreaterThan(5);
    }
  });

  test("cannot be tested on if there are too few labels", async () => {
    await expect(labelledParts(photos(names(1)), {})).rejects.toThrow(UsageError);
    expect(await imagesToLearnFrom({ name: "few", splits: { all: unlabelled } })).toMatchObject({
      set: { length: 2 },
      heldBack: 0,
    });
  });
});
