import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { decodeImage } from "../../src/data/decode.ts";
import { objectsIn } from "../../src/data/objects.ts";
import { squareObjects } from "../../src/data/square-objects.ts";
import { box } from "../box.ts";

const rows = (inside: Uint8Array | undefined, size: number) =>
  Array.from({ length: size }, (_, y) => (inside?.subarray(y * size, (y + 1) * size) ?? []).join(""));

describe("objects in the square that an image is decoded to", () => {
  it("are resized with the short side, and shifted by what is cut off", () => {
    const objects = objectsIn({ width: 16, height: 8 }, [box(6, 2, 4, 4), box(0, 0, 3, 8)]);
    const square = squareObjects(objects, 4);
    expect(square?.boxes).toEqual([box(1, 1, 2, 2)]); // the other is cut off
    expect(rows(square?.inside, 4)).toEqual(["0000", "0110", "0110", "0000"]);
    expect(squareObjects(objectsIn({ width: 16, height: 8 }, [box(0, 0, 3, 8)]), 4)).toBeUndefined();
  });

  it("are where the picture shows them", async () => {
    for (const [width, height] of [
      [31, 20],
      [20, 33],
      [24, 24],
    ] as const) {
      const drawn = box(11, 8, 6, 9);
      const pixels = Buffer.alloc(3 * width * height);
      for (let y = 8; y < 17; y++) pixels.fill(255, 3 * (y * width + 11), 3 * (y * width + 17));
      const mask = Uint8Array.from({ length: width * height }, (_, i) => Number((pixels[3 * i] as number) > 0));
      const size = 40;
      const encoded = await sharp(pixels, { raw: { width, height, channels: 3 } })
        .png()
        .toBuffer();
      const shown = await decodeImage({ encoded }, size);
      const bright = Uint8Array.from({ length: size * size }, (_, i) => Number((shown[3 * i] as number) > 127));
      for (const objects of [objectsIn({ width, height }, [drawn]), objectsIn({ width, height }, [], mask)]) {
        const { inside } = squareObjects(objects, size) ?? { inside: new Uint8Array() };
        const differing = inside.filter((value, i) => value !== bright[i]).length;
        expect(differing, `${width} × ${height}`).toBeLessThan(0.06 * bright.filter((one) => one).length);
      }
    }
  });

  it("are those of one class if a class is asked for", () => {
    const mask = Uint8Array.from([0, 1, 2, 2]);
    const objects = objectsIn({ width: 2, height: 2 }, [], mask);
    expect(rows(squareObjects(objects, 2)?.inside, 2)).toEqual(["01", "11"]);
    expect(rows(squareObjects(objects, 2, 2)?.inside, 2)).toEqual(["00", "11"]);
    expect(rows(squareObjects(objects, 2, 0)?.inside, 2)).toEqual(["10", "00"]);
    expect(squareObjects(objects, 2, 3)).toBeUndefined();
    const boxed = { ...objects, boxes: [box(0, 0, 1, 1)] };
    expect([squareObjects(boxed, 2), squareObjects(boxed, 2, 2)].map((one) => one?.boxes.length)).toEqual([1, 0]);
  });
});
