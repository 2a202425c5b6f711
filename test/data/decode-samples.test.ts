import { Transformer } from "@napi-rs/image";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { SelfsightError } from "../../src/errors.ts";
import { decode, difference, drawing, HEIGHT, picture, reference, tiffFile, WIDTH } from "./decode-files.ts";

/** sharp first shrinks by an integer factor. */
const CLOSE = 3.5;
const colours = drawing();
/** One side is brighter than the other, so an inverted image gives a large error. */
const grey = Float64Array.from({ length: WIDTH * HEIGHT }, (_, i) => Math.round((255 * (i % WIDTH) ** 2) / WIDTH ** 2));
const threefold = (values: ArrayLike<number>) =>
  Uint8Array.from({ length: values.length * 3 }, (_, i) => values[Math.floor(i / 3)] ?? 0);
const upright = (source: Uint8Array) => reference(WIDTH, HEIGHT, 40, source);
const scaled = (values: ArrayLike<number>, factor: number) => Array.from(values, (value) => value * factor);
/** Each pixel's channels, followed by others. */
const beside = (values: ArrayLike<number>, channels: number, ...others: number[]) =>
  Array.from({ length: WIDTH * HEIGHT }, (_, i) => [
    ...Array.from({ length: channels }, (_, k) => values[i * channels + k] ?? 0),
    ...others,
  ]).flat();

const [rgb, black, white] = [{ photometric: 2 }, { photometric: 1 }, { photometric: 0 }];
const float = { bits: 32, format: 3 } as const;

describe("TIFF samples", () => {
  const inColour: [string, Buffer][] = [
    ["floats from 0 to 1", tiffFile(scaled(colours, 1 / 255), { ...rgb, samples: 3, ...float })],
    ["floats from 0 to 1 and a little beyond", tiffFile(scaled(colours, 1.02 / 255), { ...rgb, samples: 3, ...float })],
    ["floats from 0 to 255", tiffFile(colours, { ...rgb, samples: 3, ...float, bigEndian: true })],
    [
      "floats with opacity",
      tiffFile(beside(scaled(colours, 1 / 255), 3, 1), { ...rgb, samples: 4, extra: [2], ...float }),
    ],
    ["16 bits", tiffFile(scaled(colours, 257), { ...rgb, samples: 3, bits: 16 })],
    ["32 bits", tiffFile(scaled(colours, 0x01010101), { ...rgb, samples: 3, bits: 32, bigTiff: true })],
    [
      "four bands of which the last is no opacity",
      tiffFile(beside(colours, 3, 9), { ...rgb, samples: 4, extra: [0], bits: 8 }),
    ],
    ["five bands", tiffFile(beside(colours, 3, 9, 9), { ...black, samples: 5, extra: [0, 0, 0, 0], bits: 8 })],
    ["five bands of colour", tiffFile(beside(colours, 3, 9, 0), { ...rgb, samples: 5, extra: [0, 0], bits: 8 })],
    ["five bands, all opaque", tiffFile(beside(colours, 3, 255, 0), { ...rgb, samples: 5, extra: [2, 0], bits: 8 })],
    [
      "nine bands that nothing is said of",
      tiffFile(beside(colours, 3, 1, 2, 3, 4, 5, 6), { ...black, samples: 9, bits: 8 }),
    ],
    [
      "three bands of 16 bits",
      tiffFile(scaled(colours, 257), { ...black, samples: 3, extra: [0, 0], bits: 16, bigEndian: true }),
    ],
    ["six bands of floats", tiffFile(beside(scaled(colours, 1 / 255), 3, 7, 8, 9), { ...black, samples: 6, ...float })],
  ];
  it.each(inColour)("%s", async (_, file) => {
    expect(difference(await decode(file), upright(colours))).toBeLessThan(CLOSE);
  });

  const inGrey: [string, Buffer][] = [
    ["floats from 0 to 1", tiffFile(scaled(grey, 1 / 255), { ...black, samples: 1, ...float })],
    ["floats from 0 to 255", tiffFile(grey, { ...black, samples: 1, ...float })],
    [
      "floats, white is zero",
      tiffFile(
        Array.from(grey, (v) => 1 - v / 255),
        { ...white, samples: 1, ...float },
      ),
    ],
    [
      "8 bits, white is zero",
      tiffFile(
        Array.from(grey, (v) => 255 - v),
        { ...white, samples: 1, bits: 8 },
      ),
    ],
    [
      "16 bits, white is zero",
      tiffFile(
        Array.from(grey, (v) => 65535 - v * 257),
        { ...white, samples: 1, bits: 16 },
      ),
    ],
    ["32 bits", tiffFile(scaled(grey, 0x01010101), { ...black, samples: 1, bits: 32, bigEndian: true })],
    ["two bands", tiffFile(beside(grey, 1, 7), { ...black, samples: 2, extra: [0], bits: 8 })],
    ["opaque grey", tiffFile(beside(grey, 1, 255), { ...black, samples: 2, extra: [2], bits: 8 })],
    [
      "opaque grey of 16 bits",
      tiffFile(beside(scaled(grey, 257), 1, 65535), { ...black, samples: 2, extra: [2], bits: 16 }),
    ],
  ];
  it.each(inGrey)("grey: %s", async (_, file) => {
    expect(difference(await decode(file), upright(threefold(grey)))).toBeLessThan(CLOSE);
  });

  it("transparency is composited on white, for floats too", async () => {
    const file = tiffFile(beside(scaled(colours, 1 / 255), 3, 0), { ...rgb, samples: 4, extra: [2], ...float });
    expect(new Set(await decode(file))).toEqual(new Set([255]));
  });

  const refused: [string, RegExp, Buffer][] = [
    [
      "signed 8 bits",
      /8-bit signed numbers/,
      tiffFile(scaled(grey, 0.5), { ...black, samples: 1, bits: 8, format: 2 }),
    ],
    ["signed 16 bits", /16-bit signed numbers/, tiffFile(grey, { ...black, samples: 1, bits: 16, format: 2 })],
    ["floats of 16 bits", /16-bit floating-point/, tiffFile(grey, { ...black, samples: 1, bits: 16, format: 3 })],
    ["floats of 64 bits", /64-bit floating-point/, tiffFile(grey, { ...black, samples: 1, bits: 64, format: 3 })],
    ["complex numbers", /complex/, tiffFile(grey, { ...black, samples: 1, bits: 64, format: 6 })],
    [
      "floats from -1 to 1",
      /from -1 to 0.9765,/,
      tiffFile(
        scaled(grey, 2 / 255).map((v) => v - 1),
        { ...black, samples: 1, ...float },
      ),
    ],
    ["floats to 65535", /to 64890,/, tiffFile(scaled(grey, 257.5), { ...black, samples: 1, ...float })],
    [
      "floats that may be either",
      /to 5,/,
      tiffFile(scaled(grey, 5 / grey.reduce((a, b) => Math.max(a, b))), { ...black, samples: 1, ...float }),
    ],
    ["NaN", /NaN/, tiffFile([...grey.slice(1), Number.NaN], { ...black, samples: 1, ...float })],
    [
      "infinity",
      /Infinity/,
      tiffFile([...grey.slice(1), Number.POSITIVE_INFINITY], { ...black, samples: 1, ...float }),
    ],
    ["12 bits in 16", /only from 0 to \d+ of 65535/, tiffFile(scaled(grey, 16), { ...black, samples: 1, bits: 16 })],
    ["8 bits in 16, in colour", /of 65535/, tiffFile(colours, { ...rgb, samples: 3, bits: 16 })],
    ["8 bits in 16, five bands", /of 65535/, tiffFile(beside(colours, 3, 1, 1), { ...black, samples: 5, bits: 16 })],
    ["8 bits in 32", /of 4294967295/, tiffFile(grey, { ...black, samples: 1, bits: 32 })],
    ["L*a*b*", /L\*a\*b\*/, tiffFile(colours, { photometric: 8, samples: 3, bits: 8 })],
  ];
  it.each(refused)("%s: refused in one line", async (_, message, file) => {
    const error = await decode(file).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SelfsightError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toMatch(/^[^\n]*: save it [^\n]*$/);
  });

  it("black images are decoded as black", async () => {
    const nothing = new Uint8Array(WIDTH * HEIGHT * 3);
    const noise = Array.from(nothing, (_, i) => 300 + (i % 7));
    const files = [
      tiffFile(nothing, { ...rgb, samples: 3, ...float }),
      tiffFile(nothing, { ...rgb, samples: 3, bits: 32 }),
      tiffFile(nothing, { ...rgb, samples: 3, bits: 16 }),
      tiffFile(noise, { ...rgb, samples: 3, bits: 16 }),
      tiffFile(nothing, { ...black, samples: 3, bits: 8 }),
      await picture().linear(0, 0).png().toBuffer(),
      await picture().linear(0, 0).toColourspace("rgb16").png().toBuffer(),
    ];
    for (const file of files) expect(Math.max(...(await decode(file)))).toBeLessThan(2);
  });
});

describe("other formats", () => {
  const ofDepth = (values: ArrayLike<number>, channels: 1 | 3) =>
    sharp(Uint16Array.from(values), { raw: { width: WIDTH, height: HEIGHT, channels } }).toColourspace(
      channels === 1 ? "grey16" : "rgb16",
    );

  it("16-bit PNG, grey and colour, but not 12 bits in 16", async () => {
    const [deepGrey, deep] = [
      await ofDepth(scaled(grey, 257), 1).png().toBuffer(),
      await ofDepth(scaled(colours, 257), 3).png().toBuffer(),
    ];
    expect((await sharp(deepGrey).metadata()).depth).toBe("ushort");
    expect(difference(await decode(deepGrey), upright(threefold(grey)))).toBeLessThan(CLOSE);
    expect(difference(await decode(deep), upright(colours))).toBeLessThan(CLOSE);
    await expect(decode(await ofDepth(scaled(grey, 16), 1).png().toBuffer())).rejects.toThrow(
      /of 65535, which shows as black/,
    );
  });

  it.each([1, 2, 4])("PNG and TIFF with %i bits", async (depth) => {
    const levels = 2 ** depth - 1;
    const few = Uint8Array.from(grey, (value) => Math.round((value * levels) / 255) * (255 / levels));
    const image = sharp(few, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } }).toColourspace("b-w");
    const files = [
      await image
        .clone()
        .png({ palette: true, colours: levels + 1, dither: 0 })
        .toBuffer(),
    ];
    files.push(
      await image
        .clone()
        .tiff({ bitdepth: depth as 1 | 2 | 4, compression: depth === 1 ? "ccittfax4" : "none" })
        .toBuffer(),
    );
    for (const file of files) expect(difference(await decode(file), upright(threefold(few)))).toBeLessThan(2 * CLOSE);
  });

  it("a palette with opacity", async () => {
    const clear = picture().ensureAlpha(0).png({ palette: true });
    expect(new Set(await decode(await clear.toBuffer()))).toEqual(new Set([255]));
  });

  it.each([1, 3, 100, 255, 256, 1023, 4095, 65535])("netpbm with white = %i", async (most) => {
    const quantised = scaled(grey, most / 255).map(Math.round);
    const samples = Buffer.alloc(quantised.length * (most > 255 ? 2 : 1));
    for (const [i, value] of quantised.entries())
      if (most > 255) samples.writeUInt16BE(value, 2 * i);
      else samples[i] = value;
    const head = `${WIDTH} ${HEIGHT}\n# text\n${most}\n`;
    const expected = upright(threefold(quantised.map((value) => (value * 255) / most)));
    for (const file of [
      Buffer.concat([Buffer.from(`P5\n${head}`), samples]),
      Buffer.from(`P2\n${head}${quantised.join(" ")}\n`),
    ])
      expect(difference(await decode(file), expected)).toBeLessThan(CLOSE);
  });

  it("BMP, with and without opacity", async () => {
    const bmp = await new Transformer(await picture().png().toBuffer()).bmp();
    expect(difference(await decode(bmp), upright(colours))).toBeLessThan(1);
    const clear = await new Transformer(await picture().ensureAlpha(0.5).png().toBuffer()).bmp();
    expect(difference(await decode(clear), upright(colours.map((value) => (value + 255) / 2)))).toBeLessThan(CLOSE);
  });

  it.each([
    ["JPEG XL", Buffer.from("\xff\x0a\0\0", "latin1")],
    ["JPEG 2000", Buffer.from("\0\0\0\x0cjP  \r\n\x87\n", "latin1")],
    ["HEIC", Buffer.from("\0\0\0\x18ftypheic\0\0\0\0", "latin1")],
    ["HEIC", Buffer.from("\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "latin1")],
    ["Radiance HDR", Buffer.from("#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n")],
    ["OpenEXR", Buffer.from("v/1\x01\x02\0\0\0", "latin1")],
    ["PFM", Buffer.from("PF\n1 1\n-1.0\n............")],
    ["Photoshop", Buffer.from("8BPS\0\x01")],
    ["web page", Buffer.from("<!DOCTYPE html><html>")],
    ["Git LFS", Buffer.from("version https://git-lfs.github.com/spec/v1\n")],
  ])("%s is named", async (name, file) => {
    await expect(decode(file)).rejects.toThrow(new RegExp(`^it .*${name}[^\\n]*$`));
  });
});
