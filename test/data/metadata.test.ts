/** Files with labels beside images. */
import { describe, expect, it } from "vitest";
import { openImages } from "../../src/data/open.ts";
import { scratch } from "../images.ts";
import { table } from "./parquet-files.ts";
import { makeTree, summary } from "./trees.ts";

const root = scratch();
const open = (files: Record<string, string | Uint8Array>) => openImages(makeTree(root, files));

describe("a list of labels", () => {
  const expected = { all: { "1.png": "cat", "2.png": "dog", "3.png": undefined } };
  it.each<[string, string | Uint8Array]>([
    ["metadata.csv", '\ufefffile_name,text,label\r\n1.png,"a, ""b""\nc",cat\r\n2.png,,dog\r\n'],
    ["metadata.jsonl", '{"file_name":"1.png","label":"cat"}\n\n{"file_name":"2.png","label":"dog"}\n'],
    ["Metadata.CSV", "label,file_name\ncat,1.png\ndog,2.png"],
    ["metadata.parquet", table({ file_name: ["1.png", "2.png"], label: ["cat", "dog"] })],
  ])("%s", async (name, contents) => {
    const collection = await open({ "1.png": "1", "2.png": "2", "3.png": "3", [name]: contents });
    expect([summary(collection), collection.notes]).toEqual([expected, undefined]);
  });

  it("in each split, with paths relative to it, or one for all", async () => {
    const images = { "train/a/1.png": "1", "train/2.png": "2", "test/1.png": "3" };
    const labelled = { train: { "train/2.png": "6", "train/a/1.png": "5" }, test: { "test/1.png": "6" } };
    const lists = {
      "train/metadata.csv": "file_name,label\na/1.png,5\n2.png,6\n",
      "test/metadata.csv": "file_name,label\n1.png,6\n",
    };
    const one = {
      "metadata.jsonl": Object.entries({ ...labelled.train, ...labelled.test })
        .map(([file_name, label]) => JSON.stringify({ file_name, label: Number(label) }))
        .join("\n"),
    };
    for (const files of [lists, one]) {
      const collection = await open({ ...images, ...files });
      expect(summary(collection)).toEqual(labelled);
    }
  });

  it("may have Windows' separators, and rows that name no image are told", async () => {
    const { splits, notes } = await open({
      "img/1.png": "1",
      "img/2.png": "2",
      "metadata.csv": "file_name,label\nimg\\1.png,cat\nimg\\2.PNG,dog\nimg\\9.png,cat\n",
    });
    expect(summary({ splits } as never)).toEqual({ all: { "img/1.png": "cat", "img/2.png": undefined } });
    expect(notes?.join()).toContain("2 rows of metadata.csv name no image: img/2.PNG, img/9.png.");
  });

  it("is not read if folders are the classes, even if it is damaged", async () => {
    const { splits, notes } = await open({ "cat/1.png": "1", "dog/1.png": "2", "metadata.parquet": "damaged" });
    expect(splits["all"]?.classes).toEqual(["cat", "dog"]);
    expect(notes).toEqual(["The folders give the labels: metadata.parquet was not read."]);
  });

  it.each<[string, string, RegExp]>([
    ["without labels", "file_name,text\n1.png,a cat\n", /no column label beside file_name/],
    ["of other kinds", "", /gives no labels/],
    ["with fractions", "file_name,label\n1.png,0.5\n", /labels of metadata.csv are fractions/],
  ])("%s does not stop loading", async (_, csv, note) => {
    const { splits, notes } = await open({ "1.png": "1", "metadata.csv": csv });
    expect([splits["all"]?.length, notes]).toEqual([1, [expect.stringMatching(note)]]);
  });

  it("that is damaged does not stop loading", async () => {
    for (const [name, contents] of [
      ["metadata.jsonl", "{not"],
      ["metadata.parquet", "PAR1"],
    ] as const) {
      const { splits, notes } = await open({ "1.png": "1", [name]: contents });
      expect([splits["all"]?.length, notes]).toEqual([
        1,
        [expect.stringMatching(/cannot be read, and gives no labels/)],
      ]);
    }
  });
});
