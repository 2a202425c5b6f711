/**
 * What an image looks like, in 264 bytes: a 64-bit perceptual hash to find candidates by, and a thumbnail to verify them.
 * The hash is pHash (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions", section 3.2.1): of the
 * discrete cosine transform of 32 × 32 grey pixels, whether each of the 8 × 8 lowest frequencies is above their median.
 */
import sharp from "sharp";
import { decodeImage } from "./decode.ts";
import type { ImageData } from "./images.ts";

/** Side of the grey square that hash and thumbnail are made of, in pixels. */
export const SQUARE = 32;
/** Side of the thumbnails. */
export const THUMB = 16;
/** Frequencies in each direction. */
const LOW = 8;
/** An image whose thumbnail has a smaller standard deviation, in grey levels of 256, is plain: its hash would be noise. */
const PLAIN = 4;

/** The looks of a set's images. Plain images, and those that cannot be read, have none. */
export class Looks {
  readonly length: number;
  /** Two words for each image. */
  readonly hashes: Uint32Array;
  /** (N, 16 · 16) grey levels. */
  readonly thumbs: Uint8Array;
  private readonly known: Uint8Array;

  constructor(length: number) {
    this.length = length;
    this.hashes = new Uint32Array(2 * length);
    this.thumbs = new Uint8Array(length * THUMB * THUMB);
    this.known = new Uint8Array(length);
  }

  has(i: number): boolean {
    return this.known[i] === 1;
  }

  /** @param square 32 × 32 grey levels */
  put(i: number, square: ArrayLike<number>): void {
    const thumb = this.thumbs.subarray(i * THUMB * THUMB, (i + 1) * THUMB * THUMB);
    halve(square, thumb);
    if (deviation(thumb) < PLAIN) return;
    this.hashes.set(hashOf(square), 2 * i);
    this.known[i] = 1;
  }

  /** The looks of some images, in this order. */
  pick(rows: ArrayLike<number>): Looks {
    const some = new Looks(rows.length);
    for (let k = 0; k < rows.length; k++) {
      const i = rows[k] as number;
      some.hashes.set(this.hashes.subarray(2 * i, 2 * i + 2), 2 * k);
      some.thumbs.set(this.thumbs.subarray(i * THUMB * THUMB, (i + 1) * THUMB * THUMB), k * THUMB * THUMB);
      some.known[k] = this.known[i] as number;
    }
    return some;
  }
}

/** Larger files go to sharp. */
const LARGE = 2 ** 16;

/**
 * An image's middle as 32 × 32 grey levels. Of a large JPEG, sharp decodes only what such a size needs: ten times as fast as
 * `decodeImage`, which is faster for small files and takes over what sharp cannot read.
 * @throws SelfsightError as {@link decodeImage}
 */
export async function greySquare(image: ImageData): Promise<Uint8Array> {
  if ("encoded" in image && image.encoded.length > LARGE) {
    try {
      const upright = sharp(image.encoded).autoOrient().flatten({ background: "white" }).toColourspace("srgb");
      const { data, info } = await upright
        .resize(SQUARE, SQUARE, { fit: "cover", kernel: "linear" })
        .raw({ depth: "uchar" })
        .toBuffer({ resolveWithObject: true });
      if (info.channels === 3) return greyOf(data, SQUARE); // grey levels as of small files
    } catch {
      // for example a BMP
    }
  }
  return greyOf(await decodeImage(image, SQUARE), SQUARE);
}

/**
 * RGB pixels as 32 × 32 grey levels (ITU-R BT.601), each the mean of the pixels it covers.
 * @param rgb size × size × 3 bytes
 */
export function greyOf(rgb: Uint8Array, size: number): Uint8Array {
  const square = new Uint8Array(SQUARE * SQUARE);
  const starts = Array.from({ length: SQUARE }, (_, k) => Math.floor((k * size) / SQUARE));
  const ends = starts.map((start, k) => Math.max(start + 1, Math.ceil(((k + 1) * size) / SQUARE)));
  for (let row = 0; row < SQUARE; row++)
    for (let column = 0; column < SQUARE; column++) {
      const [top, bottom, left, right] = [starts[row], ends[row], starts[column], ends[column]] as number[] as Box;
      let sum = 0;
      for (let y = top; y < bottom; y++)
        for (let x = left, at = 3 * (y * size + left); x < right; x++, at += 3)
          sum += 0.299 * (rgb[at] as number) + 0.587 * (rgb[at + 1] as number) + 0.114 * (rgb[at + 2] as number);
      square[row * SQUARE + column] = Math.round(sum / ((bottom - top) * (right - left)));
    }
  return square;
}

type Box = [top: number, bottom: number, left: number, right: number];

/** Means of 2 × 2 pixels. */
function halve(square: ArrayLike<number>, thumb: Uint8Array): void {
  for (let y = 0, k = 0; y < THUMB; y++)
    for (let x = 0; x < THUMB; x++, k++) {
      const at = 2 * y * SQUARE + 2 * x;
      const [a, b] = [square[at] as number, square[at + 1] as number];
      const [c, d] = [square[at + SQUARE] as number, square[at + SQUARE + 1] as number];
      thumb[k] = (a + b + c + d + 2) >> 2;
    }
}

function deviation(thumb: Uint8Array): number {
  let [sum, squares] = [0, 0];
  for (const value of thumb) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / thumb.length;
  return Math.sqrt(Math.max(0, squares / thumb.length - mean * mean));
}

/** (8, 32): the lowest cosines, each of length 1. */
const COSINES = Array.from({ length: LOW }, (_, k) =>
  Float64Array.from(
    { length: SQUARE },
    (_, x) => Math.sqrt((k ? 2 : 1) / SQUARE) * Math.cos(((2 * x + 1) * k * Math.PI) / (2 * SQUARE)),
  ),
);

/** 64 bits in two words. The median leaves out the mean of all pixels, so that brightness does not count. */
function hashOf(square: ArrayLike<number>): [number, number] {
  const across = new Float64Array(LOW * SQUARE); // (8, 32): frequencies across, by row
  for (const [k, cosine] of COSINES.entries())
    for (let y = 0; y < SQUARE; y++) {
      let sum = 0;
      for (let x = 0; x < SQUARE; x++) sum += (cosine[x] as number) * (square[y * SQUARE + x] as number);
      across[k * SQUARE + y] = sum;
    }
  const found = new Float64Array(LOW * LOW);
  for (const [down, cosine] of COSINES.entries())
    for (let k = 0; k < LOW; k++) {
      let sum = 0;
      for (let y = 0; y < SQUARE; y++) sum += (cosine[y] as number) * (across[k * SQUARE + y] as number);
      found[down * LOW + k] = sum;
    }
  const median = found.slice(1).sort()[(found.length - 1) >> 1] as number;
  const words: [number, number] = [0, 0];
  for (let k = 0; k < found.length; k++)
    if ((found[k] as number) > median) words[k >> 5] = (words[k >> 5] as number) | (1 << (k & 31));
  return words;
}
