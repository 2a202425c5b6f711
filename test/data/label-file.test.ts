/** A table of labels beside a folder. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { allLabels, concatenate, type ImageSet, refuseSeveral, subset } from "../../src/data/images.ts";
import { openImages } from "../../src/data/open.ts";
import { imagesToLearnFrom, labelledParts } from "../../src/data/splits.ts";
import { UsageError } from "../../src/errors.ts";
import { scratch } from "../images.ts";
import { ids } from "./fake-set.ts";
import { makeTree, summary } from "./trees.ts";

const root = scratch();
const flat = ["1.png", "2.png", "3.png"];
/** Opens images with a table that lies beside them. */
const open = (images: readonly string[], table: string | Uint8Array, name = "labels.csv") => {
  const folder = makeTree(root, { ...Object.fromEntries(images.map((path) => [path, path])), [name]: table });
  return openImages(folder, { labels: join(folder, name) });
};
const expected = { all: { "1.png": "cat", "2.png": "dog", "3.png": undefined } };
const given = "labels.csv gives 2 of 3 images a label.";

describe("a table of labels", () => {
  it.each([
    ["without a header", "1.png,cat\n2.png,dog\n"],
    ["with other columns, in any order", "width;Class Name;FileName\n5;cat;1.png\n6;dog;2.png"],
    ["of a data frame, with its index", ",image,target\n0,1.png,cat\n1,2.png,dog\n"],
    ["with ids for paths", "id,label\n1,cat\n2,dog"],
    ["with paths as Windows writes them", "path,label\n.\\1.png,cat\n./2.png,dog\n"],
    ["with the same line twice, and lines without a label", "1.png,cat\n1.png,cat\n2.png,dog\n2.png,\n3.png,\n"],
  ])("%s", async (_, table) => {
    const collection = await open(flat, table);
    expect([summary(collection), collection.notes]).toEqual([expected, [given]]);
  });

  it("keeps images beside folders too, however few: folders are no classes then", async () => {
    const albums = ["2019", "2020"].flatMap((year) => Array.from({ length: 10 }, (_, i) => `${year}/${i}.png`));
    const { splits, notes } = await open([...albums, "a.png", "b.png"], "a.png,cat\nb.png,dog\n2019/1.png,cat\n");
    expect(splits["all"]?.length).toBe(22);
    expect(notes).toEqual(["labels.csv gives 3 of 22 images a label."]);
  });

  it("keeps images without a label for pre-training", async () => {
    const { set } = await imagesToLearnFrom(await open(flat, "3.png,cat\n"));
    expect(ids(set)).toEqual(flat);
  });

  it("may lie elsewhere, with paths relative to it, absolute, or by file name alone", async () => {
    const folder = makeTree(root, { "photos/a/1.png": "1", "photos/a/2.png": "2", "photos/b/3.png": "3" });
    mkdirSync(join(folder, "tables"));
    const file = join(folder, "tables", "labels.csv");
    const labels = async (...lines: string[]) => {
      writeFileSync(file, ["path,label", ...lines].join("\n"));
      return openImages(join(folder, "photos"), { labels: file });
    };
    const found = { all: { "a/1.png": "cat", "a/2.png": "dog", "b/3.png": undefined } };
    const near = await labels("../photos/a/1.png,cat", `${join(folder, "photos/a/2.png")},dog`);
    expect([summary(near), near.notes]).toEqual([found, [given]]);
    const far = await labels("C:\\old\\1.png,cat", "a/2.png,dog");
    expect([summary(far), far.notes]).toEqual([
      found,
      ["1 path in labels.csv was found by file name alone: C:\\old\\1.png is a/1.png.", given],
    ]);
  });

  it("does not go by a file name that several images or paths have", async () => {
    const images = ["a/1.png", "b/1.png", "c/2.png"];
    const { splits, notes } = await open(images, "x/1.png,cat\ny/2.png,dog\nz/2.png,cat\na/1.png,dog\n");
    expect(summary({ name: "", splits })).toEqual({
      all: { "a/1.png": "dog", "b/1.png": "cat", "c/2.png": undefined },
    });
    expect(notes?.filter((note) => note.includes("no image"))).toEqual([
      "2 paths in labels.csv name no image: y/2.png, z/2.png.",
    ]);
  });

  it("says which paths name no image", async () => {
    const { notes } = await open(flat, "1.png,cat\n4.png,dog\n5.png,dog\n6.png,cat\n7.png,cat\n2.png,dog\n");
    expect(notes).toEqual(["4 paths in labels.csv name no image: 4.png, 5.png, 6.png and 1 more.", given]);
  });

  it("replaces the labels of folders and of other tables", async () => {
    const folders = await open(["cat/1.png", "dog/2.png"], "cat/1.png,red\ndog/2.png,blue\n");
    expect(summary(folders)).toEqual({ all: { "cat/1.png": "red", "dog/2.png": "blue" } });
    const beside = await open(flat, "file_name,label\n1.png,cat\n2.png,dog\n", "metadata.csv");
    expect(summary(beside)).toEqual(expected);
  });

  it.each([
    ["on a line each", "1.png,cat\n2.png,dog\n./1.png,dog\n"],
    ["in one cell, with |", "1.png,cat|dog\n2.png,dog\n"],
    ["in one cell, with ; and spaces", "path,label\n1.png,cat; dog\n2.png,dog\n"],
  ])("may give an image several labels: %s", async (_, table) => {
    const { splits, notes } = await open(flat, table);
    const all = splits["all"] as ImageSet;
    expect(all.classes).toEqual(["cat", "dog"]);
    expect([0, 1, 2].map((i) => allLabels(all, i))).toEqual([[0, 1], [1], []]);
    expect([0, 1, 2].map((i) => all.label(i))).toEqual([0, 1, -1]);
    expect(notes).toContain("labels.csv gives 2 of 3 images a label, 1 of them several.");
    const turned = subset(all, [2, 1, 0]);
    expect([0, 1, 2].map((i) => allLabels(turned, i))).toEqual([[], [1], [0, 1]]);
    expect(allLabels(concatenate([turned, all]), 3)).toEqual([0, 1]);
    expect(() => refuseSeveral(all, "The protocol linear")).toThrow(
      /The protocol linear needs one label for each image, and 1.png has several: cat, dog. .*--protocol svm/,
    );
  });

  it("takes a sign within a name for part of it", async () => {
    const { splits } = await open(flat, "1.png,T-shirt|top\n2.png,trousers\n3.png,T-shirt|top\n");
    expect(splits["all"]?.classes).toEqual(["T-shirt|top", "trousers"]);
    expect(splits["all"]?.labelsOf).toBeUndefined();
  });

  it("has numbers sorted as numbers, and -1 for no label, with a note", async () => {
    const { splits, notes } = await open(flat, "1.png,10\n2.png,9\n3.png,-1\n");
    expect(splits["all"]?.classes).toEqual(["9", "10"]);
    expect(splits["all"]?.label(2)).toBe(-1);
    expect(notes).toEqual([
      "1 image with the label -1 counts as unlabelled. If it is a class, write the class's name in its place.",
      given,
    ]);
  });

  it.each([
    ["numbers below 0", ["-2", "-1", "1"]],
    ["words that other programs take for numbers", ["Infinity", "NaN", "cat"]],
  ])("may have %s for classes", async (_, classes) => {
    const collection = await open(flat, classes.map((name, i) => `${flat[i]},${name}`).join("\n"));
    expect(summary(collection)).toEqual({ all: Object.fromEntries(flat.map((path, i) => [path, classes[i]])) });
    expect(collection.notes).toEqual(["labels.csv gives 3 of 3 images a label."]);
  });

  it.each(["path", "image", "id", "label", "split"])("without a header may have a class called %s", async (name) => {
    const collection = await open(flat, `1.png,${name}\n2.png,road\n`);
    expect(summary(collection)).toEqual({ all: { "1.png": name, "2.png": "road", "3.png": undefined } });
  });

  it.each<[string, string | Uint8Array, RegExp]>([
    [
      "names no image",
      "path,label\nx/a.png,cat\n",
      /None of the 1 path in labels.csv .* "x\/a.png", the folder has "1.png"/,
    ],
    ["gives an image two splits", "1.png,cat,train\n1.png,cat,test\n", /gives 1.png two splits: train and test/],
    ["has no column of paths", "label,width\ncat,5\n", /no column of paths: it has label, width; expected one of path/],
    [
      "has no column of labels",
      "path,width\n1.png,5\n",
      /no column of labels: it has path, width; expected one of label/,
    ],
    ["has one column", "1.png\n2.png\n", /no header and 1 column \(1.png\). Expected path,label/],
    ["has a header alone", "path,label\n", /a header, and no line with a path/],
    ["has fractions for labels", "1.png,0.5\n2.png,0.7\n", /labels of labels.csv are fractions.* Expected the names/],
  ])("that %s is refused", async (_, table, message) => {
    await expect(open(flat, table)).rejects.toThrow(UsageError);
    await expect(open(flat, table)).rejects.toThrow(message);
  });

  it("is refused if its column of splits is something else", async () => {
    const images = Array.from({ length: 13 }, (_, i) => `${i}.png`);
    const table = images.map((path) => `${path},cat,about ${path}`).join("\n");
    await expect(open(images, table)).rejects.toThrow(
      /column of splits in labels.csv has 13 different values .* expected/,
    );
  });
});

describe("a column of splits", () => {
  const images = Array.from({ length: 7 }, (_, i) => `${i}.png`);
  const table =
    "path,label,Set\n0.png,cat,Training\n1.png,dog,train\n2.png,cat,val\n3.png,dog,TEST\n4.png,dog,\n5.png,,\n";

  it("makes the parts; others are for training, or unlabelled", async () => {
    const collection = await open(images, table);
    expect(summary(collection)).toEqual({
      train: { "0.png": "cat", "1.png": "dog", "4.png": "dog" },
      validation: { "2.png": "cat" },
      test: { "3.png": "dog" },
      unlabelled: { "5.png": undefined, "6.png": undefined },
    });
    expect(collection.notes).toContain("1 labelled image without a split in labels.csv: for training.");
    expect(collection.splits["unlabelled"]?.classes).toBeUndefined();
    const { set, heldBack } = await imagesToLearnFrom(collection);
    expect([set.length, heldBack]).toEqual([5, 0]);
    expect(ids((await labelledParts(collection, {})).test)).toEqual(["2.png", "3.png"]);
  });

  it("leaves images that it says nothing of in the part of their folder", async () => {
    const parted = ["train/1.png", "train/2.png", "test/3.png", "test/4.png"];
    const { splits } = await open(
      parted,
      "path,label,split\ntrain/1.png,cat,test\ntest/3.png,dog,\ntest/4.png,,train\n",
    );
    expect(Object.entries(splits).map(([part, set]) => [part, ids(set)])).toEqual([
      ["train", ["train/2.png", "test/4.png"]],
      ["test", ["train/1.png", "test/3.png"]],
    ]);
  });
});

describe("measuring needs", () => {
  it("two classes", async () => {
    const collection = await open(flat, "1.png,cat\n2.png,cat\n");
    await expect(labelledParts(collection, {})).rejects.toThrow(/labels of one class alone, cat/);
    expect((await imagesToLearnFrom(collection)).set.length).toBe(3); // nothing is held back for tests
  });

  it("some labels", async () => {
    await expect(labelledParts(await open(flat, "1.png,\n"), {})).rejects.toThrow(
      /has no labels to measure or learn by/,
    );
  });

  it("classes even if each has one image: these are not numbers of images", async () => {
    const images = Array.from({ length: 40 }, (_, i) => `${i}.png`);
    const collection = await open(images, images.map((path, i) => `${path},class ${i}`).join("\n"));
    expect(collection.splits["all"]?.classes?.length).toBe(40);
  });
});
