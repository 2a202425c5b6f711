import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeImage } from "../../src/data/decode.ts";
import { openImages } from "../../src/data/open.ts";
import { UsageError } from "../../src/errors.ts";
import { makePictures, scratch } from "../images.ts";
import { parquet } from "./parquet-files.ts";
import { makeTree } from "./trees.ts";

const root = scratch();

describe("openImages", () => {
  it("opens a folder of pictures, ready to decode", async () => {
    const folder = await makePictures(join(root, "pets"), { count: 2, size: 8, classes: ["cat", "dog"] });
    const { name, splits } = await openImages(folder);
    const { all } = splits;
    expect([name, all?.length, all?.classes]).toEqual(["pets", 4, ["cat", "dog"]]);
    const image = await all?.read(3);
    expect(image && (await decodeImage(image, 8))).toHaveLength(8 * 8 * 3);
  });

  it("prefers a folder with a data set's name to the data set", async () => {
    await makePictures(join(root, "emoji"), { count: 1, size: 4 });
    const before = process.cwd();
    process.chdir(root);
    try {
      expect((await openImages("emoji")).splits["all"]?.length).toBe(1);
    } finally {
      process.chdir(before);
    }
  });

  it("names the current folder when opening .", async () => {
    await makePictures(join(root, "here"), { count: 1, size: 4 });
    const before = process.cwd();
    process.chdir(join(root, "here"));
    try {
      expect((await openImages(".")).name).toBe("here");
    } finally {
      process.chdir(before);
    }
  });

  it("opens either image files or files with many images, whichever has more, and names the rest", async () => {
    const file = parquet({ images: [[1], [2], [3]] });
    const many = await openImages(makeTree(root, { "data/train.parquet": file, "logo.png": "a" }));
    expect([Object.keys(many.splits), many.notes]).toEqual([
      ["train"],
      ["1 image file beside them was left out: logo.png."],
    ]);
    const files = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`${i}.png`, "a picture"]));
    const few = await openImages(makeTree(root, { ...files, "samples.parquet": file }));
    expect([few.splits["all"]?.length, few.notes]).toEqual([
      5,
      ["1 file that is no image was left out: samples.parquet."],
    ]);
  });

  it("opens a data set by its name", async () => {
    const { name, splits } = await openImages("emoji");
    expect([name, ...Object.keys(splits)]).toEqual(["emoji", "train", "validation", "test", "unlabelled"]);
  });

  const idxImages = Buffer.from([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9]);
  it.each<[string, string, Buffer]>([
    ["pictures", "1.png", Buffer.from("a picture")],
    ["Parquet", "train.parquet", parquet({ images: [[1]] })],
    ["IDX", "train-images-idx3-ubyte", idxImages],
    ["CIFAR", "test_batch.bin", Buffer.alloc(3073)],
  ])("folders with equal %s have different fingerprints, the same for every path", async (_, name, contents) => {
    const prints = [];
    const before = process.cwd();
    for (const folder of [
      makeTree(root, { [`set/${name}`]: contents }),
      makeTree(root, { [`set/${name}`]: contents }),
    ]) {
      utimesSync(join(folder, "set", name), 1, 1);
      process.chdir(folder);
      try {
        const [near, far] = await Promise.all(["set", join(folder, "set")].map((path) => openImages(path)));
        const [print, same] = [near, far].map((found) => Object.values(found?.splits ?? {})[0]?.fingerprint);
        expect(print).toBe(same);
        prints.push(print);
      } finally {
        process.chdir(before);
      }
    }
    expect(new Set(prints).size).toBe(2);
  });

  const fails = async (source: string, message: RegExp | string) => {
    const failure = openImages(source);
    await expect(failure).rejects.toThrow(UsageError);
    await expect(failure).rejects.toThrow(message);
  };

  it("an unknown name: suggests a similar one, and lists the data sets", async () => {
    await fails("cloting", /no file or folder "cloting". Did you mean "clothing"\? Known data sets: clothing, cifar10/);
    await fails("toString", /no file or folder "toString"/);
  });

  it("a missing path: suggests its neighbour", async () => {
    mkdirSync(join(root, "photos"));
    await fails(join(root, "fotos"), `Did you mean "${join(root, "photos")}"?`);
    await fails(join(root, "no", "such", "place"), "There is no file or folder");
  });

  it("an empty folder, one without images, a file of unknown format", async () => {
    const folder = join(root, "documents");
    mkdirSync(folder);
    await fails(folder, /documents holds no images.*it is empty/);
    writeFileSync(join(folder, "thesis.pdf"), "");
    await fails(folder, /documents holds no images.*only .pdf/);
    await fails(
      join(folder, "thesis.pdf"),
      /thesis.pdf is of no known format. Expected a folder of images, or .parquet/,
    );
  });
});
