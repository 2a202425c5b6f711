/** Images of one patient are on one side of every split. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ImageCollection, ImageSet } from "../../src/data/images.ts";
import { openImages } from "../../src/data/open.ts";
import { imagesToLearnFrom, labelledParts } from "../../src/data/splits.ts";
import { UsageError } from "../../src/errors.ts";
import { scratch } from "../images.ts";
import { ids } from "./fake-set.ts";
import { makeTree } from "./trees.ts";

const root = scratch();
const open = (images: readonly string[], table: readonly string[], group: string) => {
  const files = Object.fromEntries(images.map((path) => [path, path]));
  const folder = makeTree(root, { ...files, "labels.csv": table.join("\n") });
  return openImages(folder, { ...(table.length && { labels: join(folder, "labels.csv") }), group });
};
const count = (length: number) => Array.from({ length }, (_, i) => i);
const patientOf = (id: string) => id.split(/[/-]/).at(-2);
const patients = (...sets: ImageSet[]) => new Set(sets.flatMap(ids).map(patientOf));

/** No patient is on both sides, in `evaluate` or between `evaluate` and `pretrain`; all others are learned from. */
async function expectApart(collection: ImageCollection) {
  const { train, test } = await labelledParts(collection, {});
  const { set, heldBack } = await imagesToLearnFrom(collection);
  const tested = patients(test);
  expect(test.length).toBeGreaterThan(2);
  expect([...patients(train), ...patients(set)].filter((one) => tested.has(one))).toEqual([]);
  expect(ids(set)).toEqual(expect.arrayContaining(ids(train)));
  return { heldBack, test, train };
}

describe("a column of groups", () => {
  const images = count(90).map((i) => `p${i % 30}-${i}.png`);
  /** Every third image has no label: whole patients, as well as one image of each. */
  const lines = (labelled: (i: number) => boolean) =>
    images.map((path, i) => `${path},${labelled(i) ? (i % 7) % 2 : ""},${patientOf(path)}`);

  it.each([
    ["of all labelled images", () => true],
    ["of which most have no label", (i: number) => i % 3 === 0 || i > 70],
    ["of which each has one labelled image", (i: number) => i < 30],
  ])("%s", async (_, labelled) => {
    const { heldBack, test } = await expectApart(
      await open(images, ["path,label,Patient", ...lines(labelled)], "patient"),
    );
    expect(heldBack).toBe(3 * patients(test).size);
  });

  it("with copies of an image in two groups keeps these together", async () => {
    const folder = makeTree(root, Object.fromEntries(images.map((path, i) => [path, i > 1 ? path : "the same"])));
    const tree = makeTree(root, { "labels.csv": ["path,label,patient", ...lines(() => true)].join("\n") });
    const collection = await openImages(folder, { labels: join(tree, "labels.csv"), group: "patient" });
    const { train, test } = await expectApart(collection);
    expect(["p0", "p1"].filter((one) => patients(test).has(one)).length % 2).toBe(0);
    expect(train.length + test.length).toBe(90);
  });

  it.each<[string, string[], string, RegExp]>([
    [
      "does not exist",
      ["path,label,patient", "p0-0.png,cat,p0"],
      "person",
      /no column person to group by: it has path, label, patient/,
    ],
    ["has no name", ["p0-0.png,cat,train"], "patient", /no header, so no column patient/],
    [
      "differs for one image",
      ["path,label,patient", "p0-0.png,cat,p0", "p0-0.png,cat,p1"],
      "patient",
      /two values of patient: p0 and p1/,
    ],
    [
      "is the class",
      [
        "path,label,kind",
        ...lines(() => true).map((line) => `${line.slice(0, line.lastIndexOf(","))},${line.split(",")[1]}`),
      ],
      "kind",
      /--group kind puts each class into one group/,
    ],
    ["lacks a table", [], "patient", /--group patient is a column of a table: name that with --labels. --group folder/],
  ])("that %s is refused", async (_, table, group, message) => {
    await expect(open(images, table, group)).rejects.toThrow(UsageError);
    await expect(open(images, table, group)).rejects.toThrow(message);
  });
});

describe("sub-folders as groups", () => {
  it("inside of class folders", async () => {
    const images = count(120).map((i) => `${["cat", "dog"][i % 2]}/p${i % 40}/${i}.png`);
    const { heldBack, test } = await expectApart(await open(images, [], "folder"));
    expect(heldBack).toBe(test.length);
  });

  it("with a table of labels", async () => {
    const images = count(90).map((i) => `p${i % 30}/${i}.png`);
    const table = images.map((path, i) => `${path},${i % 4 ? "" : i % 8}`);
    await expectApart(await open(images, table, "folder"));
  });

  it("where there are none are refused, and so is a column without a value", async () => {
    const flat = count(12).map((i) => `${i}.png`);
    await expect(open(flat, [], "folder")).rejects.toThrow(
      /--group folder has no effect: no image lies in a sub-folder/,
    );
    const table = ["path,label,who", ...flat.map((path, i) => `${path},${i % 2},`)];
    await expect(open(flat, table, "who")).rejects.toThrow(/--group who has no effect: no image has a value of who/);
  });

  it("that are the classes are refused", async () => {
    const images = count(12).map((i) => `${["cat", "dog"][i % 2]}/${i}.png`);
    await expect(open(images, [], "folder")).rejects.toThrow(/--group folder puts each class into one group/);
  });
});

describe("groups in given splits", () => {
  const images = count(6).map((i) => `p${i >> 1}/${i}.png`);

  it("hold back images without a label whose group is tested on", async () => {
    const table = ["p0/0.png,cat,train", "p1/2.png,cat,test", "p2/4.png,dog,test"];
    const collection = await open(images, table, "folder");
    expect(ids((await imagesToLearnFrom(collection)).set)).toEqual(["p0/0.png", "p0/1.png"]);
    expect(collection.notes).toContain("2 images without a label, of groups that are tested on: not learned from.");
    expect(ids(collection.splits["test"] as ImageSet).sort()).toEqual(["p1/2.png", "p1/3.png", "p2/4.png", "p2/5.png"]);
    expect(ids((await labelledParts(collection, { trainSplit: "test", testSplit: "train" })).train)).toHaveLength(2);
  });

  it("are refused if they are learned and tested", async () => {
    const table = ["path,label,split,who", "p0/0.png,cat,train,x", "p1/2.png,dog,test,x"];
    await expect(open(images, table, "who")).rejects.toThrow(
      "p0/0.png is in train and p1/2.png in test, but both are of who x. Put them into one part, or leave out --group who.",
    );
  });
});
