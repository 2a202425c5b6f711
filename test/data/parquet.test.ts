import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import type { ImageSet } from "../../src/data/images.ts";
import { openImages } from "../../src/data/open.ts";
import { UsageError } from "../../src/errors.ts";
import { scratch } from "../images.ts";

const root = scratch();

interface Rows {
  images: readonly (number[] | undefined)[];
  labels?: readonly (number | string | undefined)[];
  image?: string;
  label?: string;
  classes?: readonly string[];
}

/** A file as the library `datasets` writes it, two rows a group. */
function parquet({ images, labels, image = "image", label = "label", classes }: Rows): Buffer {
  const features = { [image]: { _type: "Image" }, [label]: { _type: "ClassLabel", names: classes } };
  const text = labels?.some((value) => typeof value === "string");
  const buffer = parquetWriteBuffer({
    columnData: [
      {
        name: image,
        data: images.map((bytes, i) => (bytes ? { bytes: Uint8Array.from(bytes), path: `${i}.png` } : undefined)),
      },
      ...(labels ? [{ name: label, data: [...labels] }] : []),
    ],
    schema: [
      { name: "schema", num_children: labels ? 2 : 1 },
      { name: image, num_children: 2, repetition_type: "OPTIONAL" },
      { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
      { name: "path", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      ...(labels
        ? [
            {
              name: label,
              ...(text ? { type: "BYTE_ARRAY" as const, converted_type: "UTF8" as const } : { type: "INT32" as const }),
              repetition_type: "OPTIONAL" as const,
            },
          ]
        : []),
    ],
    rowGroupSize: 2,
    ...(classes && { kvMetadata: [{ key: "huggingface", value: JSON.stringify({ info: { features } }) }] }),
  });
  return Buffer.from(buffer);
}

function folderOf(files: Record<string, Buffer>): string {
  const folder = mkdtempSync(join(root, "p-"));
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(folder, file), bytes);
  return folder;
}

const labelsOf = (set: ImageSet | undefined) => Array.from({ length: set?.length ?? 0 }, (_, i) => set?.label(i));

async function bytesOf(set: ImageSet | undefined, i: number): Promise<number[]> {
  const image = await set?.read(i);
  if (!image || !("encoded" in image)) throw new Error("expected encoded bytes");
  return [...image.encoded];
}

describe("Parquet files", () => {
  it("are shards of splits, with the names of the classes", async () => {
    const classes = ["cat", "dog", "fish"];
    const { splits } = await openImages(
      folderOf({
        "train-00000-of-00002.parquet": parquet({
          images: [[0], [1], [2], [3], [4]],
          labels: [0, 1, 1, 0, 2],
          classes,
        }),
        "train-00001-of-00002.parquet": parquet({ images: [[200, 201], [6]], labels: [1, undefined], classes }),
        "valid.parquet": parquet({ images: [[7]], labels: [0], classes }),
      }),
    );
    expect(Object.keys(splits)).toEqual(["train", "validation"]);
    const { train, validation } = splits;
    expect([train?.name, train?.length, validation?.length]).toEqual(["train", 7, 1]);
    expect(train?.classes).toEqual(classes);
    expect(labelsOf(train)).toEqual([0, 1, 1, 0, 2, 1, -1]);
    expect(train?.id(5)).toBe("train-00001-of-00002.parquet#0");
    expect(await bytesOf(train, 5)).toEqual([200, 201]);
  });

  it("are read in any order, by several at once", async () => {
    const images = Array.from({ length: 11 }, (_, i) => [i, 255 - i]);
    const { all } = (await openImages(folderOf({ "all.parquet": parquet({ images }) }))).splits;
    const order = [10, 0, 5, 1, 9, 0, 3, 10, 7, 2];
    expect(await Promise.all(order.map((i) => bytesOf(all, i)))).toEqual(order.map((i) => images[i]));
    for (const i of order) expect(await bytesOf(all, i)).toEqual(images[i]);
    expect(all?.classes).toBeUndefined();
    expect(labelsOf(all)).toEqual(images.map(() => -1));
  });

  it("number their classes where nothing names them, the same in all files", async () => {
    const { splits } = await openImages(
      folderOf({
        "train.parquet": parquet({ image: "img", label: "fine_label", images: [[1], [2]], labels: [0, 3] }),
        "test.parquet": parquet({ image: "img", label: "fine_label", images: [[1]], labels: [1] }),
      }),
    );
    for (const set of Object.values(splits)) expect(set.classes).toEqual(["0", "1", "2", "3"]);
  });

  it("one shard is opened by its own name, and refused as a folder's only one", async () => {
    const name = "train-00001-of-00002.parquet";
    const folder = folderOf({ [name]: parquet({ images: [[1]] }) });
    expect((await openImages(join(folder, name))).splits["train"]?.length).toBe(1);
    await expect(openImages(folder)).rejects.toThrow(/train-00000-of-00002.parquet is missing/);
  });

  it("a row without an image is an error of that row alone", async () => {
    const { all } = (await openImages(folderOf({ "all.parquet": parquet({ images: [[1], undefined, [3]] }) }))).splits;
    await expect(all?.read(1)).rejects.toThrow("the row has no image");
    expect(await bytesOf(all, 2)).toEqual([3]);
  });

  const sound = parquet({ images: [[1], [2]], labels: [0, 1] });
  it.each<[string, Record<string, Buffer>, RegExp]>([
    [
      "a missing shard",
      { "train-00000-of-00003.parquet": sound, "train-00002-of-00003.parquet": sound },
      /train-00001-of-00003.parquet is missing/,
    ],
    [
      "no images",
      { "all.parquet": parquet({ image: "text", images: [[1]], labels: [1] }) },
      /has no images: expected a column "image" or "img".*got text, label/,
    ],
    [
      "labels that are words",
      { "all.parquet": parquet({ images: [[1]], labels: ["cat"] }) },
      /column "label" must hold numbers of classes, got "cat"/,
    ],
    [
      "a label without a name",
      { "all.parquet": parquet({ images: [[1]], labels: [2], classes: ["a", "b"] }) },
      /a label 2, but .*all.parquet names 2 classes/,
    ],
    ["a file cut short", { "all.parquet": sound.subarray(0, -20) }, /is no sound Parquet file.*Get it again/],
    ["an empty file", { "all.parquet": Buffer.alloc(0) }, /is no sound Parquet file/],
    ["another format", { "all.parquet": readFileSync(import.meta.filename) }, /is no sound Parquet file/],
  ])("%s: one clear refusal", async (_, files, message) => {
    const failure = openImages(folderOf(files));
    await expect(failure).rejects.toThrow(UsageError);
    await expect(failure).rejects.toThrow(message);
  });
});
