/**
 * Reads an image file's header: its format, its size, and whether the fast decoder shows it correctly. Nothing is decoded
 * here, so a header that lies cannot use up memory.
 */

import { CMYK, readTiff, type Tiff } from "./decode-tiff.ts";
import { isJpeg, type JpegHeader, jpegHeader } from "./jpeg.ts";

export interface ImageHeader {
  /** Common name of the format; undefined if unknown. */
  readonly format: "JPEG" | "PNG" | "WebP" | "GIF" | "BMP" | "PNM" | "TIFF" | "AVIF" | "SVG" | undefined;
  /** As stored, in pixels, before any EXIF rotation. Undefined if only the decoder can tell. */
  readonly size?: { readonly width: number; readonly height: number } | undefined;
  /** EXIF orientation, 1 to 8, for files that the fast decoder can take; undefined for files that it must not. */
  readonly fast?: number | undefined;
  /** The decoder holds the whole image at once, not a few rows at a time. */
  readonly whole?: boolean;
  /** The file is too short to hold so many pixels. */
  readonly tooShort?: boolean;
  readonly jpeg?: JpegHeader;
  readonly tiff?: Tiff;
}

/**
 * Whether to leave out the file's colour profile. The fast decoder knows none, so that sharp would show the same colours
 * otherwise, and colour would tell an image's size or format. CMYK has no colours without one.
 */
export const ignoresProfile = ({ jpeg, tiff }: ImageHeader): boolean =>
  jpeg?.components !== 4 && tiff?.photometric !== CMYK;

export function imageHeader(file: Buffer): ImageHeader {
  if (isJpeg(file)) return jpeg(file);
  const magic = file.toString("latin1", 0, 16);
  if (magic.startsWith("\x89PNG\r\n\x1a\n")) return png(file);
  if (magic.startsWith("RIFF") && magic.startsWith("WEBP", 8)) return webp(file);
  if (/^GIF8[79]a/.test(magic) && file.length >= 10)
    return { format: "GIF", whole: true, size: { width: file.readUInt16LE(6), height: file.readUInt16LE(8) } };
  if (/^(II[*+]\0|MM\0[*+])/.test(magic)) return tiff(file);
  if (/^BM/.test(magic) && file.length >= 26) return { format: "BMP", size: bmpSize(file), fast: 1 };
  if (/^P[1-7]\s/.test(magic)) return { format: "PNM", size: pnmSize(file), fast: 1 };
  // HEIC is the same container with a codec that is not free. It is the major brand or one of the others.
  if (/^ftyp(avi[fs]|mif1|msf1|mi[as]f)/.test(magic.slice(4)) && !/hei[cxms]/.test(brands(file)))
    return { format: "AVIF", whole: true, size: heifSize(file) };
  if (magic.startsWith("\x1f\x8b")) return { format: "SVG" }; // gzipped
  if (/^\s*(<\?xml|<!--|<!DOCTYPE svg|<svg)/i.test(file.toString("latin1", 0, 100).replace(/^\xef\xbb\xbf/, "")))
    return { format: "SVG" };
  return { format: undefined };
}

/** A Huffman code has at least 1 bit, so an 8 × 8 block of grey takes at least 1 bit, and colour takes more. */
const JPEG_PIXELS_A_BYTE = 64 * 8;

function jpeg(file: Buffer): ImageHeader {
  const header = jpegHeader(file);
  if (!header) return { format: "JPEG" };
  const { width, height, components, progressive, arithmetic, orientation } = header;
  return {
    format: "JPEG",
    jpeg: header,
    size: { width, height },
    fast: components === 4 ? undefined : orientation,
    whole: progressive,
    tooShort: !arithmetic && width * height > JPEG_PIXELS_A_BYTE * file.length,
  };
}

/** Deflate expands a byte to at most this many (RFC 1951: 258 bytes from two bits). */
const DEFLATE_MOST = 1032;

/** IHDR has size, depth and colour type. Transparency, 16 bits per sample and an eXIf orientation are left to sharp. */
function png(file: Buffer): ImageHeader {
  if (file.length < 29) return { format: "PNG", tooShort: true };
  const size = { width: file.readUInt32BE(16), height: file.readUInt32BE(20) };
  const [depth = 0, colours = 0, , , interlace] = file.subarray(24, 29);
  const alpha = (colours & 4) !== 0;
  const channels = colours & 1 ? 1 : ((colours & 2) + 1 + Number(alpha)) | 0;
  const raw = size.height * Math.ceil((size.width * channels * depth) / 8);
  const plain = depth <= 8 && !alpha && !hasPngChunk(file, ["tRNS", "eXIf"]);
  return {
    format: "PNG",
    size,
    fast: plain ? 1 : undefined,
    whole: interlace === 1,
    tooShort: raw > DEFLATE_MOST * file.length,
  };
}

function hasPngChunk(file: Buffer, names: readonly string[]): boolean {
  for (let at = 8; at + 8 <= file.length; at += 12 + file.readUInt32BE(at))
    if (names.includes(file.toString("latin1", at + 4, at + 8))) return true;
  return false;
}

/** The extended format may have transparency, EXIF or several frames. The simple formats have one frame and no EXIF. */
function webp(file: Buffer): ImageHeader {
  if (file.length < 30) return { format: "WebP", tooShort: true };
  const kind = file.toString("latin1", 12, 16);
  if (kind === "VP8X") {
    const size = { width: 1 + file.readUIntLE(24, 3), height: 1 + file.readUIntLE(27, 3) };
    const [alpha, exif, animated] = [0x10, 0x08, 0x02].map((bit) => ((file[20] ?? 0) & bit) !== 0);
    return { format: "WebP", size, fast: alpha || exif || animated ? undefined : 1, whole: animated === true };
  }
  if (kind === "VP8 ") {
    const [width, height] = [file.readUInt16LE(26) & 0x3fff, file.readUInt16LE(28) & 0x3fff];
    return { format: "WebP", size: { width, height }, fast: 1 };
  }
  const bits = file.readUInt32LE(21);
  const size = { width: 1 + (bits & 0x3fff), height: 1 + ((bits >> 14) & 0x3fff) };
  return { format: "WebP", size, fast: bits & (1 << 28) ? undefined : 1 };
}

function tiff(file: Buffer): ImageHeader {
  const tiff = readTiff(file);
  if (!tiff) return { format: "TIFF" };
  const { width, height, orientation, plain } = tiff;
  return { format: "TIFF", size: { width, height }, tiff, fast: plain ? orientation : undefined };
}

/** BITMAPCOREHEADER has 16 bits for each side. In all other headers, a negative height means that the top row is first. */
function bmpSize(file: Buffer): ImageHeader["size"] {
  if (file.readUInt32LE(14) === 12) return { width: file.readUInt16LE(18), height: file.readUInt16LE(20) };
  return { width: file.readInt32LE(18), height: Math.abs(file.readInt32LE(22)) };
}

/** Netpbm's headers are text, with comments from # to the end of the line. */
function pnmSize(file: Buffer): ImageHeader["size"] {
  const text = file.toString("latin1", 2, 2000).replace(/#.*/g, "");
  const match =
    file[1] === 0x37 ? /\sWIDTH\s+(\d+)\s(?:.*\n)*?\s*HEIGHT\s+(\d+)\s/.exec(text) : /^\s+(\d+)\s+(\d+)/.exec(text);
  return match ? { width: Number(match[1]), height: Number(match[2]) } : undefined;
}

const brands = (file: Buffer) => file.toString("latin1", 8, Math.min(file.readUInt32BE(0), 64));

/** Size of the largest picture in the file's `ispe` boxes (ISO/IEC 23008-12, 6.5.3). */
function heifSize(file: Buffer): ImageHeader["size"] {
  const head = file.subarray(0, 4096);
  let largest: ImageHeader["size"];
  for (let at = head.indexOf("ispe"); at >= 0 && at + 16 <= head.length; at = head.indexOf("ispe", at + 4)) {
    const [width, height] = [head.readUInt32BE(at + 8), head.readUInt32BE(at + 12)];
    if (width * height > (largest ? largest.width * largest.height : 0)) largest = { width, height };
  }
  return largest;
}

/** Common formats that cannot be read here, recognised by a signature at an offset in the file. */
const strangers: readonly (readonly [at: number, signature: string, what: string])[] = [
  [0, "\xff\x0a", "a JPEG XL image"],
  [4, "JXL ", "a JPEG XL image"],
  [4, "jP  ", "a JPEG 2000 image"],
  [0, "\xff\x4f\xff\x51", "a JPEG 2000 image"],
  [0, "\xff\xd8\xff\xf7", "a JPEG-LS image"],
  [4, "ftyphe", "a HEIC image"],
  [4, "ftypmif1", "a HEIC image"],
  [4, "ftypmsf1", "a HEIC image"],
  [0, "#?RADIANCE", "a Radiance HDR image"],
  [0, "#?RGBE", "a Radiance HDR image"],
  [0, "v/1\x01", "an OpenEXR image"],
  [0, "PF\n", "a floating-point PFM image"],
  [0, "Pf\n", "a floating-point PFM image"],
  [0, "8BPS", "a Photoshop file"],
  [0, "\0\0\x01\0", "a Windows icon"],
  [0, "DDS ", "a DDS texture"],
  [0, "qoif", "a QOI image"],
  [0, "farbfeld", "a farbfeld image"],
  [0, "SIMPLE  =", "a FITS image"],
  [128, "DICM", "a DICOM image"],
  [0, "%PDF", "a PDF document"],
  [0, "FUJIFILMCCD-RAW", "a camera's raw image"],
  [0, "IIRO", "a camera's raw image"],
  [0, "IIU\0", "a camera's raw image"],
  [4, "ftypcrx ", "a camera's raw image"],
  [4, "ftyp", "a film"],
  [0, "\x1aE\xdf\xa3", "a film"],
];

/** Why a file of unknown format cannot be read, and what to do about it. */
export function whyUnknown(file: Buffer): string {
  const start = file.toString("latin1", 0, 200);
  const found = strangers.find(([at, signature]) => start.startsWith(signature, at));
  if (found) return `it is ${found[2]}, which is not read here: convert it to PNG or JPEG`;
  if (/^\s*<(!doctype html|html)/i.test(start)) return "it is a web page, not an image: download the image again";
  if (start.startsWith("version https://git-lfs")) return "it only points to a file in Git LFS: run git lfs pull";
  return "it is no image, or of a format that is not known: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, SVG and PPM are";
}
