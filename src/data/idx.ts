/** IDX files, plain or gzipped: MNIST and Fashion-MNIST. Format: "THE IDX FILE FORMAT" at yann.lecun.com/exdb/mnist */
import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { gunzipSync } from "node:zlib";
import { UsageError } from "../errors.ts";
import { hash, type ImageCollection, type ImageSet } from "./images.ts";

export function isIdx(file: string): boolean {
  return /idx[13]-ubyte(\.gz)?$/.test(file);
}

/** Pairs images (idx3) with labels (idx1) of the same name. `t10k` and `test` are the test split. */
export function openIdx(name: string, files: readonly string[], classes?: readonly string[]): ImageCollection {
  const splits: Record<string, ImageSet> = {};
  for (const file of files.filter((one) => one.includes("idx3"))) {
    const labels = files.find((one) => one === file.replace("idx3", "idx1").replace("images", "labels"));
    splits[/t10k|test/.test(basename(file)) ? "test" : "train"] = idxSet(file, labels, classes);
  }
  if (!Object.keys(splits).length)
    throw new UsageError(`${name}: expected a file of images (…-images-idx3-ubyte), got only labels.`);
  return { name, splits };
}

function idxSet(file: string, labelFile: string | undefined, classes: readonly string[] | undefined): ImageSet {
  const images = readIdx(file, 3);
  const [count = 0, height = 0, width = 0] = images.shape;
  const labels = labelFile === undefined ? undefined : readIdx(labelFile, 1);
  if (labels && labels.shape[0] !== count) {
    throw new UsageError(`${labelFile} has ${labels.shape[0]} labels for the ${count} images of ${file}.`);
  }
  const kinds =
    labels &&
    Array.from({ length: Math.max(...labels.data.subarray(0, count), 0) + 1 }, (_, i) => classes?.[i] ?? String(i));
  const { size, mtimeMs } = statSync(file);
  const name = basename(file);
  return {
    name,
    length: count,
    ...(kinds && { classes: kinds }),
    label: (i) => labels?.data[i] ?? -1,
    id: (i) => `${name}#${i}`,
    group: (i) => i,
    read: async (i) => {
      const grey = images.data.subarray(i * height * width, (i + 1) * height * width);
      const pixels = new Uint8Array(grey.length * 3);
      for (let k = 0; k < pixels.length; k++) pixels[k] = grey[Math.floor(k / 3)] as number;
      return { pixels, width, height };
    },
    fingerprint: hash([file, String(size), String(mtimeMs)]),
  };
}

function readIdx(file: string, dimensions: number): { shape: number[]; data: Uint8Array } {
  const raw = readFileSync(file);
  const bytes = file.endsWith(".gz") ? gunzipSync(raw) : raw;
  // 0, 0, type (8 = unsigned byte), number of dimensions, then their sizes.
  if (bytes.length < 4 + 4 * dimensions || bytes.readUInt32BE(0) !== 0x800 + dimensions) {
    throw new UsageError(`${file} is no IDX file of ${dimensions} dimension(s) of unsigned bytes.`);
  }
  const shape = Array.from({ length: dimensions }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const data = bytes.subarray(4 + 4 * dimensions);
  const expected = shape.reduce((product, size) => product * size, 1);
  if (data.length !== expected)
    throw new UsageError(`${file} holds ${data.length} bytes of data where its header promises ${expected}.`);
  return { shape, data };
}
