/**
 * Scenes of emoji: one large and up to two smaller ones, drawn with their transparency somewhere on a background, which is a
 * colour, noise or tiles of another emoji. So it is known to the pixel where the objects are. A scene follows from the part and
 * its number alone; its class is that of the large emoji. The parts share no family of emoji, neither as objects nor as tiles.
 */
import { type RandomGenerator, randomAt, randomInt, shuffle, uniform } from "../random.ts";
import { EMOJI_CLASSES } from "./emoji-classes.ts";
import { type Drawing, type Emoji, loadEmoji, type Side } from "./emoji-drawings.ts";
import { hash, type ImageCollection, type ImageSet } from "./images.ts";
import { type Box, type Objects, objectsIn } from "./objects.ts";
import { type Cutout, drawBackground, paste } from "./scene-painting.ts";

/** Side of a scene, in pixels. */
const SIZE = 96;
const LENGTHS: Readonly<Record<Side, number>> = { train: 4000, validation: 500, test: 1000 };
/** Sides of the large emoji, of the smaller ones, and of tiles, as fractions of the scene's. */
const [LARGE, SMALL, TILE] = [
  [0.4, 0.65],
  [0.2, 0.3],
  [0.12, 0.17],
] as const;
/** How often a place for a smaller emoji is sought before it is left out. */
const TRIES = 20;
/** A pixel belongs to an object if the object covers half of it. */
const COVERED = 128;
/** Bump when scenes change: they are cached. */
const VERSION = 1;

interface Scene {
  objects: readonly { drawing: Drawing; left: number; top: number; side: number }[];
  tile: { drawing: Drawing; side: number } | undefined;
  /** For what is drawn at random after the places are known. */
  random: RandomGenerator;
}

/** Train, validation and test: 4,000, 500 and 1,000 scenes. @throws UsageError naming the packages to install */
export function openEmojiScenes(): ImageCollection {
  const emoji = loadEmoji();
  const sides = Object.keys(LENGTHS) as Side[];
  return { name: "emoji-scenes", splits: Object.fromEntries(sides.map((side) => [side, sceneSet(side, emoji)])) };
}

function sceneSet(part: Side, emoji: Emoji): ImageSet {
  const length = LENGTHS[part];
  const place = Object.keys(LENGTHS).indexOf(part);
  const own = emoji.drawings.filter((drawing) => emoji.side(drawing) === part);
  const byLabel = EMOJI_CLASSES.map((_, label) => own.filter((drawing) => drawing.label === label));
  const labels = shuffle(
    Array.from({ length }, (_, i) => i % EMOJI_CLASSES.length),
    randomAt(VERSION, place),
  );
  const labelled = byLabel.flat();
  /** The large emoji is the first thing drawn at random: labels and groups need no more. */
  const begin = (i: number) => {
    const label = labels[i];
    if (label === undefined) throw new RangeError(`image ${i} of ${length}`);
    const random = randomAt(VERSION, place, i);
    return { main: pick(byLabel[label] as Drawing[], random), random };
  };
  const plan = (i: number) => planScene(begin(i), { labelled, own });
  return {
    name: part,
    length,
    classes: EMOJI_CLASSES,
    label: (i) => begin(i).main.label,
    id: (i) => `${part}/${i}`,
    group: (i) => begin(i).main.family,
    read: async (i) => ({ pixels: await paint(plan(i), emoji), width: SIZE, height: SIZE }),
    objects: async (i) => locate(await cutOut(plan(i), emoji)),
    fingerprint: hash([`scenes ${VERSION}`, part, ...own.map(({ designer, name }) => `${designer}/${name}`)]),
  };
}

function planScene(
  { main, random }: { main: Drawing; random: RandomGenerator },
  { labelled, own }: { labelled: readonly Drawing[]; own: readonly Drawing[] },
): Scene {
  const side = ([low, high]: readonly [number, number]) => Math.round(uniform(random, low, high) * SIZE);
  const objects: { drawing: Drawing; left: number; top: number; side: number }[] = [];
  const add = (drawing: Drawing, size: number) => {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const at = { left: randomInt(random, 0, SIZE - size), top: randomInt(random, 0, SIZE - size), side: size };
      if (objects.some((other) => overlap(at, other))) continue;
      objects.push({ drawing, ...at });
      return;
    }
  };
  add(main, side(LARGE));
  for (let more = randomInt(random, 0, 2); more > 0; more--) add(pick(labelled, random), side(SMALL));
  const drawn = new Set(objects.map(({ drawing }) => drawing.family));
  const tiled = randomInt(random, 0, 2) === 0;
  const others = tiled ? own.filter(({ family }) => !drawn.has(family)) : [];
  return { objects, tile: tiled ? { drawing: pick(others, random), side: side(TILE) } : undefined, random };
}

const pick = <One>(list: readonly One[], random: RandomGenerator): One =>
  list[randomInt(random, 0, list.length - 1)] as One;

interface Square {
  left: number;
  top: number;
  side: number;
}

const overlap = (a: Square, b: Square) =>
  a.left < b.left + b.side && b.left < a.left + a.side && a.top < b.top + b.side && b.top < a.top + a.side;

/** Draws the objects of a scene. */
function cutOut({ objects }: Scene, { raster }: Emoji): Promise<(Cutout & { drawing: Drawing })[]> {
  return Promise.all(objects.map(async (object) => ({ ...object, rgba: await raster(object.drawing, object.side) })));
}

/** RGB, SIZE × SIZE × 3 bytes. */
async function paint(scene: Scene, emoji: Emoji): Promise<Uint8Array> {
  const objects = await cutOut(scene, emoji);
  const { tile, random } = scene;
  const tiled = tile && { side: tile.side, rgba: await emoji.raster(tile.drawing, tile.side) };
  const pixels = drawBackground(SIZE, { behind: objects, tile: tiled }, random);
  for (const object of objects) paste(pixels, SIZE, object);
  return pixels;
}

/** The mask's values are 1 + the class. */
function locate(cutouts: readonly (Cutout & { drawing: Drawing })[]): Objects {
  const mask = new Uint8Array(SIZE * SIZE);
  const boxes: Box[] = [];
  for (const { left, top, side, rgba, drawing } of cutouts) {
    let [west, north, east, south] = [side, side, -1, -1];
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) {
        if ((rgba[4 * (y * side + x) + 3] as number) < COVERED) continue;
        mask[(top + y) * SIZE + left + x] = 1 + drawing.label;
        [west, north, east, south] = [Math.min(west, x), Math.min(north, y), Math.max(east, x), Math.max(south, y)];
      }
    const [width, height, label] = [east - west + 1, south - north + 1, EMOJI_CLASSES[drawing.label] as string];
    if (east >= 0) boxes.push({ left: left + west, top: top + north, width, height, label });
  }
  return objectsIn({ width: SIZE, height: SIZE }, boxes, mask);
}
