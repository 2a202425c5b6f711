/** Recognises what a file is by its name and its first bytes. */
import { closeSync, constants, openSync, readSync } from "node:fs";
import { diskPath } from "./names.ts";
import { isSheet } from "./sheet-mark.ts";

/** Extensions of images that need no look inside. */
const IMAGE = /\.(jpe?g|jpe|jfif|png|apng|webp|gif|bmp|dib|tiff?|avif|svg|p[pgbn]m)$/i;
export const isImageName = (name: string): boolean => IMAGE.test(name);

/** Camera raw files begin like TIFF, but hold an undeveloped picture. */
const CAMERA = /\.(cr[23]|crw|nef|nrw|arw|sr2|srf|dng|orf|rw2|raf|pef|srw|x3f|3fr|iiq|kdc|dcr|mrw|erf|mef|mos|rwl)$/i;

/** `image` can be decoded here; `unreadable` is an image that cannot; `pointer` is a placeholder for a file in Git LFS. */
export type Kind =
  | { is: "image" | "other" | "sheet" | "pointer" }
  | {
      is: "unreadable";
      /** Name for messages: "JPEG XL". */
      format: string;
    };

const IMAGE_KIND: Kind = { is: "image" };
const OTHER: Kind = { is: "other" };

/** Bytes to read, enough for every test below. */
const HEAD = 512;

/** The first bytes of a file; empty if it cannot be read. */
export function headOf(path: string): Buffer {
  const head = Buffer.alloc(HEAD);
  try {
    const file = openSync(diskPath(path), constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)); // a pipe would block
    try {
      return head.subarray(0, readSync(file, head, 0, HEAD, 0));
    } finally {
      closeSync(file);
    }
  } catch {
    return head.subarray(0, 0);
  }
}

/** Kind of a file with this name and these first bytes. */
export function kindOf(name: string, head: Buffer): Kind {
  const text = head.toString("latin1");
  if (text.startsWith("version https://git-lfs.")) return { is: "pointer" };
  if (isSheet(head)) return { is: "sheet" };
  if (CAMERA.test(name)) return { is: "unreadable", format: "camera raw" };
  const format = unreadable.find(({ test }) => test(text, head))?.format;
  if (format) return { is: "unreadable", format };
  return readable.some((test) => test(text, head)) ? IMAGE_KIND : OTHER;
}

type Test = (text: string, head: Buffer) => boolean;

const readable: readonly Test[] = [
  (text) => text.startsWith("\xff\xd8\xff"), // JPEG
  (text) => text.startsWith("\x89PNG\r\n\x1a\n"),
  (text) => /^GIF8[79]a/.test(text),
  (text) => text.startsWith("RIFF") && text.startsWith("WEBP", 8),
  (text) => /^(II[*+]\0|MM\0[*+])/.test(text), // TIFF and BigTIFF
  (text) => brands(text).some((brand) => brand === "avif" || brand === "avis"),
  // Two letters are not enough: the header's size must be one that exists.
  (text, head) => text.startsWith("BM") && head.length > 18 && bmpHeaders.includes(head.readUInt32LE(14)),
  (text) => /^P[1-6]\s+(#[^\n]*\n\s*)*\d+\s/.test(text) || text.startsWith("P7\nWIDTH"),
  (text) => /^(\xef\xbb\xbf)?\s*<(\?xml|!--|!DOCTYPE svg|svg\b)/.test(text) && /<svg[\s>]/.test(text),
];
const bmpHeaders = [12, 40, 52, 56, 64, 108, 124];

const unreadable: readonly { format: string; test: Test }[] = [
  { format: "HEIC", test: (text) => brands(text).some((brand) => /^(he[ivm]|mif1|msf1)/.test(brand)) && !isAvif(text) },
  { format: "JPEG 2000", test: (text) => text.startsWith("\0\0\0\fjP  \r\n") || text.startsWith("\xff\x4f\xff\x51") },
  { format: "JPEG XL", test: (text) => text.startsWith("\xff\x0a") || text.startsWith("\0\0\0\fJXL \r\n") },
  { format: "icon", test: (_, head) => head.length > 9 && head.readUInt16LE(0) === 0 && isIcon(head) },
  { format: "Photoshop", test: (text) => text.startsWith("8BPS\0") },
  { format: "OpenEXR", test: (text) => text.startsWith("v/1\x01") },
  { format: "Radiance HDR", test: (text) => text.startsWith("#?RADIANCE") || text.startsWith("#?RGBE") },
  { format: "QOI", test: (text) => text.startsWith("qoif") },
  { format: "DDS", test: (text) => text.startsWith("DDS ") },
  { format: "farbfeld", test: (text) => text.startsWith("farbfeld") },
  { format: "DICOM", test: (text) => text.startsWith("DICM", 128) },
];

/** Icon or cursor with up to 64 pictures; the first has a reserved byte that is always 0. */
const isIcon = (head: Buffer) =>
  [1, 2].includes(head.readUInt16LE(2)) && head.readUInt16LE(4) - 1 < 64 && head.readUInt16LE(4) > 0 && head[9] === 0;

const isAvif = (text: string) => brands(text).some((brand) => /^avi[fs]/.test(brand));

/** Major and compatible brands of an ISO media file (HEIC, AVIF, video). */
function brands(text: string): string[] {
  if (!text.startsWith("ftyp", 4)) return [];
  const end = Math.min(text.length, text.charCodeAt(2) * 256 + text.charCodeAt(3));
  const found = [text.slice(8, 12)];
  for (let at = 16; at + 4 <= end; at += 4) found.push(text.slice(at, at + 4));
  return found;
}
