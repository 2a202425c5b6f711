import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import type { ImageSet } from "../../src/data/images.ts";
import { openImages } from "../../src/data/open.ts";
import { SelfsightError } from "../../src/errors.ts";
import { scratch } from "../images.ts";

const root = scratch();

/** Writes files into a new folder: a text, or a grey picture of width × height and what its pixels are. */
async function folderOf(files: Readonly<Record<string, string | Picture>>): Promise<string> {
  const folder = mkdtempSync(join(root, "set-"));
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    if (typeof content === "string") writeFileSync(file, content);
    else await picture(content).toFile(file);
  }
  return folder;
}

type Picture = { width: number; height: number; values?: readonly number[]; channels?: 1 | 3; turn?: number };

function picture({ width, height, values, channels = 1, turn }: Picture) {
  const data = values ?? Array.from({ length: width * height * channels }, (_, i) => (i * 37) % 251);
  const image = sharp(Buffer.from(data), { raw: { width, height, channels } });
  return turn ? image.withMetadata({ orientation: turn }) : channels === 1 ? image.toColourspace("b-w") : image;
}

const voc = (boxes: readonly (readonly [string, number, number, number, number])[], size = "") =>
  `<annotation><filename>1.png</filename>${size}${boxes
    .map(
      ([name, xmin, ymin, xmax, ymax]) =>
        `<object><name>${name}</name><part><name>head</name><bndbox><xmin>1</xmin></bndbox></part><bndbox>` +
        `<xmin>${xmin}</xmin><ymin>${ymin}</ymin><xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox></object>`,
    )
    .join("\n")}</annotation>\n`;
const sized = (width: number, height: number) =>
  `<size><width>${width}</width><height>${height}</height><depth>3</depth></size>`;

async function open(folder: string): Promise<ImageSet> {
  const [set, ...more] = Object.values((await openImages(folder)).splits);
  if (!set || more.length) throw new Error("expected one part");
  return set;
}

const image = { width: 10, height: 6 };

describe("Annotations/NAME.xml", () => {
  it("holds boxes: both corners belong to them, and the first pixel is 1", async () => {
    const set = await open(
      await folderOf({
        "JPEGImages/1.png": image,
        "JPEGImages/2.png": image,
        "Annotations/1.xml": voc([["cat", 1, 2, 10, 6]], sized(10, 6)),
      }),
    );
    expect(await set.objects?.(0)).toEqual({
      ...image,
      boxes: [{ left: 0, top: 1, width: 10, height: 5, label: "cat" }],
      clipped: 0,
      dropped: 0,
    });
    expect(await set.objects?.(1)).toBeUndefined();
  });

  it("is no image that was left out", async () => {
    const files = { "JPEGImages/1.png": image, "Annotations/1.xml": voc([]), "notes/2.xml": "<a/>" };
    const { notes } = await openImages(await folderOf(files));
    expect(notes?.filter((note) => note.includes("xml"))).toEqual([expect.stringMatching(/^1 file.*: 2\.xml/)]);
  });

  it("clips boxes to the image and leaves out those without an area, and counts both", async () => {
    const boxes = [
      ["in", 2, 2, 4, 4],
      ["over", 8, 4, 30, 20],
      ["edge", 0, 0, 5, 5], // counted from 0: no fault
      ["flat", 3, 3, 3, 5],
      ["reversed", 5, 3, 2, 5],
      ["outside", 20, 2, 30, 4],
    ] as const;
    const set = await open(await folderOf({ "1.png": image, "Annotations/1.xml": voc(boxes) }));
    const objects = await set.objects?.(0);
    expect(objects?.boxes).toEqual([
      { left: 1, top: 1, width: 3, height: 3, label: "in" },
      { left: 7, top: 3, width: 3, height: 3, label: "over" },
      { left: 0, top: 0, width: 5, height: 5, label: "edge" },
    ]);
    expect([objects?.clipped, objects?.dropped]).toEqual([1, 3]);
  });

  it("without an object says that there is none", async () => {
    const set = await open(await folderOf({ "1.png": image, "Annotations/1.xml": voc([], sized(0, 0)) }));
    expect(await set.objects?.(0)).toEqual({ ...image, boxes: [], clipped: 0, dropped: 0 });
  });

  it("is refused with the file's name when it is damaged, something else, or of another image", async () => {
    const cases: [string, RegExp][] = [
      ["<html><p>1</p></html>", /Annotations.1\.xml is no annotation of Pascal VOC: .* came <html>/],
      ["", /1\.xml is no annotation of Pascal VOC/],
      [voc([["cat", 1, 1, 5, 5]]).slice(0, 150), /1\.xml is no annotation .* cut short/],
      [
        "<annotation><object><name>cat</name></object></annotation>",
        /1\.xml, object 1: expected <bndbox> .* came none/,
      ],
      [voc([["cat", 1, 1, Number.NaN, 5]]), /1\.xml, object 1: expected .* came 1, 1, NaN, 5/],
      [voc([["cat", 1, 1, 5, 5]], sized(20, 12)), /1\.xml is for an image of 20 × 12 pixels, but 1\.png has 10 × 6/],
    ];
    for (const [xml, message] of cases) {
      const set = await open(await folderOf({ "1.png": image, "Annotations/1.xml": xml }));
      await expect(set.objects?.(0)).rejects.toThrow(message);
      await expect(set.objects?.(0)).rejects.toThrow(SelfsightError);
    }
  });

  it("is of the image as it is shown, turned as its file says", async () => {
    const set = await open(
      await folderOf({
        "1.jpg": { ...image, turn: 6 },
        "Annotations/1.xml": voc([["cat", 1, 1, 6, 10]], sized(6, 10)),
      }),
    );
    expect((await set.objects?.(0))?.boxes).toEqual([{ left: 0, top: 0, width: 6, height: 10, label: "cat" }]);
  });
});

describe("masks/NAME.png", () => {
  const values = Array.from({ length: 60 }, (_, i) => i % 4);

  it("holds grey values, whether beside the images or beside their folder, and is no image itself", async () => {
    for (const [at, mask] of [
      ["1.png", "masks/1.png"],
      ["images/1.png", "masks/1.png"],
      ["train/images/1.png", "train/masks/1.png"],
      ["images/sub/1.png", "masks/sub/1.png"],
      ["sub/1.png", "masks/sub/1.png"],
    ] as const) {
      const folder = await folderOf({ [at]: image, "images/2.png": image, [mask]: { ...image, values } });
      const sets = Object.values((await openImages(folder)).splits);
      const found = await Promise.all(
        sets.flatMap((set) =>
          Array.from({ length: set.length }, (_, i) => i)
            .filter((i) => set.id(i) === at)
            .map((i) => set.objects?.(i)),
        ),
      );
      expect(
        found.map((objects) => [...(objects?.mask ?? [])]),
        at,
      ).toEqual([values]);
      expect(
        sets.reduce((sum, { length }) => sum + length, 0),
        at,
      ).toBe(2);
    }
  });

  it("is left out of the images also where these lie beside its folder", async () => {
    const set = await open(await folderOf({ "1.png": image, "masks/1.png": { ...image, values } }));
    expect([set.length, set.id(0)]).toEqual([1, "1.png"]);
  });

  it("in colours says only where it is not black", async () => {
    const colours = Array.from({ length: 180 }, (_, i) => (i < 90 ? 0 : i % 3 === 1 ? 200 : 0));
    const set = await open(
      await folderOf({ "1.png": image, "masks/1.png": { ...image, values: colours, channels: 3 } }),
    );
    expect([...((await set.objects?.(0))?.mask ?? [])]).toEqual(Array.from({ length: 60 }, (_, i) => Number(i >= 30)));
  });

  it("of another size than the image, or that cannot be read, is refused by name", async () => {
    const larger = await open(await folderOf({ "1.png": image, "masks/1.png": { width: 12, height: 6 } }));
    await expect(larger.objects?.(0)).rejects.toThrow(
      /masks.1\.png is for an image of 12 × 6 pixels, but 1\.png has 10 × 6\. Resize both alike/,
    );
    const broken = await open(await folderOf({ "1.png": image, "masks/1.png": "no picture" }));
    await expect(broken.objects?.(0)).rejects.toThrow(/masks.1\.png is no mask that can be read: .*Expected a PNG/);
  });
});

it("a folder without annotations has no objects to ask for", async () => {
  expect((await open(await folderOf({ "1.png": image, "2.png": image }))).objects).toBeUndefined();
});
