/** Headers with a wrong image size, for the decoder's fuzzer. */

type Below = (n: number) => number;

/** Sides that often cause trouble: near powers of two, near the decoder's limits, and zero. */
const sides = [0, 1, 7, 255, 4096, 5000, 8191, 8193, 10_000, 16_383, 16_384, 20_000, 32_767, 65_535];

/** Writes another width and height into a file's header. Files of unknown formats stay as they are. */
export function claimSize(bytes: Buffer, below: Below): Buffer {
  const [width, height] = [sides[below(sides.length)] ?? 0, sides[below(sides.length)] ?? 0];
  if (bytes.length < 40) return bytes;
  const magic = bytes.toString("latin1", 0, 4);
  if (magic === "\x89PNG") {
    bytes.writeUInt32BE(width, 16);
    bytes.writeUInt32BE(height, 20);
  } else if (magic.startsWith("\xff\xd8")) {
    claimInJpeg(bytes, width, height);
  } else if (magic.startsWith("GIF")) {
    bytes.writeUInt16LE(width, 6);
    bytes.writeUInt16LE(height, 8);
    const frame = bytes.indexOf(0x2c, 13);
    if (below(2) && frame >= 0 && frame + 9 < bytes.length) {
      bytes.writeUInt16LE(width, frame + 5);
      bytes.writeUInt16LE(height, frame + 7);
    }
  } else if (magic.startsWith("BM")) {
    bytes.writeInt32LE(width, 18);
    bytes.writeInt32LE(below(2) ? height : -height, 22);
    if (below(3) === 0) bytes.writeUInt32LE(below(4), 30);
  } else if (magic === "RIFF") {
    claimInWebp(bytes, width, height);
  } else if (/^P[1-7]/.test(magic)) {
    const text = bytes.toString("latin1");
    return Buffer.from(
      text.replace(/(\d\d) (\d\d)/, `${width} ${height}`).replace(/WIDTH \d+/, `WIDTH ${width}`),
      "latin1",
    );
  } else if (/^(II|MM)/.test(magic)) {
    claimInTiff(bytes, width, height);
  } else if (bytes.includes("ispe")) {
    const at = bytes.indexOf("ispe");
    if (at + 16 <= bytes.length) {
      bytes.writeUInt32BE(width, at + 8);
      bytes.writeUInt32BE(height, at + 12);
    }
  } else if (bytes.includes("<svg")) {
    return Buffer.from(bytes.toString().replace(`width="40" height="20"`, `width="${width}" height="${height}"`));
  }
  return bytes;
}

function claimInJpeg(bytes: Buffer, width: number, height: number): void {
  for (const code of [0xc0, 0xc2]) {
    const at = bytes.indexOf(Buffer.from([0xff, code]));
    if (at < 0 || at + 9 > bytes.length) continue;
    bytes.writeUInt16BE(height, at + 5);
    bytes.writeUInt16BE(width, at + 7);
  }
}

/** VP8X stores each side minus one in 24 bits, VP8L in 14 bits; VP8 stores the side in 14 bits. */
function claimInWebp(bytes: Buffer, width: number, height: number): void {
  const chunk = bytes.toString("latin1", 12, 16);
  if (chunk === "VP8X") {
    bytes.writeUIntLE(Math.max(0, width - 1), 24, 3);
    bytes.writeUIntLE(Math.max(0, height - 1), 27, 3);
  } else if (chunk === "VP8 ") {
    bytes.writeUInt16LE(width & 0x3fff, 26);
    bytes.writeUInt16LE(height & 0x3fff, 28);
  } else if (chunk === "VP8L") {
    bytes.writeUInt32LE((((width - 1) & 0x3fff) | (((height - 1) & 0x3fff) << 14)) >>> 0, 21);
  }
}

/** Tags 256 and 257 of the first directory of a classic TIFF. */
function claimInTiff(bytes: Buffer, width: number, height: number): void {
  const little = bytes[0] === 0x49;
  const u16 = (at: number) => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const directory = little ? bytes.readUInt32LE(4) : bytes.readUInt32BE(4);
  if (directory + 2 > bytes.length) return;
  for (let k = 0, at = directory + 2; k < u16(directory) && at + 12 <= bytes.length; k++, at += 12) {
    const value = { 256: width, 257: height }[u16(at)];
    if (value === undefined) continue;
    const short = u16(at + 2) === 3;
    if (little) bytes.writeUIntLE(value, at + 8, short ? 2 : 4);
    else bytes.writeUIntBE(value, at + 8, short ? 2 : 4);
  }
}
