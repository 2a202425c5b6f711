/** The mark in our own contact sheets: what `preview` wrote into a folder of images is none of them. */
import { crc32 } from "node:zlib";

const TEXT = Buffer.from("tEXtSoftware\0Selfsight", "latin1");
/** PNG's signature and its first chunk, IHDR, which has 13 bytes. */
const BEFORE = 8 + 12 + 13;

/** Puts a text chunk "Software: Selfsight" into a PNG, behind its header. www.w3.org/TR/png/#11tEXt */
export function markSheet(png: Buffer): Buffer {
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(TEXT.length - 4); // without the chunk's type
  sum.writeUInt32BE(crc32(TEXT));
  return Buffer.concat([png.subarray(0, BEFORE), length, TEXT, sum, png.subarray(BEFORE)]);
}

/** Whether a file that begins with these bytes is such a sheet. */
export function isSheet(head: Buffer): boolean {
  return head.subarray(BEFORE + 4, BEFORE + 4 + TEXT.length).equals(TEXT);
}
