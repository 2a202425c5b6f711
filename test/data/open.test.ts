import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeImage } from "../../src/data/decode.ts";
import { openImages } from "../../src/data/open.ts";
import { UsageError } from "../../src/errors.ts";
import { makePictures, scratch } from "../images.ts";

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

  it("takes a folder of a data set's name for the folder", async () => {
    await makePictures(join(root, "emoji"), { count: 1, size: 4 });
    const before = process.cwd();
    process.chdir(root);
    try {
      expect((await openImages("emoji")).splits["all"]?.length).toBe(1);
    } finally {
      process.chdir(before);
    }
  });

  it("opens a data set by its name", async () => {
    const { name, splits } = await openImages("emoji");
    expect([name, ...Object.keys(splits)]).toEqual(["emoji", "train", "validation", "test", "unlabelled"]);
  });

  const fails = async (source: string, message: RegExp | string) => {
    const failure = openImages(source);
    await expect(failure).rejects.toThrow(UsageError);
    await expect(failure).rejects.toThrow(message);
  };

  it("a name that is not there: what was perhaps meant, and what there is", async () => {
    await fails("cloting", /no file or folder "cloting". Did you mean "clothing"\? Known data sets: clothing, cifar10/);
    await fails("toString", /no file or folder "toString"/);
  });

  it("a path that is not there: its neighbour", async () => {
    mkdirSync(join(root, "photos"));
    await fails(join(root, "fotos"), `Did you mean "${join(root, "photos")}"?`);
    await fails(join(root, "no", "such", "place"), "There is no file or folder");
  });

  it("an empty folder, one without images, a file of no known format", async () => {
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
