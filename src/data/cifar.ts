/** CIFAR-10's binary version: records of a label byte and 3 × 32 × 32 bytes, red plane first. www.cs.toronto.edu/~kriz/cifar.html */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { UsageError } from "../errors.ts";
import { concatenate, hash, type ImageCollection, type ImageSet } from "./images.ts";

const SIDE = 32;
const PLANE = SIDE * SIDE;
const RECORD = 1 + 3 * PLANE;
const CLASSES = 10;

export function isCifar(file: string): boolean {
  return /^(data_batch_\d|test_batch)\.bin$/.test(basename(file));
}

/** The batches, with the names of the classes from batches.meta.txt where that lies beside them. */
export function openCifar(name: string, files: readonly string[]): ImageCollection {
  const classes = classNames(dirname(files[0] ?? ""));
  const [train, test] = ["data_batch", "test_batch"].map((prefix) =>
    files.filter((file) => basename(file).startsWith(prefix)).map((file) => batchSet(file, classes)),
  );
  return {
    name,
    splits: {
      ...(train?.length && { train: concatenate(train, "train") }),
      ...(test?.length && { test: concatenate(test, "test") }),
    },
  };
}

function classNames(folder: string): string[] {
  const file = join(folder, "batches.meta.txt");
  const numbers = Array.from({ length: CLASSES }, (_, i) => String(i));
  if (!existsSync(file)) return numbers;
  const names = readFileSync(file, "utf8").trim().split(/\s+/);
  return numbers.map((number, i) => names[i] ?? number);
}

function batchSet(file: string, classes: readonly string[]): ImageSet {
  const bytes = readFileSync(file);
  if (!bytes.length || bytes.length % RECORD)
    throw new UsageError(
      `${file} is no CIFAR-10 file, or cut short: ${bytes.length} bytes are no multiple of ${RECORD}.`,
    );
  const wrong = Array.from({ length: bytes.length / RECORD }, (_, i) => bytes[i * RECORD] as number).find(
    (label) => label >= CLASSES,
  );
  if (wrong !== undefined)
    throw new UsageError(`${file} is no CIFAR-10 file: it has a label ${wrong}, expected 0 to 9.`);
  const { size, mtimeMs } = statSync(file);
  return {
    name: basename(file),
    length: bytes.length / RECORD,
    classes,
    label: (i) => bytes[i * RECORD] ?? -1,
    id: (i) => `${basename(file)}#${i}`,
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
