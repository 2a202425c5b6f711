/** CIFAR-10's binary version: records of a label byte and 3 × 32 × 32 bytes, red plane first. www.cs.toronto.edu/~kriz/cifar.html */
import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { UsageError } from "../errors.ts";
import { concatenate, hash, type ImageCollection, type ImageSet } from "./images.ts";

const SIDE = 32;
const PLANE = SIDE * SIDE;
const RECORD = 1 + 3 * PLANE;

export function isCifarFolder(files: readonly string[]): boolean {
  return files.some((file) => /^(data_batch_\d|test_batch)\.bin$/.test(basename(file)));
}

export function openCifar(name: string, files: readonly string[]): ImageCollection {
  const meta = files.find((file) => basename(file) === "batches.meta.txt");
  const classes = meta
    ? readFileSync(meta, "utf8").trim().split(/\s+/)
    : Array.from({ length: 10 }, (_, i) => String(i));
  const sets = (pattern: RegExp) =>
    files.filter((file) => pattern.test(basename(file))).map((file) => batchSet(file, classes));
  const [train, test] = [sets(/^data_batch_\d\.bin$/), sets(/^test_batch\.bin$/)];
  return {
    name,
    splits: { ...(train.length && { train: concatenate(train) }), ...(test.length && { test: concatenate(test) }) },
  };
}

function batchSet(file: string, classes: readonly string[]): ImageSet {
  const bytes = readFileSync(file);
  if (bytes.length % RECORD)
    throw new UsageError(`${file} is no CIFAR-10 file: ${bytes.length} bytes are no multiple of ${RECORD}.`);
  const { size, mtimeMs } = statSync(file);
  const name = basename(file, ".bin");
  return {
    name,
    length: bytes.length / RECORD,
    classes,
    label: (i) => bytes[i * RECORD] ?? -1,
    id: (i) => `${name}#${i}`,
    group: (i) => i,
    read: async (i) => {
      const planes = bytes.subarray(i * RECORD + 1, (i + 1) * RECORD);
      const pixels = new Uint8Array(3 * PLANE);
      for (let k = 0; k < PLANE; k++) {
        for (let channel = 0; channel < 3; channel++) pixels[3 * k + channel] = planes[channel * PLANE + k] as number;
      }
      return { pixels, width: SIDE, height: SIDE };
    },
    fingerprint: hash([file, String(size), String(mtimeMs)]),
  };
}
