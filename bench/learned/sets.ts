/**
 * The image sets of `bench/learned.ts`, each as a folder of parts train, validation, test and unlabelled. Sets that come without a
 * validation part get one from their training images, so that nothing is chosen on test images.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { type ImageSet, selectSplits } from "../../src/data/images.ts";
import { openImages } from "../../src/data/open.ts";
import { SelfsightError } from "../../src/errors.ts";

export interface LearnedSet {
  /** A folder, or a data set's name. */
  readonly images: string;
  /** The options of `pretrain` that fit these images. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Where each set is, or how its folder is filled. */
const sources: Record<string, { options: LearnedSet["options"]; fill?: (folder: string) => Promise<void> }> = {
  clothing: { options: { imageSize: 64 } },
  cifar10: { options: { imageSize: 32, stem: "cifar" }, fill: fillCifar },
  emoji: { options: { imageSize: 64 } },
  "fashion-mnist": { options: { imageSize: 32, stem: "cifar" }, fill: fillFashion },
  cells: { options: { imageSize: 64 }, fill: fillCells },
  quickdraw: { options: { imageSize: 32 } }, // the demo's, when there is no network
};

/** The sets that the tables are about. */
export const setNames = Object.keys(sources).filter((name) => name !== "quickdraw");

/** The set of this name; its folder is made below `folder` if need be. */
export async function learnedSet(name: string, folder: string): Promise<LearnedSet> {
  const source = sources[name];
  if (!source) throw new SelfsightError(`No set ${name}. There are ${setNames.join(", ")}.`);
  const { options, fill } = source;
  if (!fill) return { images: name, options };
  const images = join(folder, name);
  if (!existsSync(images)) {
    const part = `${images}.part`;
    rmSync(part, { recursive: true, force: true });
    await fill(part);
    renameSync(part, images);
  }
  return { images, options };
}

/** 45,000 images to learn from; of the other 5,000 training images, 2,000 to choose on; 10,000 to test on. */
async function fillCifar(folder: string): Promise<void> {
  const collection = await openImages("cifar10");
  const [train, test] = [selectSplits(collection, "train"), selectSplits(collection, "test")];
  const part = (i: number) => (i < 45_000 ? "train" : i < 47_000 ? "validation" : undefined);
  await write(folder, train, part);
  await write(folder, test, () => "test");
}

/** 10,000 images: 6,000 to learn from, 2,000 to choose on, 2,000 to test on. */
async function fillFashion(folder: string): Promise<void> {
  const collection = await openImages("fashion-mnist");
  const all = selectSplits(collection, Object.keys(collection.splits)[0] as string);
  await write(folder, all, (i) => (i % 5 < 3 ? "train" : i % 5 === 3 ? "validation" : "test"));
}

async function write(folder: string, set: ImageSet, partOf: (i: number) => string | undefined): Promise<void> {
  const made = new Set<string>();
  for (let i = 0; i < set.length; i++) {
    const part = partOf(i);
    if (!part) continue;
    const place = join(folder, part, (set.classes?.[set.label(i)] ?? "").replace("/", "-"));
    if (!made.has(place)) mkdirSync(place, { recursive: true });
    made.add(place);
    const data = await set.read(i);
    const bytes =
      "encoded" in data
        ? data.encoded
        : await sharp(data.pixels, { raw: { width: data.width, height: data.height, channels: 3 } })
            .png()
            .toBuffer();
    writeFileSync(join(place, `${String(i).padStart(5, "0")}.png`), bytes);
  }
}

/** Side of a cell's square crop, as a multiple of its box's longer side. */
const ROOM = 1.2;
/** Of the red blood cells, seventeen times as many as the others, each sixth gets a label. */
const LABELLED = 6;

/**
 * The cells of BCCD (https://github.com/Shenggan/BCCD_Dataset), cut out by their boxes: red and white blood cells and platelets. Images
 * of one smear stay in one part, as its ImageSets have it.
 */
async function fillCells(folder: string): Promise<void> {
  const root = join(process.env["SELFSIGHT_DATA"] ?? "", "bccd");
  if (!existsSync(root)) throw new SelfsightError("The cells need BCCD's folder at $SELFSIGHT_DATA/bccd.");
  let red = 0;
  for (const [file, part] of [
    ["train", "train"],
    ["val", "validation"],
    ["test", "test"],
  ] as const) {
    for (const name of readFileSync(join(root, "ImageSets", "Main", `${file}.txt`), "utf8")
      .split(/\s+/)
      .filter(Boolean)) {
      const xml = readFileSync(join(root, "Annotations", `${name}.xml`), "utf8");
      const photo = join(root, "JPEGImages", `${name}.jpg`);
      for (const [i, { kind, box }] of boxesOf(xml).entries()) {
        const labelled = kind !== "RBC" || red++ % LABELLED === 0;
        if (!labelled && part !== "train") continue;
        const place = labelled ? join(folder, part, kind) : join(folder, "unlabelled");
        mkdirSync(place, { recursive: true });
        const cell = await sharp(photo).extract(box).png().toBuffer();
        writeFileSync(join(place, `${name}-${i}.png`), cell);
      }
    }
  }
}

const [WIDTH, HEIGHT] = [640, 480];

/** Class and square window of each box, inside the image. Boxes without area are left out. */
function boxesOf(xml: string): { kind: string; box: { left: number; top: number; width: number; height: number } }[] {
  const number = (text: string, tag: string) => Number(new RegExp(`<${tag}>(\\d+)<`).exec(text)?.[1]);
  return [...xml.matchAll(/<object>(.*?)<\/object>/gs)].flatMap(([, text = ""]) => {
    const [x0, y0, x1, y1] = ["xmin", "ymin", "xmax", "ymax"].map((tag) => number(text, tag)) as [
      number,
      number,
      number,
      number,
    ];
    if (!(x1 > x0 && y1 > y0)) return [];
    const side = Math.min(HEIGHT, Math.round(ROOM * Math.max(x1 - x0, y1 - y0)));
    const start = (low: number, high: number, most: number) =>
      Math.max(0, Math.min(most - side, Math.round((low + high - side) / 2)));
    const kind = /<name>(\w+)</.exec(text)?.[1] ?? "";
    return [{ kind, box: { left: start(x0, x1, WIDTH), top: start(y0, y1, HEIGHT), width: side, height: side } }];
  });
}
