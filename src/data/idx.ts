/** IDX files, plain or gzipped: MNIST and Fashion-MNIST. Format: "THE IDX FILE FORMAT" at yann.lecun.com/exdb/mnist */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { UsageError } from "../errors.ts";
import { hash, type ImageCollection, type ImageSet } from "./images.ts";
import { columnOf, nameLabels } from "./labels.ts";
import { realPath } from "./names.ts";
import { partName } from "./parts.ts";

export function isIdx(file: string): boolean {
  return /idx[13]-ubyte(\.gz)?$/i.test(file);
}

/**
 * Opens images (…-images-idx3-ubyte), with labels from the file of the same name beside them (…-labels-idx1-ubyte), if any.
 * Files named `t10k` or `test` are the test split.
 * @param classes class names; the format only numbers the classes
 */
export function openIdx(name: string, files: readonly string[], classes?: readonly string[]): ImageCollection {
  const images = unpackedOnce(files.filter((file) => /idx3/i.test(basename(file))));
  if (!images.length)
    throw new UsageError(`${name}: expected a file of images (…-images-idx3-ubyte), got only labels.`);
  const parts = images.map((file) => ({
    file,
    split: splitOf(file),
    images: readIdx(file, 3),
    labels: readLabels(file),
  }));
  for (const [i, { file, split }] of parts.entries()) {
    const earlier = parts.slice(0, i).find((part) => part.split === split);
    if (earlier) throw new UsageError(`${earlier.file} and ${file} would both be the part ${split}. Name one of them.`);
  }
  const found = nameLabels(
    parts.map(({ file, labels }) => ({ file, column: labels && columnOf(labels.data), names: labels && classes })),
  );
  return {
    name,
    splits: Object.fromEntries(
      parts.map((part, k) => [part.split, idxSet(part, found.labels[k], found.classes)] as const),
    ),
    ...(found.notes.length && { notes: found.notes }),
  };
}

/** Leaves out gzipped files that are also there unpacked, as torchvision leaves them. */
function unpackedOnce(files: readonly string[]): string[] {
  return files.filter((file) => !files.includes(file.replace(/\.gz$/i, "")) || !/\.gz$/i.test(file));
}

function splitOf(file: string): string {
  const name = basename(file).replace(/idx3-ubyte(\.gz)?$/i, "");
  return /t10k/i.test(name) ? "test" : (partName(name)?.part ?? "train");
}

interface Part {
  file: string;
  split: string;
  images: IdxArray & { data: Uint8Array };
  labels: IdxArray | undefined;
}

function idxSet(
  { file, split, images, labels: stored }: Part,
  labels: Int32Array | undefined,
  classes: readonly string[] | undefined,
): ImageSet {
  const [count = 0, height = 0, width = 0] = images.shape;
  if (stored && stored.shape[0] !== count) {
    throw new UsageError(`${stored.file} has ${stored.shape[0]} labels for the ${count} images of ${file}.`);
  }
  const { size, mtimeMs } = statSync(file);
  return {
    name: split,
    length: count,
    ...(labels && classes && { classes }),
    label: (i) => labels?.[i] ?? -1,
    id: (i) => `${basename(file)}#${i}`,
    group: (i) => i,
    read: async (i) => {
      const grey = images.data.subarray(i * height * width, (i + 1) * height * width);
      const pixels = new Uint8Array(grey.length * 3);
      for (let k = 0; k < pixels.length; k++) pixels[k] = grey[Math.floor(k / 3)] as number;
      return { pixels, width, height };
    },
    fingerprint: hash([realPath(file), String(size), String(mtimeMs)]),
  };
}

interface IdxArray {
  file: string;
  /** Sizes, outermost dimension first. */
  shape: number[];
  data: Uint8Array | Int32Array;
}

/** The labels of an image file, gzipped or not; undefined if there are none. */
function readLabels(images: string): IdxArray | undefined {
  const name = basename(images)
    .replace(/idx3/i, "idx1")
    .replace(/images/i, "labels");
  const bare = join(dirname(images), name.replace(/\.gz$/i, ""));
  const file = [join(dirname(images), name), bare, `${bare}.gz`].find((path) => existsSync(path));
  return file === undefined ? undefined : readIdx(file, 1);
}

/** Integer types by the format's third byte: unsigned and signed bytes, and 2 and 4 bytes, big-endian. */
const types: Readonly<Record<number, { bytes: number; read: (from: Buffer, at: number) => number }>> = {
  8: { bytes: 1, read: (from, at) => from.readUInt8(at) },
  9: { bytes: 1, read: (from, at) => from.readInt8(at) },
  11: { bytes: 2, read: (from, at) => from.readInt16BE(at) },
  12: { bytes: 4, read: (from, at) => from.readInt32BE(at) },
};

/** Images must be unsigned bytes; labels may be any integer type. */
function readIdx(file: string, dimensions: 1): IdxArray;
function readIdx(file: string, dimensions: 3): IdxArray & { data: Uint8Array };
function readIdx(file: string, dimensions: number): IdxArray {
  const bytes = readBytes(file);
  const type = bytes.length >= 4 + 4 * dimensions && bytes.readUInt16BE(0) === 0 ? types[bytes[2] ?? 0] : undefined;
  if (!type || bytes[3] !== dimensions || (dimensions > 1 && bytes[2] !== 8)) {
    const of = dimensions > 1 ? "unsigned bytes" : "whole numbers";
    throw new UsageError(`${file} is no IDX file of ${dimensions} dimension(s) of ${of}.`);
  }
  const shape = Array.from({ length: dimensions }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const data = bytes.subarray(4 + 4 * dimensions);
  const expected = shape.reduce((product, size) => product * size, 1) * type.bytes;
  if (data.length !== expected)
    throw new UsageError(`${file} holds ${data.length} bytes of data where its header promises ${expected}.`);
  if (dimensions > 1) return { file, shape, data };
  return { file, shape, data: Int32Array.from({ length: shape[0] ?? 0 }, (_, i) => type.read(data, i * type.bytes)) };
}

function readBytes(file: string): Buffer {
  try {
    const raw = readFileSync(file);
    return /\.gz$/i.test(file) ? gunzipSync(raw) : raw;
  } catch (cause) {
    throw new UsageError(`${file} cannot be read: ${(cause as Error).message}. If it was cut short, get it again.`, {
      cause,
    });
  }
}
