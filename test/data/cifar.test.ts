import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openImages } from "../../src/data/open.ts";
import { UsageError } from "../../src/errors.ts";
import { scratch } from "../images.ts";

const root = scratch();

/** Records with one label each: red is the row, green the column, blue the label. */
function batch(...labels: number[]): Buffer {
  const plane = (value: (row: number, column: number) => number) =>
    Array.from({ length: 1024 }, (_, i) => value(i >> 5, i & 31));
  return Buffer.from(
    labels.flatMap((label) => [label, ...plane((row) => row), ...plane((_, column) => column), ...plane(() => label)]),
  );
}

function folderOf(name: string, files: Record<string, Buffer | string>): string {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(folder, file), bytes);
  return folder;
}

describe("CIFAR-10's binary files", () => {
  it("are batches of a training split, and a test split", async () => {
    const names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    const { splits } = await openImages(
      folderOf("whole", {
        "data_batch_1.bin": batch(3, 9),
        "data_batch_2.bin": batch(0),
        "test_batch.bin": batch(7),
        "batches.meta.txt": `${names.join("\n")}\n\n`,
      }),
    );
    const { train, test } = splits;
    expect([train?.name, train?.length, test?.length]).toEqual(["train", 3, 1]);
    expect([0, 1, 2].map((i) => train?.label(i))).toEqual([3, 9, 0]);
    expect(train?.classes).toEqual(names);
    expect(train?.id(2)).toBe("data_batch_2.bin#0");
    const image = await train?.read(1);
    if (!image || !("pixels" in image)) throw new Error("expected pixels");
    expect([image.width, image.height, image.pixels.length]).toEqual([32, 32, 3072]);
    expect([...image.pixels.subarray(3 * (5 * 32 + 17), 3 * (5 * 32 + 17) + 3)]).toEqual([5, 17, 9]);
  });

  it("number their classes if the list of names is missing", async () => {
    const { splits } = await openImages(join(folderOf("bare", { "test_batch.bin": batch(1) }), "test_batch.bin"));
    expect(Object.keys(splits)).toEqual(["test"]);
    expect(splits["test"]?.classes?.slice(8)).toEqual(["8", "9"]);
  });

  it("of CIFAR-100 have a coarse label and a fine one, which is used", async () => {
    const record = (coarse: number, fine: number) => Buffer.concat([Buffer.of(coarse), batch(fine)]);
    const names = Array.from({ length: 100 }, (_, i) => `class${i}`).join("\n");
    const { splits } = await openImages(
      folderOf("hundred", {
        "train.bin": Buffer.concat([record(1, 99), record(0, 3)]),
        "test.bin": record(19, 7),
        "fine_label_names.txt": names,
      }),
    );
    const { train, test } = splits;
    expect([train?.length, train?.label(0), train?.label(1), test?.classes?.[test.label(0)]]).toEqual([
      2,
      99,
      3,
      "class7",
    ]);
    const image = await train?.read(1);
    expect(image && "pixels" in image && [...image.pixels.subarray(-3)]).toEqual([31, 31, 3]);
  });

  it("a file that only has such a name does not hide a folder's images", async () => {
    const { splits, notes } = await openImages(folderOf("weights", { "train.bin": "weights", "1.png": "a picture" }));
    expect([splits["all"]?.length, notes]).toEqual([1, ["1 file that is no image was left out: train.bin."]]);
  });

  it.each<[string, Buffer, RegExp]>([
    ["cut short", batch(1, 2).subarray(0, -1), /no CIFAR-10 file, or cut short: 6145 bytes are no multiple of 3073/],
    ["empty", Buffer.alloc(0), /no CIFAR-10 file/],
    ["of another kind", batch(1, 10), /a label 10, expected 0 to 9/],
  ])("%s: refused with a clear message", async (name, bytes, message) => {
    const failure = openImages(folderOf(name, { "data_batch_1.bin": bytes }));
    await expect(failure).rejects.toThrow(UsageError);
    await expect(failure).rejects.toThrow(message);
  });
});
