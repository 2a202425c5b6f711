import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ImageSet } from "../../src/data/images.ts";
import { openImages } from "../../src/data/open.ts";
import { UsageError } from "../../src/errors.ts";
import { scratch } from "../images.ts";
import { parquet, table } from "./parquet-files.ts";
import { labelsOf, makeTree } from "./trees.ts";

const root = scratch();
const folderOf = (files: Record<string, Buffer>) => makeTree(root, files);
const open = (files: Record<string, Buffer>) => openImages(folderOf(files));
const images = (count: number) => Array.from({ length: count }, (_, i) => [i]);
const labelled = (label: readonly unknown[], names?: readonly string[]) =>
  parquet({ images: images(label.length), labels: { label }, ...(names && { classes: { label: names } }) });
/** The class name of each image. */
const named = (set: ImageSet | undefined) => labelsOf(set).map((label) => set?.classes?.[label ?? -1]);

async function bytesOf(set: ImageSet | undefined, i: number): Promise<number[]> {
  const image = await set?.read(i);
  if (!image || !("encoded" in image)) throw new Error("expected encoded bytes");
  return [...image.encoded];
}

describe("Parquet files", () => {
  it("are shards of splits, with class names", async () => {
    const classes = { label: ["cat", "dog", "fish"] };
    const { splits, notes } = await open({
      "train-00000-of-00002.parquet": parquet({ images: images(5), labels: { label: [0, 1, 1, 0, 2] }, classes }),
      "train-00001-of-00002.parquet": parquet({
        images: [[200, 201], [6]],
        labels: { label: [1, undefined] },
        classes,
      }),
      "valid.parquet": parquet({ images: [[7]], labels: { label: [0] }, classes }),
    });
    expect([Object.keys(splits), notes]).toEqual([["train", "validation"], undefined]);
    const { train, validation } = splits;
    expect([train?.name, train?.length, validation?.length]).toEqual(["train", 7, 1]);
    expect(train?.classes).toEqual(classes.label);
    expect(labelsOf(train)).toEqual([0, 1, 1, 0, 2, 1, -1]);
    expect(train?.id(5)).toBe("train-00001-of-00002.parquet#0");
    expect(await bytesOf(train, 5)).toEqual([200, 201]);
  });

  it("are read in any order, several images at once", async () => {
    const pixels = Array.from({ length: 11 }, (_, i) => [i, 255 - i]);
    const { all } = (await open({ "all.parquet": parquet({ images: pixels }) })).splits;
    const order = [10, 0, 5, 1, 9, 0, 3, 10, 7, 2];
    expect(await Promise.all(order.map((i) => bytesOf(all, i)))).toEqual(order.map((i) => pixels[i]));
    for (const i of order) expect(await bytesOf(all, i)).toEqual(pixels[i]);
    expect(all?.classes).toBeUndefined();
    expect(labelsOf(all)).toEqual(pixels.map(() => -1));
  });

  it("a row without an image is an error for that row only", async () => {
    const { all } = (await open({ "all.parquet": parquet({ images: [[1], undefined, [3]] }) })).splits;
    await expect(all?.read(1)).rejects.toThrow("the row has no image");
    expect(await bytesOf(all, 2)).toEqual([3]);
  });

  it("may hold their images as plain bytes, or in a column with another name", async () => {
    const bare = table({ image: [Uint8Array.of(1, 2), Uint8Array.of(3)], label: [0, 1] });
    const other = parquet({ images: [[7]], image: "photograph" });
    for (const [file, bytes] of [[bare, [1, 2]] as const, [other, [7]] as const])
      expect(await bytesOf((await open({ "train.parquet": file })).splits["train"], 0)).toEqual(bytes);
  });

  const sound = labelled([0, 1]);
  it.each<[string, Record<string, Buffer>, RegExp]>([
    [
      "a missing shard",
      { "train-00000-of-00003.parquet": sound, "train-00002-of-00003.parquet": sound },
      /train-00001-of-00003.parquet is missing/,
    ],
    [
      "two versions of a set",
      { "train-00000-of-00001-0a.parquet": sound, "train-00000-of-00001-0b.parquet": sound },
      /are of two versions of one set/,
    ],
    [
      "two versions of different length",
      { "train-00000-of-00001.parquet": sound, "train-00000-of-00002.parquet": sound },
      /are of two versions of one set/,
    ],
    [
      "several sets",
      { "small/train/0000.parquet": sound, "large/train/0000.parquet": sound },
      /several sets with a part train: in large, small. Name one of them: .*large/,
    ],
    ["no images", { "all.parquet": table({ text: ["a"], label: [1] }) }, /has no images.*"image".*got text, label/],
    ["a file cut short", { "all.parquet": sound.subarray(0, -20) }, /is no sound Parquet file.*Get it again/],
    ["an empty file", { "all.parquet": Buffer.alloc(0) }, /is no sound Parquet file/],
    ["another format", { "all.parquet": readFileSync(import.meta.filename) }, /is no sound Parquet file/],
    [
      "a file left in Git LFS",
      { "all.parquet": Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n") },
      /only stands for a file in Git LFS. Get it with "git lfs pull"/,
    ],
  ])("%s: refused with a clear message", async (_, files, message) => {
    const failure = open(files);
    await expect(failure).rejects.toThrow(UsageError);
    await expect(failure).rejects.toThrow(message);
  });

  it("a single shard can be opened by name, but not as the only one in a folder", async () => {
    const name = "train-00001-of-00002.parquet";
    const folder = folderOf({ [name]: sound });
    expect((await openImages(join(folder, name))).splits["train"]?.length).toBe(2);
    await expect(openImages(folder)).rejects.toThrow(/train-00000-of-00002.parquet is missing/);
  });
});

describe("files named by set and part", () => {
  const file = () => parquet({ images: images(2), labels: { label: [0, 1] }, classes: { label: ["cat", "dog"] } });

  it("are that part, where several of one set say so", async () => {
    const { splits } = await open({
      "beans-train.parquet": file(),
      "beans-validation.parquet": file(),
      "beans-test.parquet": file(),
    });
    expect(Object.keys(splits)).toEqual(["train", "validation", "test"]);
    const alone = await open({ "red-train.parquet": file() });
    expect(Object.keys(alone.splits)).toEqual(["red-train"]);
  });

  it("stay parts of their own where there are several sets", async () => {
    const names = ["cats-test", "cats-train", "dogs-test", "dogs-train"];
    const { splits } = await open(Object.fromEntries(names.map((name) => [`${name}.parquet`, file()])));
    expect(Object.keys(splits)).toEqual(names);
  });

  it("are the part of their folder, whatever they are called", async () => {
    const { splits } = await open({ "train/beans.parquet": file(), "test/beans.parquet": file() });
    expect(Object.keys(splits)).toEqual(["train", "test"]);
  });
});

describe("labels in Parquet files", () => {
  it("are mapped by name if files list the names in different orders", async () => {
    const { splits } = await open({
      "test-00000-of-00001.parquet": labelled([0, 1, 2], ["fish", "dog", "cat"]),
      "train-00000-of-00002.parquet": labelled([0, 1, 1], ["cat", "dog"]),
      "train-00001-of-00002.parquet": labelled([1, 0], ["dog", "cat"]),
    });
    expect(named(splits["train"])).toEqual(["cat", "dog", "dog", "cat", "dog"]);
    expect(named(splits["test"])).toEqual(["fish", "dog", "cat"]);
    expect(splits["train"]?.classes).toEqual(splits["test"]?.classes);
  });

  it("without names take those of the other files", async () => {
    const { splits, notes } = await open({
      "test.parquet": labelled([1, 0]),
      "train.parquet": labelled([0, 1], ["cat", "dog"]),
    });
    expect([named(splits["test"]), notes]).toEqual([["dog", "cat"], undefined]);
  });

  it("are numbered in order if nothing names them, the same in all files", async () => {
    const { splits } = await open({ "train.parquet": labelled([7, 3]), "test.parquet": labelled([5n, 2000000000n]) });
    for (const set of Object.values(splits)) expect(set.classes).toEqual(["3", "5", "7", "2000000000"]);
    expect([named(splits["train"]), named(splits["test"])]).toEqual([
      ["7", "3"],
      ["5", "2000000000"],
    ]);
  });

  it.each<[string, readonly unknown[], readonly unknown[]]>([
    ["words", ["dog", "cat", null, "dog"], ["dog", "cat", undefined, "dog"]],
    ["yes and no", [true, false, true], ["true", "false", "true"]],
    ["whole numbers with a point", [1, 0.5 + 0.5, 3], ["1", "1", "3"]],
    ["-1 for none", [-1, 0, 1], [undefined, "0", "1"]],
  ])("may be %s", async (_, label, expected) => {
    expect(named((await open({ "train.parquet": labelled(label) })).splits["train"])).toEqual(expected);
  });

  it.each<[string, readonly unknown[], RegExp]>([
    [
      "dictionaries",
      [{ a: 1 }, { a: 2 }],
      /^The labels of .*train.parquet are lists or dictionaries: they are not used/,
    ],
    ["fractions", [0.25, 1], /are fractions/],
    ["numbers of images", Array.from({ length: 40 }, (_, i) => i * 1000), /40 different ones for 40 images/],
  ])("are not used if they are %s, but the images are", async (_, label, note) => {
    const { splits, notes } = await open({ "train.parquet": labelled(label) });
    expect([splits["train"]?.length, splits["train"]?.classes]).toEqual([label.length, undefined]);
    expect(notes).toEqual([expect.stringMatching(note)]);
  });

  it("of fine and coarse classes are not mixed", async () => {
    const both = { fine_label: [0, 1], coarse_label: [1, 0] };
    const { splits } = await open({
      "train.parquet": parquet({ images: images(2), labels: both }),
      "test.parquet": parquet({ images: images(2), labels: { coarse_label: [1, 1] } }),
    });
    // The only column that both have.
    expect([named(splits["train"]), named(splits["test"])]).toEqual([
      ["1", "0"],
      ["1", "1"],
    ]);
  });

  it("are found by their type, whatever the column's name", async () => {
    const file = parquet({
      images: images(2),
      labels: { species: [1, 0] },
      classes: { species: ["owl", "jay"] },
    });
    expect(named((await open({ "train.parquet": file })).splits["train"])).toEqual(["jay", "owl"]);
  });
});

describe("downloads from the Hub open as they are", () => {
  const file = labelled([0, 1], ["cat", "dog"]);
  it.each<[string, readonly string[], readonly string[]]>([
    ["a clone", ["data/train-00000-of-00001-a9c0ff.parquet", "data/test-00000-of-00001.parquet"], ["train", "test"]],
    ["the automatic conversion", ["default/train/0000.parquet", "default/test/0000.parquet"], ["train", "test"]],
    ["one of its sets", ["partial-train/0000.parquet", "validation/0000.parquet"], ["train", "validation"]],
    [
      "a folder of shards for each part",
      ["train/00.parquet", "train/01.parquet", "test/00.parquet"],
      ["train", "test"],
    ],
    ["files without a part's name", ["data/part-00000-1f2e3d.snappy.parquet"], ["train"]],
    ["parts of their own names", ["north/0.parquet", "south/0.parquet"], ["north", "south"]],
  ])("%s", async (_, paths, parts) => {
    const readme = Buffer.from("---\nlicense: mit\n---\n");
    const folder = folderOf({
      ...Object.fromEntries(paths.map((path) => [path, file])),
      ...{ "README.md": readme, "dataset_infos.json": readme, ".gitattributes": readme, "assets/logo.png": readme },
    });
    const { splits, notes } = await openImages(folder);
    expect(Object.keys(splits)).toEqual(parts);
    const ids = Object.values(splits).flatMap((set) => Array.from({ length: set.length }, (_, i) => set.id(i)));
    expect(new Set(ids).size).toBe(2 * paths.length);
    expect(notes).toEqual([expect.stringMatching(/^1 image file beside them was left out: assets.logo.png/)]);
  });

  it("the Hub's cache", async () => {
    const folder = folderOf({
      "snapshots/abc/data/train.parquet": file,
      "blobs/123": file,
      "refs/main": Buffer.from("abc"),
    });
    expect((await openImages(folder)).splits["train"]?.length).toBe(2);
  });
});
