/**
 * Image files to square RGB pixels. @napi-rs/image decodes and resizes what is ordinary, on threads of its own, several
 * times as fast as anything else on npm; sharp does what that cannot: SVG, CMYK, 16 bit, transparency, odd formats.
 */
import { Transformer } from "@napi-rs/image";
import sharp, { type Sharp } from "sharp";
import { SelfsightError } from "../errors.ts";
import { type ImageHeader, imageHeader, whyUnknown } from "./decode-header.ts";
import { isUnusual, readSamples, whyNotTiff, whyTooDark } from "./decode-samples.ts";
import { lacksData, looksUnfilled, mendEnd } from "./decode-whole.ts";
import type { ImageData } from "./images.ts";
import { hasEnd, type JpegHeader } from "./jpeg.ts";

/** More pixels than this are refused before they are decoded: 16,384², sharp's limit too. */
const MAX_PIXELS = 16384 * 16384;
/** As many as may be held at once: some formats cannot be decoded a few rows at a time. */
const MAX_WHOLE_PIXELS = 50e6;
/** The fast decoder holds about 14 bytes a pixel, for each image in flight; sharp takes what is larger in strips. */
const MAX_FAST_PIXELS = 2 ** 24;
/** Longer images would be huge once their short side has been brought to size. */
const MAX_FAST_ASPECT = 8;
/** A drawing that says it is larger is drawn smaller. */
const MAX_SVG_PIXELS = 2 ** 24;

/** @napi-rs/image's enums are `const` and ambient: no value exists to import. */
const BILINEAR = 1; // FastResizeFilter.Bilinear
const FILL = 1; // ResizeFit.Fill
const PLAIN_COLOURS = [0, 2]; // JsColorType.L8, JsColorType.Rgb8

/**
 * Turned as the file says, the short side resized to `size` by an antialiased bilinear filter, the centre cut out.
 * Of an animation the first picture, of more than three bands the first three; transparency is put on white.
 * @param into where the pixels go, size × size × 3 bytes: a buffer for each image keeps the garbage collector busy
 * @returns `into`, RGB, row by row
 * @throws SelfsightError for what is no image, is damaged or too large, or has samples without a black and a white
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

/** Why a file is refused by its header alone. */
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
  // Without it nothing tells what the samples mean.
  if (format === "TIFF" && !tiff) return "the TIFF is damaged or cut short: its first directory cannot be read";
  return tiff && whyNotTiff(tiff);
}

const tooLarge = (most: number) => `it has more than ${(most / 1e6).toFixed(0)} million pixels: make it smaller`;

/** Decoders fill in what is missing of a JPEG with one colour, and say nothing. */
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

/** False for whatever needs the other decoder, which also explains what is wrong with it. */
async function decodeFast(bytes: Buffer, header: ImageHeader, size: number, into: Uint8Array): Promise<boolean> {
  if (!header.fast || !header.size) return false;
  const { width, height } = header.size;
  const short = Math.min(width, height);
  if (width * height > MAX_FAST_PIXELS || isLong(header.size)) return false;
  try {
    const image = new Transformer(bytes);
    if (!header.jpeg && !(await isPlain(image, header.size))) return false;
    const [wide, high] = [Math.round((width * size) / short), Math.round((height * size) / short)];
    // ResizeFit.Cover would do both at once, but keeps the right or lower end of an image (1.15), not its middle.
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

/** The orientations that turn the stored image's columns or rows around; those above 4 then swap rows and columns. */
const [MIRRORED_X, MIRRORED_Y] = [
  [2, 3, 7, 8],
  [3, 4, 6, 7],
];

/** Where the middle begins, with `rest` pixels around it: rounded as sharp does in the upright image. */
const middle = (rest: number, mirrored: boolean) => (mirrored ? rest >> 1 : (rest + 1) >> 1);

/** Whether there is neither transparency nor more than 8 bits, and the size is what the header says. */
async function isPlain(image: Transformer, { width, height }: Size): Promise<boolean> {
  const found = await image.metadata();
  return PLAIN_COLOURS.includes(Number(found.colorType)) && found.width === width && found.height === height;
}

/**
 * The fast resize gives RGBA. Its own `rotate` would turn the whole image, and print on stderr what it finds odd in EXIF.
 * @param turn 1 to 8, as EXIF counts
 * @returns false when it gave something else
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
  // sharp reads neither; as PNG nothing is lost.
  const file = format === "BMP" || format === "PNM" ? await toPng(bytes, header) : bytes;
  const open = () => sharp(file, { limitInputPixels: MAX_PIXELS, failOn: "error" });
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

/** For a picture that came out all but black: whether its samples are, or were only meant for fewer bits. */
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

/** One line from what a library said: the first, without the names of its functions. */
function explain(message: string, { format }: ImageHeader, bytes: Buffer): string {
  if (message.includes("pixel limit")) return tooLarge(MAX_PIXELS);
  if (message.includes("unsupported image format"))
    return format === "SVG" ? whyUnknown(bytes) : `the ${format} is damaged or cut short: its header cannot be read`;
  const [line = ""] = message
    .replace(/Input buffer has corrupt header: |Decode image failed |\b\w*(vips|Vips)\w*: | in \(null\)/g, "")
    .split(/\s*\n\s*/);
  return `the ${format} is damaged or cut short: ${line.slice(0, 150).trim()}`;
}

/** @param stored the image's size before it is resized, after it was turned */
async function toSquare(image: Sharp, stored: Size | undefined, size: number): Promise<Uint8Array> {
  // Enlarged as a whole, a line of pixels would be huge; all but its middle is cut off in the end.
  const middle = stored && isLong(stored) ? image.extract(middleOf(stored)) : image;
  // On white, before resizing mixes transparent pixels in. "linear" is antialiased when it reduces.
  const square = middle
    .flatten({ background: "white" })
    .toColourspace("srgb")
    .resize(size, size, { fit: "cover", kernel: "linear" });
  return square.removeAlpha().raw({ depth: "uchar" }).toBuffer();
}

function isLong(size: Size | undefined): boolean {
  return size !== undefined && Math.max(size.width, size.height) > MAX_FAST_ASPECT * Math.min(size.width, size.height);
}

/** The middle, longer than what is shown, so that rounding its size to whole pixels hardly stretches it. */
function middleOf({ width, height }: Size): { left: number; top: number; width: number; height: number } {
  const most = MAX_FAST_ASPECT * Math.min(width, height);
  // As far from both ends, or the middle would move by half a pixel.
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
