/** The mark in our own contact sheets: a sheet that `preview` wrote into a folder of images is not one of them. */
import { crc32 } from "node:zlib";

const TEXT = Buffer.from("tEXtSoftware\0Selfsight", "latin1");
/** Length of PNG's signature and its first chunk, IHDR, which has 13 bytes of data. */
const BEFORE = 8 + 12 + 13;

/** Puts a text chunk "Software: Selfsight" into a PNG, after its header. www.w3.org/TR/png/#11tEXt */
export function markSheet(png: Buffer): Buffer {
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(TEXT.length - 4); // without the chunk's type
  sum.writeUInt32BE(crc32(TEXT));
  return Buffer.concat([png.subarray(0, BEFORE), length, TEXT, sum, png.subarray(BEFORE)]);
}

/** Whether a file with these first bytes is a marked sheet. */
export function isSheet(head: Buffer): boolean {
  return head.subarray(BEFORE + 4, BEFORE + 4 + TEXT.length).equals(TEXT);
}
