/**
 * Finds images that nearly match: re-encoded, resized, or cropped by a percent or two. Candidates have perceptual hashes (pHash)
 * that differ in at most 8 of 64 bits; of these, the edges in the thumbnails must agree. On training images that is
 *
 *                            pairs   images in them   largest cluster
 *   clothing        3,068        1                2                 2
 *   cifar10        50,000      112              211                 4
 *   emoji           2,761      220              301                 5
 *   quickdraw      31,999      153               91                34   (unlabelled)
 *   fashion-mnist  10,000    1,335              822               245   (test; trousers of one cut, and the like)
 *
 * and of 300 changed images, it finds for clothing, cifar10 and emoji: JPEG of quality 30: 100, 94 and 93 %; half the size: 99, 78
 * and 95 %; brighter: 100, 100 and 90 %; 2 % cropped: 94, 1 (less than a pixel) and 69 %; 5 % cropped: 12, 0 and 4 %. More bits bring
 * other photos sooner than crops. Hashes within 4, 6, 8, 10 and 12 bits, before the thumbnails are looked at: 2, 16, 70, 208 and
 * 725 pairs of clothing, of which one is of the same thing; 3, 4, 9, 22 and 144 of 5,000 of cifar10; 242, 380, 572, 962 and 1,901 of
 * emoji. The simpler dHash gives 4,081 pairs of clothing within 8 bits.
 *
 * Not all pairs are compared: of five bands of 13 bits, two hashes that differ in at most nine bits share one up to a single bit
 * (multi-index hashing: Norouzi, Punjani & Fleet 2012, https://arxiv.org/abs/1307.2982). 50,000 images take a second, a million random
 * hashes a minute or two.
 */
import { type Looks, THUMB } from "./looks.ts";

/** Largest Hamming distance of two hashes. */
const BITS = 8;
/** Least correlation of the thumbnails' differences between neighbouring pixels. */
const ALIKE = 0.94;

/** Bits of each band. Two hashes that differ in at most nine bits differ in at most one of some band. */
const WIDTH = 13;
const STARTS = [0, 13, 26, 39, 52];
/** A band's own value, and all that differ in one bit. */
const FLIPS = [0, ...Array.from({ length: WIDTH }, (_, bit) => 1 << bit)];

/**
 * Calls `found` with each pair of images that nearly match, the later one first.
 * @param wanted whether a pair is of interest: asked before the thumbnails are compared
 * @param used whether an image is of interest
 */
export function nearPairs(
  looks: Looks,
  wanted: (i: number, j: number) => boolean,
  found: (i: number, j: number) => void,
  used: (i: number) => boolean = () => true,
): void {
  const { hashes } = looks;
  const rows = Int32Array.from({ length: looks.length }, (_, i) => i).filter((i) => looks.has(i) && used(i));
  const bands = STARTS.map((start) => new Band(hashes, rows, start));
  const tried = new Int32Array(looks.length).fill(-1);
  for (const i of rows) {
    const [low, high] = [hashes[2 * i] as number, hashes[2 * i + 1] as number];
    for (const band of bands) {
      band.near(low, high, (j) => {
        if (tried[j] === i) return; // found by another band
        tried[j] = i;
        if (wanted(i, j) && likeness(looks.thumbs, i, j) >= ALIKE) found(i, j);
      });
      band.add(i, low, high);
    }
  }
}

/** Hashes in order of a few of their bits. What a search reads lies side by side in memory, which is most of its speed. */
class Band {
  private readonly start: number;
  /** Where the hashes of each value begin, and where the next one goes. */
  private readonly begin: Int32Array;
  private readonly end: Int32Array;
  private readonly hashes: Uint32Array;
  private readonly members: Int32Array;

  /**
   * Makes room for the hashes of some images.
   * @param start position of the band's first bit
   */
  constructor(hashes: Uint32Array, rows: Int32Array, start: number) {
    this.start = start;
    this.begin = new Int32Array(2 ** WIDTH);
    for (const i of rows) this.count(this.begin, this.keyOf(hashes[2 * i] as number, hashes[2 * i + 1] as number));
    let sum = 0;
    for (let key = 0; key < this.begin.length; key++) {
      const count = this.begin[key] as number;
      this.begin[key] = sum;
      sum += count;
    }
    this.end = this.begin.slice();
    this.hashes = new Uint32Array(2 * rows.length);
    this.members = new Int32Array(rows.length);
  }

  add(i: number, low: number, high: number): void {
    const at = this.count(this.end, this.keyOf(low, high));
    this.members[at] = i;
    this.hashes[2 * at] = low;
    this.hashes[2 * at + 1] = high;
  }

  /** Calls `found` with the images added whose hashes differ in at most one bit of the band, and in at most BITS in all. */
  near(low: number, high: number, found: (i: number) => void): void {
    const { begin, end, hashes, members } = this;
    const own = this.keyOf(low, high);
    for (const flip of FLIPS) {
      const last = end[own ^ flip] as number;
      for (let at = begin[own ^ flip] as number; at < last; at++) {
        const bits = ones(low ^ (hashes[2 * at] as number)) + ones(high ^ (hashes[2 * at + 1] as number));
        if (bits <= BITS) found(members[at] as number);
      }
    }
  }

  private keyOf(low: number, high: number): number {
    const { start } = this;
    const bits = start >= 32 ? high >>> (start - 32) : (low >>> start) | (start ? high << (32 - start) : 0);
    return bits & (2 ** WIDTH - 1);
  }

  /** @returns the count before */
  private count(counts: Int32Array, key: number): number {
    const before = counts[key] as number;
    counts[key] = before + 1;
    return before;
  }
}

/** Number of bits that are 1 (Warren, Hacker's Delight, figure 5-2). */
function ones(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Correlation of the differences between neighbouring pixels: brightness and contrast do not count. */
function likeness(thumbs: Uint8Array, i: number, j: number): number {
  const [a, b] = [i, j].map((k) => k * THUMB * THUMB) as [number, number];
  let [n, sumA, sumB, squaresA, squaresB, products] = [0, 0, 0, 0, 0, 0];
  for (let y = 0; y < THUMB; y++)
    for (let x = 0; x < THUMB; x++) {
      const at = y * THUMB + x;
      for (let axis = 0; axis < 2; axis++) {
        if ((axis ? y : x) === THUMB - 1) continue;
        const next = at + (axis ? THUMB : 1);
        const p = (thumbs[a + next] as number) - (thumbs[a + at] as number);
        const q = (thumbs[b + next] as number) - (thumbs[b + at] as number);
        n++;
        sumA += p;
        sumB += q;
        squaresA += p * p;
        squaresB += q * q;
        products += p * q;
      }
    }
  const [varianceA, varianceB] = [squaresA - (sumA * sumA) / n, squaresB - (sumB * sumB) / n];
  return (products - (sumA * sumB) / n) / Math.sqrt(varianceA * varianceB);
}
