import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileTable, openFolder } from "../../src/data/folder.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { UsageError } from "../../src/errors.ts";
import { scratch } from "../images.ts";

const root = scratch();

/** A new folder with these files; each holds its own path. */
function folderOf(...paths: string[]): string {
  const folder = mkdtempSync(join(root, "f-"));
  for (const path of paths) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), path);
  }
  return folder;
}

const positions = (set: ImageSet | undefined) => Array.from({ length: set?.length ?? 0 }, (_, i) => i);
const ids = (set: ImageSet | undefined) => positions(set).map((i) => set?.id(i));
const labels = (set: ImageSet | undefined) => positions(set).map((i) => set?.label(i));

describe("a folder's structure", () => {
  it("flat: images of any usual ending in order of names, without labels", async () => {
    const { splits } = openFolder(folderOf("b.PNG", "a.jpeg", "c.webp", "notes.txt", ".hidden.png"));
    expect(Object.keys(splits)).toEqual(["all"]);
    expect(ids(splits["all"])).toEqual(["a.jpeg", "b.PNG", "c.webp"]);
    expect(labels(splits["all"])).toEqual([-1, -1, -1]);
    expect(splits["all"]?.classes).toBeUndefined();
    expect(await splits["all"]?.read(1)).toEqual({ encoded: Buffer.from("b.PNG") });
  });

  it("a sub-folder a class, however deep the images lie", () => {
    const { all } = openFolder(folderOf("dog/x/2.png", "cat/1.png", "dog/1.png", "dog/x/y/0.png")).splits;
    expect(all?.classes).toEqual(["cat", "dog"]);
    expect(ids(all)).toEqual(["cat/1.png", "dog/1.png", "dog/x/2.png", "dog/x/y/0.png"]);
    expect(labels(all)).toEqual([0, 1, 1, 1]);
  });

  it("no classes where images lie beside the sub-folders, or where there is one sub-folder only", () => {
    for (const folder of [folderOf("1.png", "cat/1.png", "dog/1.png"), folderOf("cat/1.png", "cat/2.png")]) {
      expect(openFolder(folder).splits["all"]?.classes).toBeUndefined();
    }
  });

  it("images beside the splits are refused, not left out", () => {
    const splits = ["train/a/1.png", "test/a/2.png"];
    expect(() => openFolder(folderOf(...splits, "extra/b/3.png"))).toThrow(
      /"extra" is in none of the splits train, test/,
    );
    expect(() => openFolder(folderOf(...splits, "4.png"))).toThrow(/"4.png" is in none/);
    expect(Object.keys(openFolder(folderOf(...splits, "docs/readme.md", "notes.txt")).splits)).toEqual([
      "train",
      "test",
    ]);
  });

  it("an empty sub-folder is no class", () => {
    expect(openFolder(folderOf("a/1.png", "b/1.png", "c/readme.md")).splits["all"]?.classes).toEqual(["a", "b"]);
  });

  it("sub-folders named after splits, with the classes of all", () => {
    const { splits } = openFolder(
      folderOf("train/b/1.png", "train/a/1.png", "val/c/1.png", "val/b/1.png", "unlabeled/x/1.png", "labels/names.txt"),
    );
    expect(Object.keys(splits)).toEqual(["train", "validation", "unlabelled"]);
    expect(splits["train"]?.classes).toEqual(["a", "b", "c"]);
    expect(splits["validation"]?.classes).toEqual(["a", "b", "c"]);
    expect(labels(splits["validation"])).toEqual([1, 2]);
    expect(splits["unlabelled"]?.classes).toBeUndefined();
    expect(ids(splits["train"])).toEqual(["train/a/1.png", "train/b/1.png"]);
  });

  it("a class may be called train", () => {
    const { splits } = openFolder(folderOf("bus/1.png", "train/1.png", "tram/1.png"));
    expect(splits["all"]?.classes).toEqual(["bus", "train", "tram"]);
  });

  it("two names for one split are refused", () => {
    expect(() => openFolder(folderOf("val/1.png", "validation/1.png"))).toThrow(
      '"val" and "validation" are the same split',
    );
  });
});

describe("links", () => {
  it("are followed, to files and to folders", () => {
    const folder = folderOf("cat/1.png");
    symlinkSync(folderOf("1.png", "2.png"), join(folder, "dog"));
    symlinkSync(join(folder, "cat", "1.png"), join(folder, "cat", "2.png"));
    expect(ids(openFolder(folder).splits["all"])).toEqual(["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"]);
  });

  it("back up, to themselves or to nowhere do no harm", () => {
    const folder = folderOf("cat/1.png");
    symlinkSync(folder, join(folder, "cat", "up"));
    symlinkSync(join(folder, "cat", "self.png"), join(folder, "cat", "self.png"));
    symlinkSync(join(folder, "gone.png"), join(folder, "cat", "gone.png"));
    expect(ids(openFolder(folder).splits["all"])).toEqual(["cat/1.png"]);
  });
});

describe("the fingerprint", () => {
  const print = (folder: string) => openFolder(folder).splits["all"]?.fingerprint;

  it("stays while nothing changes, and changes with names, contents and dates", () => {
    const folder = folderOf("a.png", "b.png");
    const prints = [print(folder)];
    expect(print(folder)).toBe(prints[0]);
    renameSync(join(folder, "b.png"), join(folder, "c.png"));
    prints.push(print(folder));
    writeFileSync(join(folder, "c.png"), "something longer");
    prints.push(print(folder));
    utimesSync(join(folder, "c.png"), 1, 1);
    prints.push(print(folder));
    copyFileSync(join(folder, "c.png"), join(folder, "d.png"));
    prints.push(print(folder));
    expect(new Set(prints).size).toBe(5);
  });
});

describe("what holds no images", () => {
  const refusal = (folder: string) => () => openFolder(folder);

  it("empty", () => {
    const folder = folderOf();
    expect(refusal(folder)).toThrow(UsageError);
    expect(refusal(folder)).toThrow(`${folder} holds no images, nor do its sub-folders: it is empty.`);
  });

  it("other files: says which", () => {
    expect(refusal(folderOf("a.txt", "x/b.csv", "x/LICENSE"))).toThrow(
      /only (\.txt|\.csv|LICENSE), .* Expected jpg, png/,
    );
  });

  it("one split of several: says which", () => {
    const folder = folderOf("train/1.png", "test/readme.md");
    expect(refusal(folder)).toThrow(`${join(folder, "test")} holds no images`);
  });

  it("unreadable", () => {
    const folder = folderOf("1.png", "private/2.png");
    chmodSync(join(folder, "private"), 0o000);
    const asNobody = process.geteuid?.() === 0; // the administrator may read everything
    chmodSync(root, 0o755);
    chmodSync(folder, 0o755);
    if (asNobody) process.seteuid?.(65534);
    try {
      expect(refusal(folder)).toThrow(UsageError);
      expect(refusal(folder)).toThrow(/private cannot be read: EACCES.*permissions/);
    } finally {
      if (asNobody) process.seteuid?.(0);
      chmodSync(join(folder, "private"), 0o755);
    }
  });
});

describe("a table of files", () => {
  it("gives back what was added, over all growth and every script", () => {
    const table = new FileTable();
    const paths = Array.from({ length: 3000 }, (_, i) => [`folder ${Math.floor(i / 700)}`, `${i} 図 é.png`] as const);
    for (const [folder, name] of paths) table.add(folder, name);
    expect(Array.from({ length: table.length }, (_, i) => table.path(i))).toEqual(paths.map((path) => join(...path)));
    expect(table.folders).toHaveLength(5);
    expect(() => table.path(3000)).toThrow(RangeError);
  });

  it("needs less than 200 bytes a file for a million files", () => {
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
