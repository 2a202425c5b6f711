/** IDX files, plain or gzipped: MNIST and Fashion-MNIST. Format: "THE IDX FILE FORMAT" at yann.lecun.com/exdb/mnist */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { UsageError } from "../errors.ts";
import { hash, type ImageCollection, type ImageSet, numberedClasses } from "./images.ts";

export function isIdx(file: string): boolean {
  return /idx[13]-ubyte(\.gz)?$/.test(file);
}

/**
 * Images (…-images-idx3-ubyte) with the labels of the same name beside them (…-labels-idx1-ubyte), where there are any.
 * What is called `t10k` or `test` is the test split.
 * @param classes names of the classes, which the format only numbers
 */
export function openIdx(name: string, files: readonly string[], classes?: readonly string[]): ImageCollection {
  const images = files.filter((file) => basename(file).includes("idx3"));
  if (!images.length)
    throw new UsageError(`${name}: expected a file of images (…-images-idx3-ubyte), got only labels.`);
  const parts = images.map((file) => ({ file, split: splitOf(file), labels: readLabels(file) }));
  for (const [i, { file, split }] of parts.entries()) {
    const earlier = parts.slice(0, i).find((part) => part.split === split);
    if (earlier)
      throw new UsageError(`${earlier.file} and ${file} would both be the split ${split}. Name one of them.`);
  }
  // Of all parts together, so that a number means the same in each.
  const numbers = numberedClasses(parts.flatMap(({ labels }) => (labels ? [labels.data.reduce(max, 0)] : [])));
  const named = numbers.map((number, i) => classes?.[i] ?? number);
  return {
    name,
    splits: Object.fromEntries(parts.map(({ file, split, labels }) => [split, idxSet(file, split, labels, named)])),
  };
}

const max = (a: number, b: number) => Math.max(a, b);

function splitOf(file: string): "train" | "test" {
  return /t10k|test/.test(basename(file)) ? "test" : "train";
}

function idxSet(file: string, name: string, labels: IdxArray | undefined, classes: readonly string[]): ImageSet {
  const images = readIdx(file, 3);
  const [count = 0, height = 0, width = 0] = images.shape;
  if (labels && labels.shape[0] !== count) {
    throw new UsageError(`${labels.file} has ${labels.shape[0]} labels for the ${count} images of ${file}.`);
  }
  const { size, mtimeMs } = statSync(file);
  return {
    name,
    length: count,
    ...(labels && { classes }),
    label: (i) => labels?.data[i] ?? -1,
    id: (i) => `${basename(file)}#${i}`,
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

interface IdxArray {
  file: string;
  /** Sizes, the outermost first. */
  shape: number[];
  data: Uint8Array;
}

function readLabels(images: string): IdxArray | undefined {
  const file = join(dirname(images), basename(images).replace("idx3", "idx1").replace("images", "labels"));
  return existsSync(file) ? readIdx(file, 1) : undefined;
}

function readIdx(file: string, dimensions: number): IdxArray {
  const bytes = readBytes(file);
  // 0, 0, type (8 = unsigned byte), number of dimensions, then their sizes.
  if (bytes.length < 4 + 4 * dimensions || bytes.readUInt32BE(0) !== 0x800 + dimensions) {
    throw new UsageError(`${file} is no IDX file of ${dimensions} dimension(s) of unsigned bytes.`);
  }
  const shape = Array.from({ length: dimensions }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const data = bytes.subarray(4 + 4 * dimensions);
  const expected = shape.reduce((product, size) => product * size, 1);
  if (data.length !== expected)
    throw new UsageError(`${file} holds ${data.length} bytes of data where its header promises ${expected}.`);
  return { file, shape, data };
}

function readBytes(file: string): Buffer {
  try {
    const raw = readFileSync(file);
    return file.endsWith(".gz") ? gunzipSync(raw) : raw;
  } catch (cause) {
    throw new UsageError(`${file} cannot be read: ${(cause as Error).message}. If it was cut short, get it again.`, {
      cause,
    });
  }
}
