/** Whether a JPEG has all of its image data. Decoders fill what is missing and say nothing. */
import sharp from "sharp";
import { allScans, endings, type JpegHeader, trimmed } from "./jpeg.ts";

/**
 * For a JPEG without end marker: the file with it, where the image data is all there.
 * Zeros at the end are taken for a gap that was never filled, unless exactly so many are needed.
 */
export async function mendEnd(file: Buffer, header: JpegHeader): Promise<Buffer | undefined> {
  const short = trimmed(file, header);
  if (!allScans(short, header)) return undefined;
  if (await isWhole(short)) return endings(short)[0];
  const needed = short.length < file.length && (await isWhole(file)) && !(await isWhole(file.subarray(0, -1)));
  return needed ? endings(file)[0] : undefined;
}

/** Decodes it twice, with different bytes behind the data: a decoder that has all it needs does not look at them. */
async function isWhole(data: Buffer): Promise<boolean> {
  const decode = (file: Buffer) => sharp(file, { failOn: "none", ignoreIcc: true }).raw().toBuffer();
  try {
    const [ended, padded] = await Promise.all(endings(data).map(decode));
    return ended !== undefined && padded !== undefined && ended.equals(padded);
  } catch {
    return false;
  }
}

/** Whether a decoder says that there is too little data before the end marker. */
export async function lacksData(file: Buffer): Promise<boolean> {
  try {
    await sharp(file, { failOn: "warning" }).resize(8, 8, { fit: "fill" }).raw().toBuffer();
    return false;
  } catch (error) {
    return (error as Error).message.includes("premature end");
  }
}

/** Smaller images are not worth a second look for a black side: grey drawings on black would take twice as long. */
const SMALL = 64 * 64;
const MID_GREY = [128, 128, 128];
/** What zeros mean in grey, and in YCbCr; or black, where the colours are grey all the same. */
const [BLACK, GREEN] = [
  [0, 0, 0],
  [0, 135, 0],
];

/**
 * Whether one side of the square is all of a colour that decoders fill in for what is missing. A whole picture has such
 * a side now and then.
 */
export function looksUnfilled(rgb: Uint8Array, size: number, { width, height }: JpegHeader): boolean {
  const fills = width * height > SMALL ? [MID_GREY, GREEN, BLACK] : [MID_GREY, GREEN];
  const row = size * 3;
  const sides = [
    { start: 0, step: 3 },
    { start: row * (size - 1), step: 3 },
    { start: 0, step: row },
    { start: row - 3, step: row },
  ];
  return sides.some(({ start, step }) =>
    fills.some((fill) => {
      for (let i = 0, at = start; i < size; i++, at += step)
        if (fill?.some((value, k) => Math.abs((rgb[at + k] ?? 0) - value) > 1)) return false;
      return true;
    }),
  );
}
