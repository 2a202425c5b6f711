import { describe, expect, it } from "vitest";
import { SelfsightError } from "../../src/errors.ts";
import { decode, difference, drawing, picture, tiffFile, withSegments } from "./decode-files.ts";

const END = Buffer.from([0xff, 0xd9]);

/** Images with and without a full last row of blocks. */
const jpegs: [string, () => Promise<Buffer>][] = [
  ["a JPEG", () => picture().jpeg().toBuffer()],
  ["a JPEG with whole colours", () => picture(157, 119).jpeg({ chromaSubsampling: "4:4:4" }).toBuffer()],
  ["a grey JPEG", () => picture(128, 128).greyscale().jpeg().toBuffer()],
  ["a CMYK JPEG", () => picture().toColourspace("cmyk").jpeg().toBuffer()],
  ["a progressive JPEG", () => picture(157, 119).jpeg({ progressive: true }).toBuffer()],
  ["a turned JPEG", () => picture().withMetadata({ orientation: 6 }).jpeg().toBuffer()],
];

describe.each(jpegs)("%s", (_, encode) => {
  it("without its end marker is complete", async () => {
    const file = await encode();
    expect(file.subarray(-2)).toEqual(END);
    const expected = await decode(file);
    expect(await decode(file.subarray(0, -2))).toEqual(expected);
    expect(await decode(file.subarray(0, -1))).toEqual(expected);
    // Like an interrupted download into a preallocated file.
    expect(await decode(Buffer.concat([file.subarray(0, -2), Buffer.alloc(5000)]))).toEqual(expected);
  });

  it("with extra data after its end is complete", async () => {
    const file = await encode();
    const expected = await decode(file);
    for (const rest of [Buffer.alloc(50_000), Buffer.from("text"), file])
      expect(await decode(Buffer.concat([file, rest]))).toEqual(expected);
  });

  it("without some of its image data is refused, also with zeros in its place", async () => {
    const file = await encode();
    for (const missing of [4, 30, 200, 1000]) {
      const part = file.subarray(0, file.length - 2 - missing);
      await expect(decode(part), `${missing}`).rejects.toThrow("cut short");
      await expect(decode(Buffer.concat([part, Buffer.alloc(2000)])), `${missing}, zeros`).rejects.toThrow("cut short");
    }
  });
});

it("a JPEG without half of its data is refused although it has an end marker", async () => {
  for (const image of [picture(), picture().greyscale()]) {
    const file = await image.jpeg().toBuffer();
    const half = Buffer.concat([file.subarray(0, file.length / 2), END]);
    await expect(decode(half)).rejects.toThrow("cut short");
  }
});

it("a progressive JPEG that ends between two scans is refused", async () => {
  const file = await picture().jpeg({ progressive: true }).toBuffer();
  const lastScan = file.lastIndexOf(Buffer.from([0xff, 0xda]));
  await expect(decode(file.subarray(0, lastScan))).rejects.toThrow("cut short");
});

it("a black or grey JPEG is complete", async () => {
  for (const shade of [0, 128]) {
    const flat = picture().linear(0, shade);
    for (const file of [await flat.clone().jpeg().toBuffer(), await flat.clone().greyscale().jpeg().toBuffer()]) {
      expect(difference(await decode(file), new Uint8Array(40 * 40 * 3).fill(shade))).toBeLessThan(1.5);
      expect(await decode(file.subarray(0, -2))).toEqual(await decode(file));
    }
  }
});

it("a JPEG cut short after a thumbnail with its own end marker is refused", async () => {
  const thumbnail = await picture(100, 80).jpeg({ quality: 100 }).toBuffer();
  const content = Buffer.concat([Buffer.from("Exif\0\0"), thumbnail]);
  const file = withSegments(await picture().jpeg().toBuffer(), [0xe1, content]);
  await expect(decode(file)).resolves.toHaveLength(40 * 40 * 3);
  for (const missing of [4, 200, 1000])
    await expect(decode(file.subarray(0, file.length - missing)), `${missing}`).rejects.toThrow("cut short");
});

it("other formats are accepted without their end, but refused without some pixels", async () => {
  const [gif, png] = [await picture().gif().toBuffer(), await picture().png().toBuffer()];
  expect(await decode(gif.subarray(0, -1))).toEqual(await decode(gif));
  // Without IEND sharp decodes it, which first shrinks by an integer factor.
  expect(difference(await decode(png.subarray(0, -12)), await decode(png))).toBeLessThan(3.5);
  const ppm = Buffer.concat([Buffer.from("P6\n160 120\n255\n"), drawing()]);
  const tiff = tiffFile(drawing(), { samples: 3, bits: 8, photometric: 2 });
  for (const file of [ppm, tiff]) {
    await expect(decode(file)).resolves.toHaveLength(40 * 40 * 3);
    await expect(decode(file.subarray(0, file.length * 0.9))).rejects.toThrow(SelfsightError);
  }
});
