/** Paints pixels: backgrounds that stand out from what is put on them, and cutouts with their transparency. */
import { type RandomGenerator, randomInt, uniform } from "../random.ts";

/** A square picture, and its place. */
export interface Cutout {
  left: number;
  top: number;
  side: number;
  /** side × side × 4 bytes. */
  rgba: Uint8Array;
}

type Colour = readonly [number, number, number];

/** A background's colour is drawn until it is this far from each object's mean colour, in RGB of 0 to 255. */
const CONTRAST = 110;
const TRIES = 20;
/** How far a channel of noise is from its mean at most. */
const [FAINT, LOUD] = [20, 80];
/** The sides of noise's grains, in pixels: from fine as a pixel to broad clouds. */
const GRAINS = [1, 2, 4, 8, 16, 32];

/**
 * A background of size × size × 3 bytes: a colour, with tiles if there are any, else with noise in half of the cases.
 * @param behind what will be put on it
 */
export function drawBackground(
  size: number,
  { behind, tile }: { behind: readonly Cutout[]; tile: Pick<Cutout, "side" | "rgba"> | undefined },
  random: RandomGenerator,
): Uint8Array {
  const colour = colourBehind(behind, random);
  const noisy = !tile && randomInt(random, 0, 1) === 0;
  const pixels = noisy ? noise(size, colour, random) : flat(size, colour);
  if (tile) layTiles(pixels, size, tile, random);
  return pixels;
}

/** Puts a picture on pixels of size × size × 3 bytes; what reaches beyond them is cut off. */
export function paste(pixels: Uint8Array, size: number, { left, top, side, rgba }: Cutout): void {
  for (let y = Math.max(0, -top); y < Math.min(side, size - top); y++)
    for (let x = Math.max(0, -left); x < Math.min(side, size - left); x++) {
      const [from, to] = [4 * (y * side + x), 3 * ((top + y) * size + left + x)];
      const opacity = (rgba[from + 3] as number) / 255;
      for (let c = 0; c < 3; c++) {
        const below = pixels[to + c] as number;
        pixels[to + c] = Math.round(below + opacity * ((rgba[from + c] as number) - below));
      }
    }
}

/** The first colour drawn that contrasts with every object, else the one that contrasts most. */
function colourBehind(objects: readonly Cutout[], random: RandomGenerator): Colour {
  const means = objects.map(meanColour);
  let best: { colour: Colour; contrast: number } | undefined;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const colour: Colour = [randomInt(random, 0, 255), randomInt(random, 0, 255), randomInt(random, 0, 255)];
    const contrast = Math.min(...means.map((mean) => distance(mean, colour)));
    if (!best || contrast > best.contrast) best = { colour, contrast };
    if (contrast >= CONTRAST) break;
  }
  return (best as { colour: Colour }).colour;
}

const distance = (a: Colour, b: Colour) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

/** Weighted by opacity. */
function meanColour({ rgba }: Cutout): Colour {
  const sums = [0, 0, 0, 0] as [number, number, number, number];
  for (let i = 0; i < rgba.length; i += 4) {
    const opacity = rgba[i + 3] as number;
    for (let c = 0; c < 3; c++) sums[c] = (sums[c] as number) + opacity * (rgba[i + c] as number);
    sums[3] += opacity;
  }
  const [red, green, blue, total] = sums;
  return total ? [red / total, green / total, blue / total] : [127, 127, 127];
}

function flat(size: number, colour: Colour): Uint8Array {
  return Uint8Array.from({ length: 3 * size * size }, (_, i) => colour[i % 3] as number);
}

/** Random colours around a mean on a grid, interpolated between its points. */
function noise(size: number, mean: Colour, random: RandomGenerator): Uint8Array {
  const grain = GRAINS[randomInt(random, 0, GRAINS.length - 1)] as number;
  const most = uniform(random, FAINT, LOUD);
  const points = Math.ceil(size / grain) + 1;
  const grid = Float64Array.from(
    { length: 3 * points * points },
    (_, i) => (mean[i % 3] as number) + uniform(random, -most, most),
  );
  const at = (x: number, y: number, c: number) => grid[3 * (y * points + x) + c] as number;
  const pixels = new Uint8ClampedArray(3 * size * size); // rounds and clamps
  for (let i = 0; i < size * size; i++) {
    const [x, y] = [(i % size) / grain, Math.floor(i / size) / grain];
    const [left, top] = [Math.floor(x), Math.floor(y)];
    const [right, down] = [x - left, y - top];
    for (let c = 0; c < 3; c++) {
      const upper = (1 - right) * at(left, top, c) + right * at(left + 1, top, c);
      const lower = (1 - right) * at(left, top + 1, c) + right * at(left + 1, top + 1, c);
      pixels[3 * i + c] = (1 - down) * upper + down * lower;
    }
  }
  return new Uint8Array(pixels.buffer);
}

/** In rows like bricks, from a random corner, with gaps of a quarter of a tile. */
function layTiles(
  pixels: Uint8Array,
  size: number,
  tile: Pick<Cutout, "side" | "rgba">,
  random: RandomGenerator,
): void {
  const step = Math.round(1.25 * tile.side);
  const [fromLeft, fromTop] = [randomInt(random, -step, 0), randomInt(random, -step, 0)];
  for (let row = 0; fromTop + row * step < size; row++)
    for (let left = fromLeft - (row % 2) * (step >> 1); left < size; left += step)
      paste(pixels, size, { ...tile, left, top: fromTop + row * step });
}
