/**
 * The binary versions of CIFAR-10 and CIFAR-100: records of one or two label bytes and 3 × 32 × 32 pixel bytes, red plane first.
 * www.cs.toronto.edu/~kriz/cifar.html
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { UsageError } from "../errors.ts";
import { concatenate, hash, type ImageCollection, type ImageSet } from "./images.ts";
import { realPath } from "./names.ts";

const SIDE = 32;
const PLANE = SIDE * SIDE;
const PIXELS = 3 * PLANE;

interface Format {
  name: string;
  /** Label bytes before the pixels; the last one is used. */
  labels: number;
  classes: number;
  train: RegExp;
  test: RegExp;
  /** File with the class names. */
  names: string;
}

const formats: readonly Format[] = [
  {
    name: "CIFAR-10",
    labels: 1,
    classes: 10,
    train: /^data_batch_\d\.bin$/,
    test: /^test_batch\.bin$/,
    names: "batches.meta.txt",
  },
  // A coarse label (20 classes), then a fine one (100).
  {
    name: "CIFAR-100",
    labels: 2,
    classes: 100,
    train: /^train\.bin$/,
    test: /^test\.bin$/,
    names: "fine_label_names.txt",
  },
];

const formatOf = (file: string) =>
  formats.find(({ train, test }) => train.test(basename(file)) || test.test(basename(file)));

export function isCifar(file: string): boolean {
  return formatOf(file) !== undefined;
}

/** Opens the batches of one of the two formats. Class names come from the list beside them, if there is one. */
export function openCifar(name: string, files: readonly string[]): ImageCollection {
  const format = formatOf(files[0] ?? "") as Format;
  const classes = classNames(dirname(files[0] ?? ""), format);
  const sets = (part: RegExp) =>
    files.filter((file) => part.test(basename(file))).map((file) => batchSet(file, format, classes));
  const [train, test] = [sets(format.train), sets(format.test)];
  return {
    name,
    splits: {
      ...(train.length && { train: concatenate(train, "train") }),
      ...(test.length && { test: concatenate(test, "test") }),
    },
  };
}

function classNames(folder: string, { names: list, classes }: Format): string[] {
  const file = join(folder, list);
  const numbers = Array.from({ length: classes }, (_, i) => String(i));
  if (!existsSync(file)) return numbers;
  const names = readFileSync(file, "utf8").trim().split(/\s+/);
  return numbers.map((number, i) => names[i] ?? number);
}

function batchSet(file: string, format: Format, classes: readonly string[]): ImageSet {
  const bytes = readFileSync(file);
  const record = format.labels + PIXELS;
  if (!bytes.length || bytes.length % record)
    throw new UsageError(
      `${file} is no ${format.name} file, or cut short: ${bytes.length} bytes are no multiple of ${record}.`,
    );
  const labelOf = (i: number) => bytes[i * record + format.labels - 1] ?? -1;
  const length = bytes.length / record;
  for (let i = 0; i < length; i++) {
    if (labelOf(i) >= format.classes)
      throw new UsageError(
        `${file} is no ${format.name} file: it has a label ${labelOf(i)}, expected 0 to ${format.classes - 1}.`,
      );
  }
  const { size, mtimeMs } = statSync(file);
  return {
    name: basename(file),
    length,
    classes,
    label: labelOf,
    id: (i) => `${basename(file)}#${i}`,
    group: (i) => i,
    read: async (i) => {
      const planes = bytes.subarray(i * record + format.labels, (i + 1) * record);
      const pixels = new Uint8Array(PIXELS);
      for (let k = 0; k < PLANE; k++) {
        for (let channel = 0; channel < 3; channel++) pixels[3 * k + channel] = planes[channel * PLANE + k] as number;
      }
      return { pixels, width: SIDE, height: SIDE };
    },
    fingerprint: hash([realPath(file), String(size), String(mtimeMs)]),
  };
}
