/**
 * Image files to square RGB pixels. @napi-rs/image decodes and resizes what is ordinary, on threads of its own, several
 * times as fast as anything else on npm; sharp does what that cannot: SVG, CMYK, 16 bit, transparency, odd formats.
 */
import { Transformer } from "@napi-rs/image";
import sharp, { type Sharp } from "sharp";
import { SelfsightError } from "../errors.ts";
import type { ImageData } from "./images.ts";

/** More pixels than this are refused before they are decoded: 16,384², sharp's limit too. */
const MAX_PIXELS = 16384 * 16384;

/** @napi-rs/image's enums are `const` and ambient: no value exists to import. FastResizeFilter.Bilinear, ResizeFit.Cover. */
const BILINEAR = 1;
const COVER = 0;

/**
 * Turned as EXIF says, the short side resized to `size` by an antialiased bilinear filter, the centre cut out.
 * @returns size × size × 3 bytes, RGB, row by row
 * @throws SelfsightError for what is no image, is damaged or too large
 */
export async function decodeImage(image: ImageData, size: number): Promise<Uint8Array> {
  if ("pixels" in image) {
    const { pixels, width, height } = image;
    if (width === size && height === size) return pixels;
    return toSquare(sharp(pixels, { raw: { width, height, channels: 3 } }), size);
  }
  const bytes = image.encoded;
  if (bytes.length === 0) throw new SelfsightError("the file is empty");
  if (isTruncatedJpeg(bytes)) throw new SelfsightError("the JPEG is cut short");
  return (await decodeFast(bytes, size)) ?? decodeAny(bytes, size);
}

/** Plain 8-bit RGB; undefined for whatever needs the other decoder, which also explains what is wrong with it. */
async function decodeFast(bytes: Uint8Array, size: number): Promise<Uint8Array | undefined> {
  try {
    const image = new Transformer(bytes);
    const jpeg = jpegHeader(bytes);
    if (jpeg) {
      if (jpeg.components === 4 || jpeg.pixels > MAX_PIXELS) return undefined;
      if (jpeg.exif && ((await image.metadata(true)).orientation ?? 1) !== 1) image.rotate();
    } else {
      const { colorType, width, height, orientation = 1 } = await image.metadata(true);
      // Transparency must be put on white, 16 bits be scaled, palettes looked up.
      if (Number(colorType) !== RGB8 || width * height > MAX_PIXELS || orientation !== 1) return undefined;
    }
    return withoutAlpha(
      await image.fastResize({ width: size, height: size, filter: BILINEAR, fit: COVER }).rawPixels(),
      size,
    );
  } catch {
    return undefined;
  }
}
/** JsColorType.Rgb8 */
const RGB8 = 2;

/** The fast resize gives RGBA. */
function withoutAlpha(rgba: Uint8Array, size: number): Uint8Array | undefined {
  if (rgba.length !== size * size * 4) return undefined;
  const rgb = new Uint8Array(size * size * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from] as number;
    rgb[to++] = rgba[from + 1] as number;
    rgb[to++] = rgba[from + 2] as number;
  }
  return rgb;
}

async function decodeAny(bytes: Uint8Array, size: number): Promise<Uint8Array> {
  try {
    return await toSquare(sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: "error" }).autoOrient(), size);
  } catch (cause) {
    throw new SelfsightError((cause as Error).message.replace(/\s+/g, " ").trim(), { cause });
  }
}

async function toSquare(image: Sharp, size: number): Promise<Uint8Array> {
  // On white, before resizing mixes transparent pixels in. "linear" is antialiased when it reduces.
  const square = image
    .flatten({ background: "white" })
    .toColourspace("srgb")
    .resize(size, size, { fit: "cover", kernel: "linear" });
  return square.removeAlpha().raw({ depth: "uchar" }).toBuffer();
}

function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/** Decoders fill what is missing with grey and say nothing. A whole JPEG has its end marker, give or take some padding. */
function isTruncatedJpeg(bytes: Uint8Array): boolean {
  if (!isJpeg(bytes)) return false;
  // A thumbnail in the first half has a marker of its own.
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).lastIndexOf(EOI) < bytes.length / 2;
}
const EOI = Buffer.from([0xff, 0xd9]);

/** What the segments before the image data tell (ITU T.81, annex B): 4 components are CMYK, EXIF may turn the image. */
function jpegHeader(bytes: Uint8Array): { pixels: number; components: number; exif: boolean } | undefined {
  if (!isJpeg(bytes)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let exif = false;
  for (let at = 2; at + 9 < bytes.length; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint16(at);
    if (marker === 0xffe1 && view.getUint32(at + 4) === 0x45786966) exif = true; // "Exif"
    const startOfFrame = marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
    if (startOfFrame)
      return { pixels: view.getUint16(at + 5) * view.getUint16(at + 7), components: view.getUint8(at + 9), exif };
    if (marker < 0xff00) return undefined;
  }
  return undefined;
}

/** Width and height as stored, from the header alone. */
export async function imageSize(image: ImageData): Promise<{ width: number; height: number }> {
  if ("pixels" in image) return { width: image.width, height: image.height };
  const { width, height } = await sharp(image.encoded).metadata();
  return { width, height };
}
