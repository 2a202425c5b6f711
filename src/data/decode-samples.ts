/**
 * TIFF files from scientific cameras and satellites: with samples other than 8 or 16 bits, or with more bands than colours
 * need. Samples are read without conversion, and then scaled to 8 bits according to their format.
 */
import sharp from "sharp";
import { SelfsightError } from "../errors.ts";
import { BLACK_IS_ZERO, CMYK, PALETTE, RGB, type Tiff, WHITE_IS_ZERO, YCBCR } from "./decode-tiff.ts";

const REMEDY = "save it with 8 or 16 bits a sample, from 0 for black to the largest number for white";

/** With more samples than this, an image takes too much memory beside others: 512 MiB of 32-bit values. */
const MAX_SAMPLES = 2 ** 27;

/** Why a TIFF file cannot be shown as intended; undefined if it can. */
export function whyNotTiff({ format, bits, photometric, samples, alpha, width, height }: Tiff): string | undefined {
  if (bits === 0) return `its bands have different numbers of bits: ${REMEDY}`;
  const name = `${bits}-bit ${format === "float" ? "floating-point" : format} numbers`;
  if (format === "signed" || format === "complex")
    return `its samples are ${name}, without a black and a white: ${REMEDY}`;
  const read = format === "float" ? [32] : [1, 2, 4, 8, 16, 32];
  if (!read.includes(bits)) return `its samples are ${name}, which are not read: ${REMEDY}`;
  const odd = { 8: "in CIE L*a*b*", 9: "in ICC L*a*b*", 10: "in ITU L*a*b*", 32844: "LogL", 32845: "LogLuv" }[
    photometric
  ];
  if (odd) return `its colours are ${odd}: save it in RGB`;
  if (photometric === 32803 || photometric === 34892) return "it is a camera's raw image: develop it to JPEG or PNG";
  const known = [WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR].includes(photometric as 0);
  if (!known) return `its colours are of kind ${photometric}, which is not read: save it in RGB or grey`;
  if (bits !== 32) return undefined;
  if (photometric > RGB) return `its samples are ${name}, which is read for RGB and grey only: ${REMEDY}`;
  if (alpha === 1) return `its samples are ${name}, with transparency: ${REMEDY}`;
  if (width * height * samples > MAX_SAMPLES)
    return `it has more than ${MAX_SAMPLES / 1e6} million samples: make it smaller`;
  return undefined;
}

/** Whether sharp would misread the samples: treat extra bands as opacity, show 0 to 1 as black, or refuse the file. */
export function isUnusual({ bits, photometric, samples, alpha }: Tiff): boolean {
  if (photometric > RGB) return false;
  const colours = photometric === RGB ? 3 : 1;
  return bits === 32 || (bits >= 8 && samples !== colours + (alpha === colours ? 1 : 0));
}

export interface Samples {
  pixels: Uint8Array;
  width: number;
  height: number;
  channels: 1 | 3 | 4;
}

/**
 * The first three bands as red, green and blue, or the first as grey, at 8 bits and upright.
 * @throws SelfsightError for samples that are not finite, and if it is unknown which value is white
 */
export async function readSamples(bytes: Uint8Array, tiff: Tiff): Promise<Samples> {
  const { bits, samples, alpha, photometric } = tiff;
  const colour = photometric === RGB || (samples >= 3 && alpha !== 1);
  const file = Buffer.from(bytes);
  // If the file says that they are RGB, libvips leaves the bands as they are.
  const renamed = colour && photometric !== RGB;
  if (renamed)
    file
      .fill(0, tiff.photometricAt, tiff.photometricAt + 2)
      .writeUInt8(RGB, tiff.photometricAt + (file[0] === 0x4d ? 1 : 0));
  const [depth, space, Numbers] = kindOf(tiff, colour);
  const { data, info } = await sharp(file, { limitInputChannels: false, failOn: "error", ignoreIcc: true })
    .autoOrient()
    .pipelineColourspace(space)
    .toColourspace(space)
    .raw({ depth })
    .toBuffer({ resolveWithObject: true });
  const values = new Numbers(data.buffer, data.byteOffset, data.length / Numbers.BYTES_PER_ELEMENT);
  const opacity = colour && alpha === 3;
  const channels = opacity ? 4 : colour ? 3 : 1;
  const { width, height } = info;
  const pixels = pick(values, { of: info.channels, channels, count: width * height });
  const inverted = photometric === WHITE_IS_ZERO && (renamed || bits === 32);
  return { pixels: toBytes(pixels, whiteOf(pixels, tiff), inverted), width, height, channels };
}

/** libvips's names for the samples' type and colour space, and the array type. These make libvips convert nothing. */
function kindOf({ bits, format }: Tiff, colour: boolean) {
  const [few, deep] = colour ? (["srgb", "rgb16"] as const) : (["b-w", "grey16"] as const);
  if (bits === 8) return ["uchar", few, Uint8Array] as const;
  if (bits === 16) return ["ushort", deep, Uint16Array] as const;
  if (format === "unsigned") return ["uint", few, Uint32Array] as const;
  return ["float", colour ? "scrgb" : "b-w", Float32Array] as const;
}

type Numbers = Uint8Array | Uint16Array | Uint32Array | Float32Array;

/** The first `channels` of the `of` channels of each pixel. */
function pick(values: Numbers, { of, channels, count }: { of: number; channels: number; count: number }): Numbers {
  if (of === channels) return values;
  const picked = values.slice(0, count * channels);
  for (let i = 0, to = 0; i < count; i++)
    for (let k = 0; k < channels; k++) picked[to++] = values[i * of + k] as number;
  return picked;
}

/** The sample value that is white. */
function whiteOf(values: Numbers, { bits, format }: Tiff): number {
  if (bits === 8) return 255;
  let [least, most, whole] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, true];
  for (const value of values) {
    if (!Number.isFinite(value)) throw new SelfsightError(`some of its samples are ${value}: ${REMEDY}`);
    if (value < least) least = value;
    if (value > most) most = value;
    if (whole && !Number.isInteger(value)) whole = false;
  }
  if (format === "float") return whiteOfFloats(least, most, whole);
  const white = 2 ** bits - 1;
  const dark = whyTooDark(least, most, white);
  if (dark) throw new SelfsightError(dark);
  return white;
}

/** The usual ranges are 0 to 1 and 0 to 255; resizing can overshoot them a little. */
function whiteOfFloats(least: number, most: number, whole: boolean): number {
  const white = most <= 1.05 ? 1 : whole || most >= 16 ? 255 : 0;
  if (white && least >= -0.05 * white && most <= 1.05 * white) return white;
  const [from, to] = [least, most].map((value) => Number(value.toPrecision(4)));
  throw new SelfsightError(
    `its floating-point samples go from ${from} to ${to}, not from 0 to 1 or from 0 to 255: ${REMEDY}`,
  );
}

/** Below 1/16 of the range, nothing would be visible. */
const DARK = 16;

/**
 * Samples that use only part of their range, like 12 bits of 16, would silently show as black. Uniform black is accepted.
 * @returns why the samples are refused; undefined if they are not
 */
export function whyTooDark(least: number, most: number, white: number): string | undefined {
  if (most >= (white + 1) / DARK || most - least < DARK) return undefined;
  return `its samples go only from ${least} to ${most} of ${white}, which shows as black: save it with 8 bits, or spread them`;
}

function toBytes(values: Numbers, white: number, inverted: boolean): Uint8Array {
  if (white === 255 && values instanceof Uint8Array && !inverted) return values;
  // Uint8ClampedArray rounds and clamps.
  const bytes = new Uint8ClampedArray(values.length);
  const [factor, start] = inverted ? [-255 / white, 255] : [255 / white, 0];
  for (let i = 0; i < values.length; i++) bytes[i] = start + factor * (values[i] as number);
  return new Uint8Array(bytes.buffer);
}
