/** Reads what a TIFF file's first directory says about its samples (TIFF 6.0 and BigTIFF). Nothing is decoded. */

/** Values of the first directory, by tag. An EXIF block has the same structure. */
export type Tags = ReadonlyMap<number, readonly number[]>;

const [WIDTH, HEIGHT, BITS, PHOTOMETRIC, ORIENTATION, SAMPLES, EXTRA, FORMAT] = [
  256, 257, 258, 262, 274, 277, 338, 339,
] as const;
const NEEDED: readonly number[] = [WIDTH, HEIGHT, BITS, PHOTOMETRIC, ORIENTATION, SAMPLES, EXTRA, FORMAT];

/** Bytes per value, by the tag's type: BYTE, SHORT, LONG, LONG8. No value needed here has another type. */
const typeBytes: Readonly<Record<number, 1 | 2 | 4 | 8>> = { 1: 1, 3: 2, 4: 4, 16: 8 };

export interface Tiff {
  readonly width: number;
  readonly height: number;
  /** EXIF orientation, 1 to 8. */
  readonly orientation: number;
  readonly photometric: number;
  /** Bits per sample; 0 if they differ. */
  readonly bits: number;
  readonly format: SampleFormat;
  /** Samples per pixel. */
  readonly samples: number;
  /** Index of the opacity among a pixel's samples; -1 for none. */
  readonly alpha: number;
  /** Unsigned 8-bit grey or RGB without extra samples, which every decoder gets right. */
  readonly plain: boolean;
  /** Offset of the photometric interpretation's two bytes; -1 for none. */
  readonly photometricAt: number;
}

export type SampleFormat = "unsigned" | "signed" | "float" | "complex";
const formats: Readonly<Record<number, SampleFormat>> = { 2: "signed", 3: "float", 5: "complex", 6: "complex" };

/** Photometric interpretations. */
export const [WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR] = [0, 1, 2, 3, 5, 6] as const;

export function readTiff(file: Buffer): Tiff | undefined {
  const directory = readDirectory(file);
  if (!directory) return undefined;
  const { tags, at } = directory;
  const one = (tag: number, otherwise: number) => tags.get(tag)?.[0] ?? otherwise;
  const [width, height] = [one(WIDTH, 0), one(HEIGHT, 0)];
  if (!width || !height) return undefined;
  const [photometric, samples] = [one(PHOTOMETRIC, WHITE_IS_ZERO), one(SAMPLES, 1)];
  const depths = new Set(tags.get(BITS) ?? [1]);
  const bits = depths.size === 1 ? one(BITS, 1) : 0;
  const format = formats[one(FORMAT, 1)] ?? "unsigned";
  const alpha = alphaOf(photometric, samples, tags.get(EXTRA));
  const colours = { [WHITE_IS_ZERO]: 1, [BLACK_IS_ZERO]: 1, [RGB]: 3 }[photometric];
  return {
    width,
    height,
    orientation: turn(one(ORIENTATION, 1)),
    photometric,
    bits,
    format,
    samples,
    alpha,
    plain: bits === 8 && format === "unsigned" && samples === colours,
    photometricAt: at.get(PHOTOMETRIC) ?? -1,
  };
}

/** One more sample than the colours need is the opacity, unless the file says otherwise. */
function alphaOf(photometric: number, samples: number, extra: readonly number[] | undefined): number {
  const colours = photometric === RGB || photometric === YCBCR ? 3 : photometric === CMYK ? 4 : 1;
  const kind = extra?.[0] ?? (samples === colours + 1 && colours !== 4 ? 2 : 0);
  return samples > colours && (kind === 1 || kind === 2) ? colours : -1;
}

/**
 * The orientation in an EXIF block, which begins with its byte order; 1 if it has none.
 * @returns undefined if the block is malformed, because decoders may then differ
 */
export function exifOrientation(block: Buffer): number | undefined {
  const tags = readDirectory(block)?.tags;
  const values = tags?.get(ORIENTATION);
  if (!tags || !values) return tags && 1;
  return values.length === 1 ? turn(values[0] ?? 1) : undefined;
}

/** Some cameras write 0, which has no meaning. */
const turn = (orientation: number) => (orientation >= 1 && orientation <= 8 ? orientation : 1);

interface Directory {
  tags: Tags;
  /** Offset of each tag's first value. */
  at: ReadonlyMap<number, number>;
}

function readDirectory(file: Buffer): Directory | undefined {
  if (file.length < 8) return undefined;
  const order = file.toString("latin1", 0, 2);
  if (order !== "II" && order !== "MM") return undefined;
  const number = (at: number, bytes: 1 | 2 | 4 | 8): number => {
    if (bytes !== 8) return order === "II" ? file.readUIntLE(at, bytes) : file.readUIntBE(at, bytes);
    return Number(order === "II" ? file.readBigUInt64LE(at) : file.readBigUInt64BE(at));
  };
  const big = number(2, 2) === 43;
  const [word, counter] = big ? ([8, 8] as const) : ([4, 2] as const);
  if (big && file.length < 16) return undefined;
  const start = number(big ? 8 : 4, word);
  if (start + counter > file.length) return undefined;
  const tags = new Map<number, number[]>();
  const places = new Map<number, number>();
  const entry = 4 + 2 * word;
  const entries = number(start, counter);
  for (let k = 0, at = start + counter; k < entries; k++, at += entry) {
    if (at + entry > file.length) return undefined;
    const [tag, bytes] = [number(at, 2), typeBytes[number(at + 2, 2)]];
    if (!NEEDED.includes(tag) || tags.has(tag)) continue; // the first of two counts
    const count = number(at + 4, word);
    if (!bytes || count < 1) return undefined;
    const from = count * bytes <= word ? at + 4 + word : number(at + 4 + word, word);
    if (from + count * bytes > file.length) return undefined;
    // A file with many bands repeats its values; those after the first hundred do not matter.
    tags.set(
      tag,
      Array.from({ length: Math.min(count, 100) }, (_, i) => number(from + i * bytes, bytes)),
    );
    places.set(tag, from);
  }
  return { tags, at: places };
}
