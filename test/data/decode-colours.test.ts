/** Colour profiles: the same stored colour must come out the same, whatever the format or size, or colour tells these. */
import sharp from "sharp";
import { expect, it } from "vitest";
import { decode, difference } from "./decode-files.ts";

/** One colour all over. */
const flat = (width = 32, height = 32, channels: 3 | 4 = 3) =>
  sharp({ create: { width, height, channels, background: { r: 203, g: 72, b: 52, alpha: 1 } } });
const p3 = (...size: Parameters<typeof flat>) => flat(...size).withIccProfile("p3");
/** The colour's samples in Display P3. */
const STORED = [188, 81, 60];

it.each([
  ["JPEG", () => p3().jpeg({ quality: 95 })],
  ["long JPEG, which the other decoder takes", () => p3(300, 30).jpeg({ quality: 95 })],
  ["PNG", () => p3().png()],
  ["long PNG", () => p3(300, 30).png()],
  ["PNG with transparency", () => p3(32, 32, 4).png()],
  ["WebP with transparency", () => p3(32, 32, 4).webp({ lossless: true })],
  ["TIFF", () => p3().tiff({ compression: "lzw" })],
  ["AVIF", () => p3().avif({ quality: 95 })],
])("a profile does not change the colour of a %s", async (_, write) => {
  const file = await write().toBuffer();
  expect((await sharp(file).metadata()).icc?.length).toBeGreaterThan(0);
  expect(near(await decode(file, 8))).toBeLessThan(3);
});

it("CMYK is shown by its profile, and the same from every format", async () => {
  const cmyk = () => flat().toColourspace("cmyk").withIccProfile("cmyk");
  for (const file of [await cmyk().jpeg({ quality: 100 }).toBuffer(), await cmyk().tiff().toBuffer()])
    expect(near(await decode(file, 8), [199, 62, 32])).toBeLessThan(3);
});

/** Mean difference of the pixels from a colour. */
const near = (pixels: Uint8Array, colour: readonly number[] = STORED) =>
  difference(
    pixels,
    pixels.map((_, i) => colour[i % 3] ?? 0),
  );
