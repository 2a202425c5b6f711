/**
 * The binary versions of CIFAR-10 and CIFAR-100: records of one or two label bytes and 3 × 32 × 32 pixel bytes, red plane first.
 * www.cs.toronto.edu/~kriz/cifar.html
 */
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { onDisk, SelfsightError, UsageError } from "../errors.ts";
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
  const { size, mtimeMs } = statSync(file);
  const record = format.labels + PIXELS;
  if (!size || size % record)
    throw new UsageError(
      `${file} is no ${format.name} file, or cut short: ${size} bytes are no multiple of ${record}.`,
    );
  const length = size / record;
  const labels = readLabels(file, { record, at: format.labels - 1, length });
  const wrong = labels.find((label) => label >= format.classes);
  if (wrong !== undefined)
    throw new UsageError(
      `${file} is no ${format.name} file: it has a label ${wrong}, expected 0 to ${format.classes - 1}.`,
    );
  return {
    name: basename(file),
    length,
    classes,
    label: (i) => labels[i] ?? -1,
    id: (i) => `${basename(file)}#${i}`,
    group: (i) => i,
    read: async (i) => {
      const planes = readAt(file, i * record + format.labels, PIXELS);
      const pixels = new Uint8Array(PIXELS);
      for (let k = 0; k < PLANE; k++) {
        for (let channel = 0; channel < 3; channel++) pixels[3 * k + channel] = planes[channel * PLANE + k] as number;
      }
      return { pixels, width: SIDE, height: SIDE };
    },
    fingerprint: hash([realPath(file), String(size), String(mtimeMs)]),
  };
}

/** Records that are read at once. */
const AT_ONCE = 512;

/** The byte `at` of each record: the images are read when they are asked for, so that a set takes no memory. */
function readLabels(file: string, { record, at, length }: { record: number; at: number; length: number }): Uint8Array {
  const labels = new Uint8Array(length);
  for (let from = 0; from < length; from += AT_ONCE) {
    const count = Math.min(AT_ONCE, length - from);
    const some = readAt(file, from * record, count * record);
    for (let i = 0; i < count; i++) labels[from + i] = some[i * record + at] as number;
  }
  return labels;
}

function readAt(file: string, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return onDisk(`${file} cannot be read`, () => {
    const descriptor = openSync(file, "r");
    try {
      if (readSync(descriptor, bytes, 0, length, position) === length) return bytes;
      throw new SelfsightError(`${file} became shorter while it was read.`);
    } finally {
      closeSync(descriptor);
    }
  });
}
