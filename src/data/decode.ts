/**
 * Decodes image files to square RGB pixels. @napi-rs/image handles ordinary files, on its own threads, several times as
 * fast as anything else on npm. sharp handles the rest: SVG, CMYK, 16 bit, transparency, unusual formats.
 */
import { Transformer } from "@napi-rs/image";
import sharp, { type Sharp } from "sharp";
import { SelfsightError } from "../errors.ts";
import { type ImageHeader, ignoresProfile, imageHeader, whyUnknown } from "./decode-header.ts";
import { isUnusual, readSamples, whyNotTiff, whyTooDark } from "./decode-samples.ts";
import { lacksData, looksUnfilled, mendEnd } from "./decode-whole.ts";
import type { ImageData } from "./images.ts";
import { hasEnd, type JpegHeader } from "./jpeg.ts";

/** Images with more pixels are refused before they are decoded: 16,384², sharp's limit too. */
const MAX_PIXELS = 16384 * 16384;
/** Limit for images that must be held as a whole: some formats cannot be decoded a few rows at a time. */
const MAX_WHOLE_PIXELS = 50e6;
/** The fast decoder holds about 14 bytes per pixel for each image in flight; sharp decodes larger images in strips. */
const MAX_FAST_PIXELS = 2 ** 24;
/** Images with a larger aspect ratio would be huge once their short side is resized. */
const MAX_FAST_ASPECT = 8;
/** A drawing with a larger nominal size is rendered smaller. */
const MAX_SVG_PIXELS = 2 ** 24;

/** @napi-rs/image's enums are `const` and ambient: there is no value to import. */
const BILINEAR = 1; // FastResizeFilter.Bilinear
const FILL = 1; // ResizeFit.Fill
const PLAIN_COLOURS = [0, 2]; // JsColorType.L8, JsColorType.Rgb8

/**
 * Applies the file's orientation, resizes the short side to `size` with an antialiased bilinear filter, crops the centre.
 * Takes an animation's first frame and the first three of more bands; composites transparency on white. Ignores colour
 * profiles, except those of CMYK.
 * @param into output, size × size × 3 bytes: a new buffer for each image would keep the garbage collector busy
 * @returns `into`, RGB, row by row
 * @throws SelfsightError for a file that is not an image, is damaged or too large, or has no defined black and white
 */
export async function decodeImage(
  image: ImageData,
  size: number,
  into: Uint8Array = new Uint8Array(size * size * 3),
): Promise<Uint8Array> {
  if ("pixels" in image) {
    const { pixels, width, height } = image;
    const asItIs = width === size && height === size;
    into.set(asItIs ? pixels : await toSquare(sharp(pixels, { raw: { width, height, channels: 3 } }), image, size));
    return into;
  }
  const file = bufferOf(image.encoded);
  if (file.length === 0) throw new SelfsightError("the file is empty");
  const header = imageHeader(file);
  const refusal = whyNot(header, file);
  if (refusal) throw new SelfsightError(refusal);
  if (header.jpeg) await decodeJpeg(file, header, header.jpeg, size, into);
  else await decodeBytes(file, header, size, into);
  return into;
}

const bufferOf = ({ buffer, byteOffset, length }: Uint8Array) => Buffer.from(buffer, byteOffset, length);

/** Why a file is refused, from its header alone; undefined if it is not. */
function whyNot({ format, size, whole, tooShort, tiff }: ImageHeader, bytes: Buffer): string | undefined {
  if (!format) return whyUnknown(bytes);
  if (size) {
    const [pixels, most] = [size.width * size.height, whole ? MAX_WHOLE_PIXELS : MAX_PIXELS];
    if (pixels > most) return tooLarge(most);
    if (pixels <= 0) return `the ${format} is damaged: its header says ${size.width} × ${size.height} pixels`;
    if (tooShort)
      return `the ${format} is cut short: ${size.width} × ${size.height} pixels do not fit into so few bytes`;
  }
  if (tooShort) return `the ${format} is cut short`;
  // The directory says what the samples mean.
  if (format === "TIFF" && !tiff) return "the TIFF is damaged or cut short: its first directory cannot be read";
  return tiff && whyNotTiff(tiff);
}

const tooLarge = (most: number) => `it has more than ${(most / 1e6).toFixed(0)} million pixels: make it smaller`;

/** Refuses JPEGs with missing data, which decoders silently fill with one colour. */
async function decodeJpeg(bytes: Buffer, header: ImageHeader, jpeg: JpegHeader, size: number, into: Uint8Array) {
  let file: Buffer | undefined = bytes;
  const ended = hasEnd(bytes, jpeg);
  if (!ended) file = jpeg.width * jpeg.height <= MAX_WHOLE_PIXELS ? await mendEnd(bytes, jpeg) : undefined;
  if (file) await decodeBytes(file, header, size, into);
  if (!file || (ended && looksUnfilled(into, size, jpeg) && (await lacksData(file))))
    throw new SelfsightError("the JPEG is cut short");
}

async function decodeBytes(bytes: Buffer, header: ImageHeader, size: number, into: Uint8Array): Promise<void> {
  if (await decodeFast(bytes, header, size, into)) return;
  try {
    into.set(await decodeAny(bytes, header, size));
  } catch (cause) {
    if (cause instanceof SelfsightError) throw cause;
    throw new SelfsightError(explain((cause as Error).message, header, bytes), { cause });
  }
}

/** False if the other decoder is needed. That one also explains what is wrong with a damaged file. */
async function decodeFast(bytes: Buffer, header: ImageHeader, size: number, into: Uint8Array): Promise<boolean> {
  if (!header.fast || !header.size) return false;
  const { width, height } = header.size;
  const short = Math.min(width, height);
  if (width * height > MAX_FAST_PIXELS || isLong(header.size)) return false;
  try {
    const image = new Transformer(bytes);
    if (!header.jpeg && !(await isPlain(image, header.size))) return false;
    const [wide, high] = [Math.round((width * size) / short), Math.round((height * size) / short)];
    // ResizeFit.Cover would resize and crop at once, but in 1.15 it keeps an image's right or lower end, not its middle.
    image.fastResize({ width: wide, height: high, filter: BILINEAR, fit: FILL });
    const turn = header.fast;
    image.crop(
      middle(wide - size, MIRRORED_X.includes(turn)),
      middle(high - size, MIRRORED_Y.includes(turn)),
      size,
      size,
    );
    return takeUpright(await image.rawPixels(), turn, size, into);
  } catch {
    return false;
  }
}

interface Size {
  width: number;
  height: number;
}

/** The orientations that reverse the stored image's columns or rows; those above 4 then swap rows and columns. */
const [MIRRORED_X, MIRRORED_Y] = [
  [2, 3, 7, 8],
  [3, 4, 6, 7],
];

/** Start of the middle, with `rest` pixels around it, rounded as sharp does in the upright image. */
export const middle = (rest: number, mirrored = false) => (mirrored ? rest >> 1 : (rest + 1) >> 1);

/** Whether there is no transparency, at most 8 bits per sample, and the size is what the header says. */
async function isPlain(image: Transformer, { width, height }: Size): Promise<boolean> {
  const found = await image.metadata();
  return PLAIN_COLOURS.includes(Number(found.colorType)) && found.width === width && found.height === height;
}

/**
 * Copies the fast resize's RGBA to upright RGB. Its own `rotate` would rotate the whole image, and print EXIF warnings.
 * @param turn EXIF orientation, 1 to 8
 * @returns false if `rgba` has another size
 */
function takeUpright(rgba: Uint8Array, turn: number, size: number, rgb: Uint8Array): boolean {
  if (rgba.length !== size * size * 4) return false;
  const [columns, rows] = [MIRRORED_X.includes(turn) ? -4 : 4, (MIRRORED_Y.includes(turn) ? -4 : 4) * size];
  const start = (columns < 0 ? 4 * (size - 1) : 0) + (rows < 0 ? 4 * size * (size - 1) : 0);
  const [right, down] = turn > 4 ? [rows, columns] : [columns, rows];
  for (let y = 0, to = 0; y < size; y++)
    for (let x = 0, from = start + y * down; x < size; x++, from += right) {
      rgb[to++] = rgba[from] as number;
      rgb[to++] = rgba[from + 1] as number;
      rgb[to++] = rgba[from + 2] as number;
    }
  return true;
}

async function decodeAny(bytes: Buffer, header: ImageHeader, size: number): Promise<Uint8Array> {
  const { format, tiff } = header;
  if (tiff && isUnusual(tiff)) {
    const { pixels, ...raw } = await readSamples(bytes, tiff);
    return toSquare(sharp(pixels, { raw }), raw, size);
  }
  if (format === "SVG") return drawSvg(bytes, size);
  // sharp reads neither format; converting to PNG is lossless.
  const file = format === "BMP" || format === "PNM" ? await toPng(bytes, header) : bytes;
  const ignoreIcc = ignoresProfile(header);
  const open = () => sharp(file, { limitInputPixels: MAX_PIXELS, failOn: "error", ignoreIcc });
  const upright = isLong(header.size) ? (await open().metadata()).autoOrient : header.size;
  const square = await toSquare(open().autoOrient(), upright, size);
  if (square.every((value) => value < 16)) await refuseTooDark(open());
  return square;
}

async function toPng(bytes: Buffer, { format, size }: ImageHeader): Promise<Uint8Array> {
  if (!size) throw new SelfsightError(`the ${format} is damaged: its header cannot be read`);
  if (size.width * size.height > MAX_WHOLE_PIXELS) throw new SelfsightError(tooLarge(MAX_WHOLE_PIXELS));
  return new Transformer(bytes).png({ compressionType: 1 }); // CompressionType.Fast
}

/** For a picture that came out almost black: refuses samples that use fewer bits than they are stored in. */
async function refuseTooDark(image: Sharp): Promise<void> {
  const { depth } = await image.metadata();
  if (depth === "uchar") return;
  if (depth !== "ushort")
    throw new SelfsightError(`its samples are of kind ${depth}: save it with 8 or 16 bits a sample`);
  const colours = (await image.stats()).channels.slice(0, 3);
  const [least, most] = [Math.min(...colours.map(({ min }) => min)), Math.max(...colours.map(({ max }) => max))];
  const reason = whyTooDark(least, most, 65535);
  if (reason) throw new SelfsightError(reason);
}

async function drawSvg(bytes: Buffer, size: number): Promise<Uint8Array> {
  const options = { limitInputPixels: MAX_PIXELS, failOn: "error" } as const;
  const { width, height } = await sharp(bytes, options).metadata();
  const scale = Math.min(1, Math.sqrt(MAX_SVG_PIXELS / (width * height)));
  const density = Math.max(1, 72 * scale);
  const drawn = { width: Math.round(width * scale), height: Math.round(height * scale) };
  return toSquare(sharp(bytes, { ...options, density }), scale === 1 ? drawn : undefined, size);
}

/** The first line of a library's error message, without the names of its functions. */
function explain(message: string, { format }: ImageHeader, bytes: Buffer): string {
  if (message.includes("pixel limit")) return tooLarge(MAX_PIXELS);
  if (message.includes("unsupported image format"))
    return format === "SVG" ? whyUnknown(bytes) : `the ${format} is damaged or cut short: its header cannot be read`;
  const [line = ""] = message
    .replace(/Input buffer has corrupt header: |Decode image failed |\b\w*(vips|Vips)\w*: | in \(null\)/g, "")
    .split(/\s*\n\s*/);
  return `the ${format} is damaged or cut short: ${line.slice(0, 150).trim()}`;
}

/** @param stored the image's size after rotation and before resizing */
async function toSquare(image: Sharp, stored: Size | undefined, size: number): Promise<Uint8Array> {
  // A very long image would be huge when resized as a whole, and only its middle is kept anyway.
  const middle = stored && isLong(stored) ? image.extract(middleOf(stored)) : image;
  // Composite on white before resizing mixes in transparent pixels. "linear" is antialiased when it downsizes.
  const square = middle
    .flatten({ background: "white" })
    .toColourspace("srgb")
    .resize(size, size, { fit: "cover", kernel: "linear" });
  return square.removeAlpha().raw({ depth: "uchar" }).toBuffer();
}

function isLong(size: Size | undefined): boolean {
  return size !== undefined && Math.max(size.width, size.height) > MAX_FAST_ASPECT * Math.min(size.width, size.height);
}

/** The middle, longer than the part shown, so that rounding its size to whole pixels hardly stretches it. */
function middleOf({ width, height }: Size): { left: number; top: number; width: number; height: number } {
  const most = MAX_FAST_ASPECT * Math.min(width, height);
  // Equally far from both ends; otherwise the middle would move by half a pixel.
  const kept = (side: number) => (side <= most ? side : most + ((side - most) & 1));
  const [wide, high] = [kept(width), kept(height)];
  return { left: (width - wide) / 2, top: (height - high) / 2, width: wide, height: high };
}

/** Width and height as stored, from the header alone. */
export async function imageSize(image: ImageData): Promise<Size> {
  if ("pixels" in image) return { width: image.width, height: image.height };
  const { format, size } = imageHeader(bufferOf(image.encoded));
  if (size && format !== "AVIF") return size;
  const { width, height } = await sharp(image.encoded).metadata();
  return { width, height };
}

/** Width and height after the file's orientation, from the header alone. */
export async function uprightSize(image: ImageData): Promise<Size> {
  if ("pixels" in image) return { width: image.width, height: image.height };
  const { size, fast } = imageHeader(bufferOf(image.encoded));
  if (size && fast) return fast > 4 ? { width: size.height, height: size.width } : size;
  return (await sharp(image.encoded).metadata()).autoOrient;
}
