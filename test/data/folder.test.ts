import { chmodSync, copyFileSync, mkdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileTable } from "../../src/data/file-table.ts";
import { openImages } from "../../src/data/open.ts";
import { UsageError } from "../../src/errors.ts";
import { scratch } from "../images.ts";
import { idsOf, labelsOf, makeTree, summary } from "./trees.ts";

const root = scratch();
const folderOf = (...paths: string[]) => makeTree(root, paths);
const openTree = (...paths: string[]) => openImages(folderOf(...paths));

describe("a folder's structure", () => {
  it("flat: images with any usual extension, sorted by name, without labels", async () => {
    const { splits } = await openTree("b.PNG", "a.jpeg", "c.webp", "notes.txt", ".hidden.png");
    expect(Object.keys(splits)).toEqual(["all"]);
    expect(idsOf(splits["all"])).toEqual(["a.jpeg", "b.PNG", "c.webp"]);
    expect(labelsOf(splits["all"])).toEqual([-1, -1, -1]);
    expect(splits["all"]?.classes).toBeUndefined();
    expect(await splits["all"]?.read(1)).toEqual({ encoded: Buffer.from("b.PNG") });
    expect(() => splits["all"]?.id(3)).toThrow(RangeError);
  });

  it("one sub-folder per class, with images at any depth", async () => {
    const { all } = (await openTree("dog/x/2.png", "cat/1.png", "dog/1.png", "dog/x/y/0.png")).splits;
    expect(all?.classes).toEqual(["cat", "dog"]);
    expect(idsOf(all)).toEqual(["cat/1.png", "dog/1.png", "dog/x/2.png", "dog/x/y/0.png"]);
    expect(labelsOf(all)).toEqual([0, 1, 1, 1]);
  });

  it("a single sub-folder is not a class, and all images are kept", async () => {
    for (const paths of [
      ["cat/1.png", "cat/2.png"],
      ["1.png", "cat/1.png", "cat/2.png"],
    ]) {
      const { splits, notes } = await openTree(...paths);
      expect([splits["all"]?.length, splits["all"]?.classes, notes]).toEqual([paths.length, undefined, undefined]);
    }
  });

  it("splits share the classes of all splits", async () => {
    const { splits } = await openTree(
      ...["train/b/1.png", "train/a/1.png", "val/c/1.png", "val/b/1.png", "unlabeled/x/1.png", "labels/names.txt"],
    );
    expect(Object.keys(splits)).toEqual(["train", "validation", "unlabelled"]);
    expect(splits["train"]?.classes).toEqual(["a", "b", "c"]);
    expect(splits["validation"]?.classes).toEqual(["a", "b", "c"]);
    expect(labelsOf(splits["validation"])).toEqual([1, 2]);
    expect(splits["unlabelled"]?.classes).toBeUndefined();
    expect(idsOf(splits["train"])).toEqual(["train/a/1.png", "train/b/1.png"]);
  });

  it("a folder's name does not depend on how its path is written", async () => {
    const folder = folderOf("1.png");
    for (const path of [folder, `${folder}/`, join(folder, ".")])
      expect((await openImages(path)).name).toBe(folder.split("/").at(-1));
  });
});

describe("images beside classes and splits are left out and named", () => {
  it("a picture beside class folders", async () => {
    const cats = Array.from({ length: 10 }, (_, i) => `cat/${i}.png`);
    const { splits, notes } = await openTree("contact.png", ...cats, "dog/1.png");
    expect([splits["all"]?.classes, splits["all"]?.length]).toEqual([["cat", "dog"], 11]);
    expect(notes).toEqual(["1 image beside the class folders or parts was left out: contact.png."]);
  });

  it("more of them are kept without a label; if most images are beside them, there are no classes", async () => {
    const some = await openTree("1.png", "2.png", "cat/1.png", "cat/2.png", "dog/1.png");
    expect(summary(some)).toEqual({
      all: { "1.png": undefined, "2.png": undefined, "cat/1.png": "cat", "cat/2.png": "cat", "dog/1.png": "dog" },
    });
    expect(some.notes).toEqual(["2 images beside the class folders of all have no label."]);
    const most = await openTree("1.png", "2.png", "3.png", "cat/1.png", "dog/1.png");
    expect([most.splits["all"]?.length, most.splits["all"]?.classes]).toEqual([5, undefined]);
    expect(most.notes?.[0]).toMatch(/^The images have no labels: 3 of 5 lie beside its sub-folders/);
  });

  it("images and folders beside splits are not used, not even those in a sub-folder", async () => {
    const { splits, notes } = await openTree(
      ...["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png", "more/c/3.png", "4.png", "docs/readme.md"],
    );
    expect(Object.values(splits).flatMap(idsOf)).toEqual([
      "train/a/1.png",
      "train/b/1.png",
      "test/a/1.png",
      "test/b/1.png",
    ]);
    expect(notes).toEqual([
      "1 folder without images was left out: docs.",
      "2 images beside the class folders or parts were left out: 4.png, more/c/3.png.",
      "1 file that is no image was left out: readme.md.",
    ]);
  });

  it("folders without images, also inside splits", async () => {
    const { splits, notes } = await openTree("train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/readme.md");
    expect(splits["train"]?.classes).toEqual(["a", "b"]);
    expect(notes?.[0]).toBe("1 folder without images was left out: test/c.");
  });

  it("an empty test folder; an empty training folder is refused", async () => {
    const { splits, notes } = await openTree("train/a/1.png", "train/b/1.png", "test/readme.md");
    expect([Object.keys(splits), notes?.[0]]).toEqual([["train"], "1 folder without images was left out: test."]);
    await expect(openTree("train/readme.md", "test/a/1.png")).rejects.toThrow(/train holds no images.*in test/);
  });

  it("masks beside images", async () => {
    const { splits, notes } = await openTree(
      ...["images/train/1.png", "images/test/2.png", "masks/train/1.png", "masks/test/2.png"],
    );
    expect(Object.values(splits).flatMap(idsOf)).toEqual(["images/train/1.png", "images/test/2.png"]);
    expect(notes?.[0]).toMatch(
      /^2 images of masks or annotations were left out: masks\/test\/2.png, masks\/train\/1.png/,
    );
  });
});

describe("links", () => {
  it("are followed, to files and to folders", async () => {
    const folder = folderOf("cat/1.png");
    symlinkSync(folderOf("1.png", "2.png"), join(folder, "dog"));
    symlinkSync(join(folder, "cat", "1.png"), join(folder, "cat", "2.png"));
    expect(idsOf((await openImages(folder)).splits["all"])).toEqual([
      ...["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"],
    ]);
  });

  it("to a parent, to themselves or to nowhere do no harm; the last two are counted", async () => {
    const folder = folderOf("cat/1.png");
    symlinkSync(folder, join(folder, "cat", "up"));
    symlinkSync(join(folder, "cat", "self.png"), join(folder, "cat", "self.png"));
    symlinkSync(join(folder, "gone.png"), join(folder, "cat", "gone.png"));
    const { splits, notes } = await openImages(folder);
    expect(idsOf(splits["all"])).toEqual(["cat/1.png"]);
    expect(notes).toEqual([expect.stringMatching(/^2 links that lead nowhere were left out: (self|gone).png, /)]);
  });
});

describe("the fingerprint", () => {
  const print = async (folder: string) => (await openImages(folder)).splits["all"]?.fingerprint;

  it("stays the same if nothing changes, and changes with names, contents and dates", async () => {
    const folder = folderOf("a.png", "b.png");
    const prints = [await print(folder)];
    expect(await print(folder)).toBe(prints[0]);
    writeFileSync(join(folder, "notes.txt"), "no image");
    expect(await print(folder)).toBe(prints[0]);
    renameSync(join(folder, "b.png"), join(folder, "c.png"));
    prints.push(await print(folder));
    writeFileSync(join(folder, "c.png"), "something longer");
    prints.push(await print(folder));
    utimesSync(join(folder, "c.png"), 1, 1);
    prints.push(await print(folder));
    copyFileSync(join(folder, "c.png"), join(folder, "d.png"));
    prints.push(await print(folder));
    expect(new Set(prints).size).toBe(5);
  });

  it("differs between folders with equal files, and is the same for every path to one folder", async () => {
    const twins = [folderOf("set/a.png"), folderOf("set/a.png")];
    const before = process.cwd();
    const prints: (string | undefined)[] = [];
    for (const twin of twins) {
      utimesSync(join(twin, "set", "a.png"), 1, 1);
      process.chdir(twin);
      try {
        prints.push(await print("set"));
      } finally {
        process.chdir(before);
      }
    }
    expect(prints[0]).not.toBe(prints[1]);
    symlinkSync(join(twins[0] as string, "set"), join(root, "link"));
    expect(await print(join(root, "link"))).toBe(prints[0]);
  });
});

describe("a folder without usable images", () => {
  it("empty", async () => {
    const folder = folderOf();
    await expect(openImages(folder)).rejects.toThrow(UsageError);
    await expect(openImages(folder)).rejects.toThrow(`${folder} holds no images, nor do its sub-folders: it is empty.`);
  });

  it("with other files: says which, and what to do about them", async () => {
    await expect(openTree("a.txt", "x/b.csv", "x/LICENSE")).rejects.toThrow(
      /only \.txt, LICENSE, \.csv\. Expected jpg, png/,
    );
    await expect(openTree("a.zip")).rejects.toThrow(/only .zip. Unpack archives first/);
    await expect(openTree("train/data-00000-of-00001.arrow")).rejects.toThrow(/Arrow files as Parquet/);
  });

  it("unreadable", async () => {
    const folder = folderOf("1.png", "private/2.png");
    chmodSync(join(folder, "private"), 0o000);
    const asNobody = process.geteuid?.() === 0; // root may read everything
    chmodSync(root, 0o755);
    chmodSync(folder, 0o755);
    if (asNobody) process.seteuid?.(65534);
    try {
      await expect(openImages(folder)).rejects.toThrow(UsageError);
      await expect(openImages(folder)).rejects.toThrow(/private cannot be read: EACCES.*permissions/);
    } finally {
      if (asNobody) process.seteuid?.(0);
      chmodSync(join(folder, "private"), 0o755);
    }
  });

  it("an empty folder within a folder of images does no harm", async () => {
    const folder = folderOf("1.png");
    mkdirSync(join(folder, "empty"));
    expect((await openImages(folder)).splits["all"]?.length).toBe(1);
  });
});

describe("a table of files", () => {
  it("returns what was added, for any size and any script", () => {
    const table = new FileTable();
    const paths = Array.from(
      { length: 3000 },
      (_, i) => [`folder ${Math.floor(i / 700)}`, `${i} 図 é \udce9.png`] as const,
    );
    for (const [folder, name] of paths) table.add(folder, name);
    expect(Array.from({ length: table.length }, (_, i) => table.path(i))).toEqual(paths.map((path) => join(...path)));
    expect(table.folders).toHaveLength(5);
    expect(() => table.path(3000)).toThrow(RangeError);
  });

  it("needs less than 200 bytes per file for a million files", () => {
    const before = process.memoryUsage();
    const table = new FileTable();
    for (let i = 0; i < 1e6; i++)
      table.add(`n${Math.floor(i / 1000)}`, `ILSVRC2012_val_${String(i).padStart(8, "0")}.JPEG`);
    globalThis.gc?.();
    const after = process.memoryUsage();
    const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
    expect(table.path(999_999)).toBe(join("n999", "ILSVRC2012_val_00999999.JPEG"));
    expect(grown / 1e6).toBeLessThan(200);
  });
});
