import sharp from "sharp";
import { describe, expect, it } from "vitest";
import {
  decode,
  difference,
  drawing,
  exifBlock,
  picture,
  reference,
  tiffFile,
  upright,
  withSegments,
} from "./decode-files.ts";

const orientations = [1, 2, 3, 4, 5, 6, 7, 8];

/** sharp first shrinks by an integer factor. A shift of the drawing by one pixel is a difference of more than 20. */
const CLOSE = 3.5;

/** Tests an even and an odd size: a mirrored image must not be shifted by a pixel. */
async function expectUpright(file: Buffer, orientation: number, tolerance = CLOSE) {
  const { data, width, height } = await upright(orientation);
  for (const size of [40, 41])
    expect(difference(await decode(file, size), reference(width, height, size, data))).toBeLessThan(tolerance);
}

describe("the orientation in a file", () => {
  const written = orientations.flatMap((orientation) =>
    (["jpeg", "png", "webp", "tiff", "avif"] as const).map((format) => [orientation, format] as const),
  );
  it.each(written)("%i in a %s", async (orientation, format) => {
    const options = { quality: 95, chromaSubsampling: "4:4:4", ...(format === "webp" && { lossless: true }) };
    const file = await picture().withMetadata({ orientation }).toFormat(format, options).toBuffer();
    await expectUpright(file, orientation);
  });

  it.each(orientations)(
    "%i in a TIFF, in both byte orders, classic and BigTIFF, with 8 bits and others",
    async (orientation) => {
      const values = drawing();
      for (const bigEndian of [false, true])
        for (const bigTiff of [false, true]) {
          const options = { orientation, bigEndian, bigTiff, samples: 3, photometric: 2 };
          await expectUpright(tiffFile(values, { ...options, bits: 8 }), orientation);
          const deep = Array.from(values, (value) => value * 257);
          await expectUpright(tiffFile(deep, { ...options, bits: 16 }), orientation);
          const unit = Array.from(values, (value) => value / 255);
          await expectUpright(tiffFile(unit, { ...options, bits: 32, format: 3 }), orientation);
        }
    },
  );

  it.each(orientations)("%i in a PNG and a WebP with transparency", async (orientation) => {
    for (const format of ["png", "webp"] as const) {
      const file = picture().ensureAlpha(1).withMetadata({ orientation });
      const bytes = await file.toFormat(format, { lossless: true }).toBuffer();
      expect((await sharp(bytes).metadata()).hasAlpha).toBe(format === "png"); // WebP drops fully opaque alpha
      await expectUpright(bytes, orientation);
    }
    const half = await picture().ensureAlpha(0.5).withMetadata({ orientation }).webp({ lossless: true }).toBuffer();
    const { data, width, height } = await upright(orientation);
    const pale = data.map((value) => (value + 255) / 2);
    expect(difference(await decode(half), reference(width, height, 40, pale))).toBeLessThan(CLOSE);
  });
});

describe("EXIF in a JPEG", () => {
  const exif = (block: Buffer) => Buffer.concat([Buffer.from("Exif\0\0"), block]);
  const xmp = Buffer.from("http://ns.adobe.com/xap/1.0/\0<x/>");
  const plain = () => picture().jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer();

  it.each(orientations)(
    "orientation %i in either byte order, with other types, after XMP, after padding",
    async (orientation) => {
      const jpeg = await plain();
      for (const bigEndian of [false, true])
        for (const type of [1, 3, 4]) {
          const file = withSegments(jpeg, [0xe1, exif(exifBlock(orientation, { bigEndian, type }))]);
          await expectUpright(file, orientation);
        }
      const file = withSegments(jpeg, [0xe1, xmp], [0xe1, exif(exifBlock(orientation))], [0xfe, Buffer.from("text")]);
      await expectUpright(file, orientation);
      const padded = Buffer.concat([file.subarray(0, 2), Buffer.from([0xff, 0xff]), file.subarray(2)]);
      await expectUpright(padded, orientation);
    },
  );

  it("the first of two blocks counts", async () => {
    const blocks = [6, 1].map((orientation): [number, Buffer] => [0xe1, exif(exifBlock(orientation))]);
    await expectUpright(withSegments(await plain(), ...blocks), 6);
  });

  it("an invalid orientation is ignored", async () => {
    const jpeg = await plain();
    for (const orientation of [0, 9, 65535])
      await expectUpright(withSegments(jpeg, [0xe1, exif(exifBlock(orientation))]), 1);
    for (const block of [
      Buffer.alloc(0),
      Buffer.from("II*\0"),
      Buffer.from("MM\0*\xff\xff\xff\xff", "latin1"),
      Buffer.alloc(40, 1),
    ])
      await expectUpright(withSegments(jpeg, [0xe1, exif(block)]), 1);
  });
});
