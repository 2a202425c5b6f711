/** Checks that a JPEG has all of its image data. Decoders silently fill in what is missing. */
import sharp from "sharp";
import { allScans, endings, type JpegHeader, trimmed } from "./jpeg.ts";

/**
 * Adds the end marker to a JPEG that lacks it; undefined if image data is missing too.
 * Zeros at the end are taken for an unfilled gap, unless exactly that many are needed.
 */
export async function mendEnd(file: Buffer, header: JpegHeader): Promise<Buffer | undefined> {
  const short = trimmed(file, header);
  if (!allScans(short, header)) return undefined;
  if (await isWhole(short)) return endings(short)[0];
  const needed = short.length < file.length && (await isWhole(file)) && !(await isWhole(file.subarray(0, -1)));
  return needed ? endings(file)[0] : undefined;
}

/** Decodes it twice, with different bytes after the data: a decoder that has all it needs ignores them. */
async function isWhole(data: Buffer): Promise<boolean> {
  const decode = (file: Buffer) => sharp(file, { failOn: "none", ignoreIcc: true }).raw().toBuffer();
  try {
    const [ended, padded] = await Promise.all(endings(data).map(decode));
    return ended !== undefined && padded !== undefined && ended.equals(padded);
  } catch {
    return false;
  }
}

/** Whether the decoder reports too little data before the end marker. */
export async function lacksData(file: Buffer): Promise<boolean> {
  try {
    await sharp(file, { failOn: "warning" }).resize(8, 8, { fit: "fill" }).raw().toBuffer();
    return false;
  } catch (error) {
    return (error as Error).message.includes("premature end");
  }
}

/** Smaller images are not checked again for a black side: grey drawings on black would take twice as long. */
const SMALL = 64 * 64;
/**
 * Whether one side of the square has only a colour that decoders fill in for missing data. Some whole pictures have such
 * a side too.
 */
export function looksUnfilled(rgb: Uint8Array, size: number, { width, height }: JpegHeader): boolean {
  const last = rgb.length - 3;
  const row = size * 3;
  const black = width * height > SMALL;
  const isSide = (from: number, to: number, step: number) => {
    for (let at = from; at <= to; at += step) if (!isFill(rgb, at, black)) return false;
    return true;
  };
  // Every side ends in one of these two corners.
  if (isFill(rgb, 0, black) && (isSide(0, row - 3, 3) || isSide(0, last, row))) return true;
  return isFill(rgb, last, black) && (isSide(last - row + 3, last, 3) || isSide(row - 3, last, row));
}

/** Mid-grey, or the colour of zeros in YCbCr (green) and in grey (black), to within 1. */
function isFill(rgb: Uint8Array, at: number, black: boolean): boolean {
  const [red, green, blue] = [rgb[at] as number, rgb[at + 1] as number, rgb[at + 2] as number];
  if (red <= 1 && blue <= 1) return (black && green <= 1) || Math.abs(green - 135) <= 1;
  return Math.abs(red - 128) <= 1 && Math.abs(green - 128) <= 1 && Math.abs(blue - 128) <= 1;
}
