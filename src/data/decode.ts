/**
 * Image files to square RGB pixels. @napi-rs/image decodes and resizes what is ordinary, on threads of its own, several
 * times as fast as anything else on npm; sharp does what that cannot: SVG, CMYK, 16 bit, transparency, odd formats.
 */
import { Transformer } from "@napi-rs/image";
import sharp, { type Sharp } from "sharp";
import { SelfsightError } from "../errors.ts";
import type { ImageData } from "./images.ts";
import { isJpeg, jpegHeader } from "./jpeg.ts";

/** More pixels than this are refused before they are decoded: 16,384², sharp's limit too. */
const MAX_PIXELS = 16384 * 16384;

/** The fast decoder holds about 14 bytes a pixel, for each image in flight; sharp takes what is larger in strips. */
const MAX_FAST_PIXELS = 2 ** 24;
/** Longer images would be huge once their short side has been brought to size. */
const MAX_FAST_ASPECT = 8;

/** @napi-rs/image's enums are `const` and ambient: no value exists to import. */
const BILINEAR = 1; // FastResizeFilter.Bilinear
const FILL = 1; // ResizeFit.Fill
const PLAIN_COLOURS = [0, 2]; // JsColorType.L8, JsColorType.Rgb8

/**
 * Turned as EXIF says, the short side resized to `size` by an antialiased bilinear filter, the centre cut out.
 * @param into where the pixels go, size × size × 3 bytes: a buffer for each image keeps the garbage collector busy
 * @returns `into`, RGB, row by row
 * @throws SelfsightError for what is no image, is damaged or too large
 */
export async function decodeImage(
  image: ImageData,
  size: number,
  into: Uint8Array = new Uint8Array(size * size * 3),
): Promise<Uint8Array> {
  if ("pixels" in image) {
    const { pixels, width, height } = image;
    const asItIs = width === size && height === size;
    into.set(asItIs ? pixels : await toSquare(sharp(pixels, { raw: { width, height, channels: 3 } }), size));
    return into;
  }
  const bytes = image.encoded;
  if (bytes.length === 0) throw new SelfsightError("the file is empty");
  if (isJpeg(bytes) && jpegHeader(bytes)?.complete === false) throw new SelfsightError("the JPEG is cut short");
  if (!(await decodeFast(bytes, size, into))) into.set(await decodeAny(bytes, size));
  return into;
}

/** False for whatever needs the other decoder, which also explains what is wrong with it. */
async function decodeFast(bytes: Uint8Array, size: number, into: Uint8Array): Promise<boolean> {
  try {
    const image = new Transformer(bytes);
    const upright = isJpeg(bytes) ? await turnJpeg(image, bytes) : await plainSize(image, bytes);
    if (!upright) return false;
    const { width, height } = upright;
    const short = Math.min(width, height);
    if (width * height > MAX_FAST_PIXELS || Math.max(width, height) > MAX_FAST_ASPECT * short) return false;
    const [wide, high] = [Math.round((width * size) / short), Math.round((height * size) / short)];
    // ResizeFit.Cover would do both at once, but keeps the right or lower end of an image (1.15), not its middle.
    image.fastResize({ width: wide, height: high, filter: BILINEAR, fit: FILL });
    image.crop((wide - size + 1) >> 1, (high - size + 1) >> 1, size, size); // rounded as sharp does
    return dropAlpha(await image.rawPixels(), into);
  } catch {
    return false;
  }
}

interface Size {
  width: number;
  height: number;
}

/** Has the image turned as its EXIF says. @returns its size after that */
async function turnJpeg(image: Transformer, bytes: Uint8Array): Promise<Size | undefined> {
  const header = jpegHeader(bytes);
  if (!header || header.components === 4) return undefined;
  const { width, height, exif } = header;
  const { orientation = 1 } = exif ? await image.metadata(true) : {};
  if (orientation !== 1) image.rotate();
  return orientation > 4 ? { width: height, height: width } : { width, height };
}

/** Transparency must be put on white, 16 bits be scaled; the metadata of PNG and WebP leave out how they are turned. */
async function plainSize(image: Transformer, bytes: Uint8Array): Promise<Size | undefined> {
  const { colorType, width, height } = await image.metadata();
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const exif = file.includes("eXIf") || file.includes("EXIF");
  return PLAIN_COLOURS.includes(Number(colorType)) && !exif ? { width, height } : undefined;
}

/** The fast resize gives RGBA. @returns false when it gave something else */
function dropAlpha(rgba: Uint8Array, rgb: Uint8Array): boolean {
  if (rgba.length * 3 !== rgb.length * 4) return false;
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from] as number;
    rgb[to++] = rgba[from + 1] as number;
    rgb[to++] = rgba[from + 2] as number;
  }
  return true;
}

async function decodeAny(bytes: Uint8Array, size: number): Promise<Uint8Array> {
  try {
    return await toSquare(sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: "error" }).autoOrient(), size);
  } catch (cause) {
    throw new SelfsightError(explain((cause as Error).message), { cause });
  }
}

function explain(message: string): string {
  if (message.includes("pixel limit")) return `it has more than ${(MAX_PIXELS / 1e6).toFixed(0)} million pixels`;
  if (message.includes("unsupported image format")) return "it is no image, or of a format that is not known";
  return message.replace(/\s+/g, " ").trim();
}

async function toSquare(image: Sharp, size: number): Promise<Uint8Array> {
  // On white, before resizing mixes transparent pixels in. "linear" is antialiased when it reduces.
  const square = image
    .flatten({ background: "white" })
    .toColourspace("srgb")
    .resize(size, size, { fit: "cover", kernel: "linear" });
  return square.removeAlpha().raw({ depth: "uchar" }).toBuffer();
}

/** Width and height as stored, from the header alone. */
export async function imageSize(image: ImageData): Promise<{ width: number; height: number }> {
  if ("pixels" in image) return { width: image.width, height: image.height };
  const { width, height } = await sharp(image.encoded).metadata();
  return { width, height };
}
