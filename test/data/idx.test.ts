import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { openImages } from "../../src/data/open.ts";
import { UsageError } from "../../src/errors.ts";
import { scratch } from "../images.ts";
import { makeTree } from "./trees.ts";

const root = scratch();

/** An IDX file: header and data. */
function idx(shape: readonly number[], data: ArrayLike<number>): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt32BE(0x800 + shape.length);
  for (const [i, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * i);
  return Buffer.concat([header, Buffer.from(Uint8Array.from(data))]);
}

/** Two images of 2 × 3 pixels. */
const twoImages = idx([2, 2, 3], [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110]);

function folderOf(name: string, files: Record<string, Buffer>): string {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(folder, file), bytes);
  return folder;
}

describe("IDX files", () => {
  it("are paired with their labels, gzipped or not, in a folder of any name", async () => {
    const folder = folderOf("images-idx3", {
      "train-images-idx3-ubyte": twoImages,
      "train-labels-idx1-ubyte": idx([2], [3, 0]),
      "t10k-images-idx3-ubyte.gz": gzipSync(twoImages),
      "t10k-labels-idx1-ubyte.gz": gzipSync(idx([2], [1, 1])),
    });
    const { splits } = await openImages(folder);
    expect(Object.keys(splits).sort()).toEqual(["test", "train"]);
    const { train, test } = splits;
    expect([train?.label(0), train?.label(1), test?.label(1)]).toEqual([2, 0, 1]);
    expect(train?.classes).toEqual(["0", "1", "3"]);
    expect(test?.classes).toEqual(train?.classes); // although none of its labels is 3
    expect(test?.id(1)).toBe("t10k-images-idx3-ubyte.gz#1");
    const second = [60, 70, 80, 90, 100, 110].flatMap((grey) => [grey, grey, grey]);
    for (const set of [train, test])
      expect(await set?.read(1)).toEqual({ pixels: Uint8Array.from(second), width: 3, height: 2 });
    expect(train?.fingerprint).not.toBe(test?.fingerprint);
  });

  it("are also read without labels, and a single file with the labels beside it", async () => {
    const bare = await openImages(folderOf("bare", { "images-idx3-ubyte": twoImages }));
    expect(bare.splits["train"]?.classes).toBeUndefined();
    expect(bare.splits["train"]?.label(0)).toBe(-1);
    const folder = folderOf("one", {
      "test-images-idx3-ubyte": twoImages,
      "test-labels-idx1-ubyte": idx([2], [1, 0]),
    });
    const { splits } = await openImages(join(folder, "test-images-idx3-ubyte"));
    expect([Object.keys(splits), splits["test"]?.label(0)]).toEqual([["test"], 1]);
  });

  it("that are there both gzipped and unpacked count once, at any depth", async () => {
    const files = { "train-images-idx3-ubyte": twoImages, "train-labels-idx1-ubyte": idx([2], [1, 0]) };
    const packed = Object.fromEntries(Object.entries(files).map(([name, file]) => [`${name}.gz`, gzipSync(file)]));
    const folder = makeTree(
      root,
      Object.fromEntries(Object.entries({ ...files, ...packed }).map(([name, file]) => [`MNIST/raw/${name}`, file])),
    );
    const { splits } = await openImages(folder);
    expect([Object.keys(splits), splits["train"]?.length, splits["train"]?.label(0)]).toEqual([["train"], 2, 1]);
    const twice = { ...files, "train-images-idx3-ubyte.d/train-images-idx3-ubyte": twoImages };
    expect((await openImages(makeTree(root, twice))).splits["train"]?.length).toBe(2);
  });

  it("may have labels with more bytes, and be a validation split", async () => {
    const wide = Buffer.from([0, 0, 12, 1, 0, 0, 0, 2, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff]); // 65536, -1
    const { splits } = await openImages(
      makeTree(root, { "valid-images.idx3-ubyte": twoImages, "valid-labels.idx1-ubyte": wide }),
    );
    const { validation } = splits;
    expect([validation?.classes, validation?.label(0), validation?.label(1)]).toEqual([["65536"], 0, -1]);
  });

  const images = "train-images-idx3-ubyte";
  const labels = "train-labels-idx1-ubyte";
  it.each<[string, Record<string, Buffer>, RegExp]>([
    ["labels alone", { [labels]: idx([2], [0, 1]) }, /expected a file of images.*only labels/],
    ["too few labels", { [images]: twoImages, [labels]: idx([1], [0]) }, /has 1 labels for the 2 images/],
    ["another format", { [images]: Buffer.from("not what the name says") }, /is no IDX file of 3 dimension/],
    ["an empty file", { [images]: Buffer.alloc(0) }, /is no IDX file/],
    ["data cut short", { [images]: twoImages.subarray(0, -1) }, /holds 11 bytes of data where its header promises 12/],
    [
      "a gzip file cut short",
      { [`${images}.gz`]: gzipSync(twoImages).subarray(0, 20) },
      /cannot be read.*get it again/,
    ],
    [
      "two files for one split",
      { "a-images-idx3-ubyte": twoImages, "b-images-idx3-ubyte": twoImages },
      /would both be/,
    ],
  ])("%s: refused with a clear message", async (name, files, message) => {
    const failure = openImages(folderOf(name, files));
    await expect(failure).rejects.toThrow(UsageError);
    await expect(failure).rejects.toThrow(message);
  });
});
