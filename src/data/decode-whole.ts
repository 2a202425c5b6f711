/** Whether a JPEG has all of its image data. Decoders fill what is missing and say nothing. */
import sharp from "sharp";
import { allScans, endings, type JpegHeader, withoutEnd } from "./jpeg.ts";

/**
 * The file with its end marker in place, where its image data is all there.
 * Decodes it twice, with different bytes behind the data: a decoder that has all it needs does not look at them.
 */
export async function wholeJpeg(file: Buffer, header: JpegHeader): Promise<Buffer | undefined> {
  const data = withoutEnd(file, header);
  if (!allScans(data, header)) return undefined;
  const [ended, padded] = endings(data);
  const decode = (bytes: Buffer) => sharp(bytes, { failOn: "none", ignoreIcc: true }).raw().toBuffer();
  try {
    return (await decode(ended)).equals(await decode(padded)) ? ended : undefined;
  } catch {
    return undefined;
  }
}

const MID_GREY = [128, 128, 128];
/** What zeros mean in grey, and in YCbCr. */
const [BLACK, GREEN] = [
  [0, 0, 0],
  [0, 135, 0],
];

/**
 * Whether one side of the square is all of a colour that decoders fill in for what is missing. A whole picture has such
 * a side now and then.
 */
export function looksUnfilled(rgb: Uint8Array, size: number, { components }: JpegHeader): boolean {
  const fills = [MID_GREY, components === 1 ? BLACK : GREEN];
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
