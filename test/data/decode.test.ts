import { writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { decodeImage, imageSize } from "../../src/data/decode.ts";
import { SelfsightError } from "../../src/errors.ts";
import { peakMemory } from "../../src/setup/memory.ts";
import { decode, difference, drawing, HEIGHT, picture, reference, WIDTH } from "./decode-files.ts";

/** A shift of the drawing by one pixel is a difference of more than 20. */
const CLOSE = 1;
/** sharp first shrinks by an integer factor. */
const SHARP = 3.5;

describe("size and place", () => {
  it.each([
    [160, 120, 40],
    [120, 160, 40],
    [300, 100, 32],
    [128, 171, 32],
    [64, 64, 64],
    [30, 40, 48],
    [9, 900, 6],
  ])("%i × %i to %i: an antialiased bilinear filter, then a centre crop", async (width, height, size) => {
    const png = await picture(width, height).png().toBuffer();
    expect(difference(await decode(png, size), reference(width, height, size))).toBeLessThan(CLOSE);
  });

  it("decoded pixels are resized in the same way", async () => {
    const pixels = drawing();
    const image = { pixels, width: WIDTH, height: HEIGHT };
    expect(difference(await decodeImage(image, 40), reference(WIDTH, HEIGHT, 40))).toBeLessThan(SHARP);
    const square = { pixels: drawing(32, 32), width: 32, height: 32 };
    expect(await decodeImage(square, 32)).toEqual(square.pixels);
    expect(await imageSize(image)).toEqual({ width: WIDTH, height: HEIGHT });
  });

  it("one pixel fills the image, whatever the format", async () => {
    const one = sharp({ create: { width: 1, height: 1, channels: 3, background: "#204060" } });
    for (const file of [await one.png().toBuffer(), await one.jpeg({ quality: 100 }).toBuffer()]) {
      const flat = Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => [0x20, 0x40, 0x60][i % 3] ?? 0);
      expect(difference(await decode(file, 8), flat)).toBeLessThan(CLOSE);
    }
  });

  it("a line of 30,000 pixels stays small, in either direction and whatever the format", async () => {
    const grown = memoryGrowth();
    for (const [width, height] of [
      [30_000, 1],
      [1, 30_000],
    ]) {
      const line = sharp({
        create: { width: width as number, height: height as number, channels: 3, background: "#204060" },
      });
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="#204060"/></svg>`;
      const files = [
        await line.clone().png().toBuffer(),
        await line.clone().toColourspace("rgb16").tiff().toBuffer(),
        Buffer.from(svg),
      ];
      for (const file of files) {
        const flat = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => [0x20, 0x40, 0x60][i % 3] ?? 0);
        expect(difference(await decode(file, 64), flat)).toBeLessThan(CLOSE);
      }
    }
    expect(grown()).toBeLessThan(200e6); // resizing it as a whole took 370 MB
  });
});

describe("formats", () => {
  // The drawing is hard to compress: the tolerance is the loss of the format itself.
  const same: [string, () => Promise<Buffer>, number][] = [
    ["JPEG", () => picture().jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer(), CLOSE],
    ["progressive JPEG", () => picture().jpeg({ quality: 95, progressive: true }).toBuffer(), 2.5],
    ["CMYK JPEG", () => picture().toColourspace("cmyk").jpeg({ quality: 95 }).toBuffer(), 18], // CMYK cannot represent its blues
    ["16-bit PNG", () => picture().toColourspace("rgb16").png().toBuffer(), SHARP],
    ["palette PNG", () => picture().png({ palette: true, colours: 256 }).toBuffer(), 5],
    ["WebP", () => picture().webp({ lossless: true }).toBuffer(), CLOSE],
    ["GIF", () => picture().gif().toBuffer(), 8],
    ["TIFF", () => picture().tiff({ compression: "lzw" }).toBuffer(), SHARP],
    ["AVIF", () => picture().avif({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer(), 4],
  ];
  it.each(same)("%s", async (_, encode, tolerance) => {
    expect(difference(await decode(await encode()), reference(WIDTH, HEIGHT, 40))).toBeLessThan(tolerance);
  });

  it("grey images become three equal channels", async () => {
    const grey = picture().greyscale().toColourspace("b-w");
    const luma = Uint8Array.from([...(await grey.clone().raw().toBuffer())].flatMap((value) => [value, value, value]));
    for (const file of [await grey.png().toBuffer(), await grey.jpeg({ quality: 95 }).toBuffer()]) {
      expect((await sharp(file).metadata()).channels).toBe(1);
      const pixels = await decode(file);
      for (let i = 0; i < pixels.length; i += 3) expect([pixels[i + 1], pixels[i + 2]]).toEqual([pixels[i], pixels[i]]);
      expect(difference(pixels, reference(WIDTH, HEIGHT, 40, luma))).toBeLessThan(CLOSE);
    }
  });

  it("transparency is composited on white before resizing", async () => {
    const clear = { create: { width: 20, height: 20, channels: 4 as const, background: "#00000000" } };
    const half = { create: { width: 20, height: 20, channels: 4 as const, background: "#00000080" } };
    for (const file of [await sharp(clear).png().toBuffer(), await sharp(clear).webp({ lossless: true }).toBuffer()])
      expect(new Set(await decode(file, 8))).toEqual(new Set([255]));
    expect(difference(await decode(await sharp(half).png().toBuffer(), 8), new Uint8Array(192).fill(127))).toBeLessThan(
      CLOSE,
    );
  });

  it("the first frame of an animation", async () => {
    const frames = Buffer.concat([drawing(), Buffer.alloc(drawing().length, 255)]);
    const film = sharp(frames, { raw: { width: WIDTH, height: 2 * HEIGHT, channels: 3, pageHeight: HEIGHT } });
    for (const [file, tolerance] of [
      [await film.gif({ delay: [100, 100] }).toBuffer(), 8],
      [await film.webp({ lossless: true, delay: [100, 100] }).toBuffer(), SHARP],
    ] as const) {
      expect((await sharp(file).metadata()).pages).toBe(2);
      expect(difference(await decode(file), reference(WIDTH, HEIGHT, 40))).toBeLessThan(tolerance);
    }
  });

  it("SVG", async () => {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><path d="M0 0h20v20H0z" fill="red"/></svg>`;
    const pixels = await decode(Buffer.from(svg), 20);
    expect([...pixels.slice(3 * 4, 3 * 5), ...pixels.slice(3 * 15, 3 * 16)]).toEqual([255, 0, 0, 255, 255, 255]);
  });
});

describe("what cannot be decoded", () => {
  it.each(["jpeg", "png", "webp", "gif"] as const)("a %s that is cut short anywhere", async (format) => {
    const whole = await picture().toFormat(format).toBuffer();
    for (const part of [0.02, 0.3, 0.6, 0.9, 0.98])
      await expect(decode(whole.subarray(0, whole.length * part)), `${part}`).rejects.toThrow(SelfsightError);
  });

  it.each([
    ["an empty file", Buffer.alloc(0), /empty/],
    ["a text", Buffer.from("hello"), /no image/],
    ["zeros", Buffer.alloc(1000), /no image/],
    ["a TIFF without a directory", Buffer.from("II*\0\x08\0\0\0", "latin1"), /^the TIFF is damaged or cut short/],
    ["a GIF of 16,000 × 16,000", gifOf(16_000), /more than 50 million pixels/],
    ["the beginning of a JPEG and nothing more", Buffer.from([0xff, 0xd8, 0xff]), /./],
    ["an SVG of 20,000 × 20,000", svgOf(20_000, 20_000), /more than 268 million pixels/],
  ])("%s", async (_, file, message) => {
    const error = await decode(file).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SelfsightError);
    expect((error as Error).message).toMatch(message);
  });

  it("a header that claims more pixels than the file can hold is refused without decoding", async () => {
    for (const file of [await largePng(12_000), await largeJpeg(12_000)])
      await expect(decode(file)).rejects.toThrow("12000 × 12000 pixels do not fit into so few bytes");
  });

  it("20,000 × 20,000 pixels are refused by the header alone", async () => {
    const grown = memoryGrowth();
    for (const file of [await largePng(20_000), await largeJpeg(20_000)]) {
      await expect(decode(file)).rejects.toThrow("more than 268 million pixels");
    }
    expect(grown()).toBeLessThan(300e6); // such an image takes 1.2 GB as RGB
  });
});

/** Returns a function that tells by how many bytes this process has grown at most since. */
function memoryGrowth(): () => number {
  try {
    writeFileSync("/proc/self/clear_refs", "5"); // proc(5): the peak begins anew, else an earlier one hides what follows
  } catch {
    // another system
  }
  const before = peakMemory();
  return () => peakMemory() - before;
}

function svgOf(width: number, height: number): Buffer {
  return Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"/>`);
}

function gifOf(side: number): Buffer {
  const head = Buffer.from("GIF89a\0\0\0\0\0\0\0;", "latin1");
  head.writeUInt16LE(side, 6);
  head.writeUInt16LE(side, 8);
  return head;
}

/** A small PNG whose header (RFC 2083, 4.1.1) claims another size. */
async function largePng(side: number): Promise<Buffer> {
  const png = await picture().png().toBuffer();
  png.writeUInt32BE(side, 16);
  png.writeUInt32BE(side, 20);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return png;
}

/** A small JPEG whose frame header claims another size. */
async function largeJpeg(side: number): Promise<Buffer> {
  const jpeg = await picture().jpeg().toBuffer();
  const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
  jpeg.writeUInt16BE(side, frame + 5);
  jpeg.writeUInt16BE(side, frame + 7);
  return jpeg;
}
