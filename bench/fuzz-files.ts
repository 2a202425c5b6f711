/** Damaged image files for the decoder's fuzzer: intact files of every supported kind, then damaged, all from a seed. */
import { crc32 } from "node:zlib";
import { Transformer } from "@napi-rs/image";
import sharp, { type Sharp } from "sharp";
import { randomAt, randomInt, uniform } from "../src/random.ts";
import { claimSize } from "./fuzz-headers.ts";

export interface Sample {
  /** The kind of file, as in the table of results. */
  readonly kind: string;
  readonly bytes: Buffer;
}

/** Separates these random numbers from others with the same seed. */
const FUZZ = 0xf2;
const [WIDTH, HEIGHT] = [90, 70];

/** Intact files, a few of each kind. By default some have several megabytes. The same on every call. */
export async function wholeFiles({ large = true } = {}): Promise<Sample[]> {
  const plain = drawing(3);
  const clear = drawing(4);
  const grey = () => plain().greyscale().toColourspace("b-w");
  const deep = () => plain().toColourspace("rgb16");
  const makers: [kind: string, make: () => Promise<Buffer>][] = [
    ["jpeg", () => plain().jpeg().toBuffer()],
    ["jpeg", () => grey().jpeg({ quality: 40 }).toBuffer()],
    ["jpeg", () => plain().withMetadata({ orientation: 6 }).jpeg({ chromaSubsampling: "4:4:4" }).toBuffer()],
    ["jpeg", () => plain().toColourspace("cmyk").jpeg().toBuffer()],
    ["jpeg progressive", () => plain().jpeg({ progressive: true }).toBuffer()],
    ["jpeg progressive", () => grey().withMetadata({ orientation: 3 }).jpeg({ progressive: true }).toBuffer()],
    ["png", () => plain().png().toBuffer()],
    ["png", () => clear().png().toBuffer()],
    ["png", () => grey().png().toBuffer()],
    ["png", () => deep().png().toBuffer()],
    ["png", () => plain().withMetadata({ orientation: 8 }).png().toBuffer()],
    ["png interlaced", () => clear().png({ progressive: true }).toBuffer()],
    ["png palette", () => clear().png({ palette: true }).toBuffer()],
    ["png palette", () => plain().png({ palette: true, colours: 2 }).toBuffer()],
    ["webp", () => plain().webp().toBuffer()],
    ["webp", () => clear().withMetadata({ orientation: 5 }).webp({ alphaQuality: 50 }).toBuffer()],
    ["webp lossless", () => plain().webp({ lossless: true }).toBuffer()],
    ["webp lossless", () => clear().webp({ lossless: true }).toBuffer()],
    [
      "webp animated",
      () =>
        film(4)
          .webp({ delay: [10, 10, 10, 10] })
          .toBuffer(),
    ],
    ["gif", () => plain().gif({ effort: 1 }).toBuffer()],
    ["gif", () => clear().gif({ effort: 1 }).toBuffer()],
    [
      "gif animated",
      () =>
        film(4)
          .gif({ effort: 1, delay: [10, 10, 10, 10] })
          .toBuffer(),
    ],
    ["gif animated", () => film(500, 8).gif({ effort: 1 }).toBuffer()],
    ...(["none", "lzw", "deflate", "jpeg", "packbits", "webp"] as const).map(
      (compression): Maker => ["tiff", () => plain().tiff({ compression }).toBuffer()],
    ),
    ["tiff", () => grey().tiff({ compression: "ccittfax4", bitdepth: 1 }).toBuffer()],
    ["tiff", () => clear().withMetadata({ orientation: 7 }).tiff({ compression: "lzw" }).toBuffer()],
    ["tiff", () => deep().tiff({ compression: "deflate", predictor: "horizontal" }).toBuffer()],
    ["tiff", () => plain().tiff({ bigtiff: true, compression: "none" }).toBuffer()],
    ["tiff tiled", () => plain().tiff({ tile: true, tileWidth: 32, tileHeight: 32, pyramid: true }).toBuffer()],
    ["tiff float", () => plain().pipelineColourspace("scrgb").toColourspace("scrgb").tiff().toBuffer()],
    ["avif", () => plain().avif({ effort: 0 }).toBuffer()],
    ["avif", () => clear().avif({ effort: 0, lossless: true }).toBuffer()],
    ["bmp", async () => new Transformer(await plain().png().toBuffer()).bmp()],
    ["bmp", async () => new Transformer(await grey().png().toBuffer()).bmp()],
    ["bmp", async () => new Transformer(await clear().png().toBuffer()).bmp()],
    ...["P1", "P2", "P3", "P4", "P5", "P6", "P7"].flatMap((magic): Maker[] =>
      [1, 100, 255, 4095].map((white): Maker => ["pnm", async () => pnm(magic, white)]),
    ),
    ...svgs.map((body): Maker => ["svg", async () => svg(body)]),
    ["jpeg large", () => noise(1900).jpeg({ quality: 98 }).toBuffer()],
    ["png large", () => noise(1700).png({ compressionLevel: 0 }).toBuffer()],
    ["tiff large", () => noise(1700).tiff({ compression: "none" }).toBuffer()],
    ["bmp large", async () => new Transformer(await noise(1500).png().toBuffer()).bmp()],
  ];
  const files: Sample[] = [];
  for (const [kind, make] of makers) if (large || !isLarge({ kind })) files.push({ kind, bytes: await make() });
  return files;
}

type Maker = [kind: string, make: () => Promise<Buffer>];

/** File number `i` of a seed: one of `files`, damaged in one or two ways. */
export function fuzzFile(files: readonly Sample[], seed: number, i: number): Sample {
  const random = randomAt(seed, FUZZ, i);
  const below = (n: number) => randomInt(random, 0, n - 1);
  // Large files are slow to damage and to decode: one in forty, if there are any.
  const large = below(40) === 0 && files.some(isLarge);
  const eligible = files.filter((file) => isLarge(file) === large);
  const kinds = [...new Set(eligible.map(({ kind }) => kind))];
  const chosen = pick(kinds, below);
  const { kind, bytes } = pick(
    eligible.filter(({ kind }) => kind === chosen),
    below,
  );
  let spoilt: Buffer = Buffer.from(bytes);
  for (let times = 1 + below(2); times > 0; times--) spoilt = pick(spoilers, below)(spoilt, below, files);
  if (below(2)) mendChecksums(spoilt);
  return { kind, bytes: spoilt.subarray(0, 10_000_000) };
}

const isLarge = ({ kind }: { kind: string }) => kind.endsWith(" large");

type Below = (n: number) => number;
type Spoiler = (bytes: Buffer, below: Below, files: readonly Sample[]) => Buffer;

const pick = <Item>(items: readonly Item[], below: Below) => items[below(items.length)] as Item;

/** A random position in the file; half the time within the first 200 bytes, where the headers are. */
const place = (bytes: Buffer, below: Below) => below(below(2) ? Math.min(200, bytes.length) : bytes.length);

const extremes = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

const spoilers: readonly Spoiler[] = [
  function flipBits(bytes, below) {
    for (let n = 1 + below(16); n > 0 && bytes.length; n--) {
      const at = place(bytes, below);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
    }
    return bytes;
  },
  function changeBytes(bytes, below) {
    for (let n = 1 + below(200); n > 0 && bytes.length; n--) bytes[place(bytes, below)] = below(256);
    return bytes;
  },
  function extremeNumber(bytes, below) {
    const width = pick([1, 2, 4], below);
    if (bytes.length < width) return bytes;
    const at = Math.min(place(bytes, below), bytes.length - width);
    const value = pick(extremes, below) % 256 ** width;
    if (below(2)) bytes.writeUIntBE(value, at, width);
    else bytes.writeUIntLE(value, at, width);
    return bytes;
  },
  (bytes, below) => claimSize(bytes, below),
  (bytes, below) => lie(bytes, below),
  (bytes, below) => bytes.subarray(0, below(bytes.length + 1)),
  (bytes, below) => bytes.subarray(0, below(Math.min(64, bytes.length + 1))),
  (bytes, below) => bytes.subarray(0, bytes.length - below(Math.min(64, bytes.length + 1))),
  function cutOut(bytes, below) {
    const from = place(bytes, below);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + below(300))]);
  },
  function join(bytes, below, files) {
    const other = pick(files, below).bytes;
    return Buffer.concat([bytes.subarray(0, below(bytes.length + 1)), other.subarray(below(other.length + 1))]);
  },
  (bytes, below, files) => Buffer.concat([bytes, pick(files, below).bytes]),
  function repeat(bytes, below) {
    const from = place(bytes, below);
    const part = bytes.subarray(from, from + below(500));
    return Buffer.concat([bytes.subarray(0, from), part, part, bytes.subarray(from)]);
  },
  (bytes, below) => bytes.fill(0, below(bytes.length + 1)),
  (bytes, below) => Buffer.concat([bytes, Buffer.alloc(below(100_000), below(256))]),
  function noiseBehindHeader(bytes, below) {
    for (let at = Math.min(bytes.length, 4 + below(60)); at < Math.min(bytes.length, 5000); at++)
      bytes[at] = below(256);
    return bytes;
  },
];

/** Replaces the length field of some chunk, in the byte order of its format. */
function lie(bytes: Buffer, below: Below): Buffer {
  const names = ["IHDR", "PLTE", "IDAT", "IEND", "eXIf", "RIFF", "VP8 ", "VP8L", "VP8X", "ANMF", "ALPH", "EXIF"];
  const boxes = ["ftyp", "meta", "iprp", "ispe", "iloc", "iinf", "mdat", "ipco", "av1C"];
  for (const name of [...names, ...boxes].sort(() => below(3) - 1)) {
    const at = bytes.indexOf(name);
    if (at < 4 && name !== "RIFF") continue;
    if (at < 0 || at + 8 > bytes.length) continue;
    const value = pick([...extremes, below(2 ** 16), below(2 ** 32)], below);
    if (/^[RVAE][A-Z]/.test(name) && name !== "IEND") bytes.writeUInt32LE(value, at + 4);
    else bytes.writeUInt32BE(value, at - 4);
    return bytes;
  }
  const marker = [0xc0, 0xc2, 0xc4, 0xda, 0xdb, 0xe1].map((code) => bytes.indexOf(Buffer.from([0xff, code])));
  const at = pick(marker, below);
  if (at >= 0 && at + 4 <= bytes.length) bytes.writeUInt16BE(below(2 ** 16), at + 2);
  return bytes;
}

/** Corrects a PNG's checksums, so that a decoder reads the damaged data. */
function mendChecksums(bytes: Buffer): void {
  if (bytes.length < 8 || bytes.readUInt32BE(0) !== 0x89504e47) return;
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at);
    if (end + 4 > bytes.length) return;
    bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, end)), end);
    at = end + 4;
  }
}

/** Gradients with noise; with four channels, partly transparent. */
function drawing(channels: 3 | 4, width = WIDTH, height = HEIGHT): () => Sharp {
  const random = randomAt(1, FUZZ);
  const pixels = Uint8Array.from({ length: width * height * channels }, (_, i) => {
    const [x, y] = [Math.floor(i / channels) % width, Math.floor(i / channels / width)];
    return (
      [(x * 255) / width, (y * 255) / height, x & 16 ? 200 : uniform(random, 0, 64), x > y ? 255 : 90][i % channels] ??
      0
    );
  });
  return () => sharp(pixels, { raw: { width, height, channels } });
}

function film(pages: number, side = HEIGHT): Sharp {
  const frames = Uint8Array.from({ length: side * side * 3 * pages }, (_, i) => (i * 7 + Math.floor(i / 1000)) & 0xff);
  return sharp(frames, { raw: { width: side, height: side * pages, channels: 3, pageHeight: side } });
}

function noise(side: number): Sharp {
  const pixels = new Uint8Array(side * side * 3);
  for (let i = 0, state = 1; i < pixels.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0; // Numerical Recipes' quick generator
    pixels[i] = state >>> 24;
  }
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } });
}

/** Netpbm: P1 to P3 are text, P4 to P6 binary, P7 has a different header. */
function pnm(magic: string, white: number): Buffer {
  const [width, height, kind] = [40, 30, Number(magic[1])];
  const channels = kind % 3 === 0 || kind === 7 ? 3 : 1;
  const samples = Array.from({ length: width * height * channels }, (_, i) => (i * 31) % (white + 1));
  if (kind <= 3) {
    const head = kind === 1 ? `P1\n${width} ${height}\n` : `P${kind}\n# text\n${width} ${height}\n${white}\n`;
    return Buffer.from(head + samples.map((value) => (kind === 1 ? value & 1 : value)).join(" "));
  }
  if (kind === 4) return Buffer.concat([Buffer.from(`P4 ${width} ${height}\n`), Buffer.alloc(5 * height, 0x5a)]);
  const heads = {
    5: `P5 ${width} ${height} ${white}\n`,
    6: `P6\n${width} ${height}\n${white}\n`,
    7: `P7\nWIDTH ${width}\nHEIGHT ${height}\nDEPTH 3\nMAXVAL ${white}\nTUPLTYPE RGB\nENDHDR\n`,
  };
  const data = Buffer.alloc(samples.length * (white > 255 ? 2 : 1));
  for (const [i, value] of samples.entries())
    if (white > 255) data.writeUInt16BE(value, 2 * i);
    else data[i] = value;
  return Buffer.concat([Buffer.from(heads[kind as 5 | 6 | 7]), data]);
}

const svgs = [
  `<path d="M0 0h20v20H0z" fill="red"/><text y="9">text</text>`,
  `<image href="file:///etc/passwd" width="9" height="9"/><image href="https://localhost/a.png" width="9" height="9"/>`,
  `<defs><filter id="f"><feGaussianBlur stdDeviation="900"/></filter></defs><rect filter="url(#f)" width="9" height="9"/>`,
  `<g id="a"><rect width="9" height="9"/><use href="#a"/></g><use href="#b" id="b"/>`,
  `&e;<linearGradient id="g"><stop offset="0"/></linearGradient><circle r="9" fill="url(#g)" stroke-width="1e30"/>`,
];

function svg(body: string): Buffer {
  const entities = Array.from({ length: 9 }, (_, i) => `<!ENTITY e${i + 1} "${`&e${i};`.repeat(10)}">`).join("");
  const doctype = `<!DOCTYPE svg [<!ENTITY e0 "lol">${entities}<!ENTITY e "&e9;">]>`;
  const root = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20">${body}</svg>`;
  return Buffer.from((body.startsWith("&") ? doctype : "") + root);
}
