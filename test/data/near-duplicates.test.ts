/** Images that nearly match are on one side of a cut, in every command. */
import sharp, { type Sharp } from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { decodeImage } from "../../src/data/decode.ts";
import { contentsOf } from "../../src/data/digest.ts";
import type { ImageCollection, ImageSet } from "../../src/data/images.ts";
import { greyOf, greySquare, Looks } from "../../src/data/looks.ts";
import { nearPairs } from "../../src/data/near-duplicates.ts";
import { imagesToLearnFrom, labelledParts } from "../../src/data/splits.ts";
import { nearNotes } from "../../src/evaluate/near-notes.ts";
import { decodedParts } from "../../src/evaluate/parts.ts";
import { randomAt, uniform } from "../../src/random.ts";
import { fakeSet, ids } from "./fake-set.ts";

const SIZE = 120;

/** A smooth picture with a few blobs: unlike any of another seed. */
function picture(seed: number, size = SIZE): Sharp {
  const random = randomAt(3, seed);
  const blobs = Array.from({ length: 24 }, () => {
    const [x, y] = [uniform(random, 0, size), uniform(random, 0, size)];
    return { x, y, width: uniform(random, size / 16, size / 5), light: uniform(random, -110, 110) };
  });
  const pixels = Buffer.alloc(size * size * 3);
  for (let y = 0, at = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      const light = blobs.reduce(
        (sum, blob) => sum + blob.light * Math.exp(-((blob.x - x) ** 2 + (blob.y - y) ** 2) / blob.width ** 2),
        128,
      );
      for (let channel = 0; channel < 3; channel++) pixels[at++] = Math.max(0, Math.min(255, light));
    }
  return sharp(pixels, { raw: { width: size, height: size, channels: 3 } });
}

const changes: Record<string, (image: Sharp) => Promise<Buffer>> = {
  png: (image) => image.png().toBuffer(),
  "another format": (image) => image.webp({ quality: 60 }).toBuffer(),
  "a lower quality": (image) => image.jpeg({ quality: 30 }).toBuffer(),
  "half the size": (image) =>
    image
      .resize(SIZE / 2)
      .png()
      .toBuffer(),
  "three times the size": (image) =>
    image
      .resize(3 * SIZE)
      .jpeg()
      .toBuffer(),
  "more light": (image) => image.linear(1.1, 5).png().toBuffer(),
  "a cropped edge": (image) =>
    image
      .extract({ left: 1, top: 0, width: SIZE - 2, height: SIZE - 2 })
      .png()
      .toBuffer(),
};

function setOf(files: readonly Uint8Array[], label: (i: number) => number = (i) => i % 2, name = "all"): ImageSet {
  return {
    ...fakeSet(name, { labels: files.map((_, i) => label(i)), classes: ["cat", "dog"] }),
    read: async (i) => ({ encoded: files[i] as Uint8Array }),
  };
}

async function pairsOf(files: readonly Uint8Array[]): Promise<[number, number][]> {
  const found: [number, number][] = [];
  const { looks } = await contentsOf(setOf(files));
  nearPairs(
    looks,
    () => true,
    (i, j) => found.push([i, j]),
  );
  return found;
}

describe("images nearly match", () => {
  it.each(Object.entries(changes))("with %s", async (_, change) => {
    const files = [0, 1, 2].flatMap((seed) => [picture(seed).png().toBuffer(), change(picture(seed))]);
    expect(await pairsOf(await Promise.all(files))).toEqual([
      [1, 0],
      [3, 2],
      [5, 4],
    ]);
  });

  it("unless they are others", async () => {
    expect(
      await pairsOf(
        await Promise.all(Array.from({ length: 40 }, (_, seed) => changes["png"]?.(picture(seed)) as Promise<Buffer>)),
      ),
    ).toEqual([]);
  });

  it("unless they are plain, or cannot be read", async () => {
    const plain = (light: number) =>
      sharp({ create: { width: 40, height: 40, channels: 3, background: { r: light, g: light, b: light } } })
        .png()
        .toBuffer();
    expect(
      await pairsOf([await plain(200), await plain(201), await plain(203), Buffer.from("x"), Buffer.from("y")]),
    ).toEqual([]);
  });

  it("not by their hash alone", async () => {
    const looks = (await contentsOf(setOf(await Promise.all([0, 1].map((seed) => picture(seed).png().toBuffer())))))
      .looks;
    looks.hashes.copyWithin(2, 0, 2);
    const asked: number[] = [];
    nearPairs(
      looks,
      (i, j) => asked.push(i, j) > 0,
      () => asked.push(-1),
    );
    expect(asked).toEqual([1, 0]);
  });

  it("as a search through all pairs finds them", () => {
    const random = randomAt(5);
    const looks = new Looks(300);
    const square = Array.from({ length: 32 * 32 }, () => uniform(random, 0, 255));
    for (let i = 0; i < looks.length; i++) {
      looks.put(i, square); // the thumbnails agree: hashes alone decide
      const bit = () => Math.floor(uniform(random, 0, 64));
      for (let k = 0; k < 8; k++) {
        const at = bit();
        const word = 2 * i + (at >> 5);
        looks.hashes[word] = (looks.hashes[word] as number) ^ (1 << (at & 31));
      }
    }
    const ones = (word: number) => (word >>> 0).toString(2).replaceAll("0", "").length;
    const { hashes } = looks;
    const all: string[] = [];
    for (let i = 0; i < looks.length; i++)
      for (let j = 0; j < i; j++) {
        const [a, b] = [0, 1].map((w) => ones((hashes[2 * i + w] as number) ^ (hashes[2 * j + w] as number))) as [
          number,
          number,
        ];
        if (a + b <= 8) all.push(`${i} ${j}`);
      }
    const found: string[] = [];
    nearPairs(
      looks,
      () => true,
      (i, j) => found.push(`${i} ${j}`),
    );
    expect(all.length).toBeGreaterThan(100);
    expect(found.sort()).toEqual(all.sort());
  });
});

it("large files are decoded by another library, to nearly the same", async () => {
  for (const colour of [
    [255, 255, 255],
    [255, 20, 20],
    [20, 20, 255],
  ] as [number, number, number][]) {
    const tint = { r: colour[0], g: colour[1], b: colour[2] };
    const large = await picture(1, 900).tint(tint).png({ compressionLevel: 0 }).toBuffer();
    const [a, b] = [await greySquare({ encoded: large }), greyOf(await decodeImage({ encoded: large }, 32), 32)];
    expect(a.length).toBe(32 * 32);
    expect(a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0)).toBeLessThan(4);
  }
});

describe("a cut by content", () => {
  /** Thirty pictures, each in three versions; of the last version, none has a label. */
  const versions = ["png", "a lower quality", "half the size"];
  let files: Buffer[];
  beforeAll(async () => {
    const made = Array.from({ length: 90 }, (_, i) =>
      changes[versions[Math.floor(i / 30)] as string]?.(picture(i % 30)),
    );
    files = (await Promise.all(made)) as Buffer[];
  });
  const pictures = (set: ImageSet) => new Set(ids(set).map((id) => Number(id.slice(4)) % 30));

  it("keeps them on one side, the same in pretrain and evaluate", async () => {
    const all = setOf(files, (i) => (i < 60 ? (i % 30) % 2 : -1));
    const collection: ImageCollection = { name: "photos", splits: { all } };
    const { train, test, cut, notes } = await labelledParts(collection, {});
    const { set, heldBack, notes: told } = await imagesToLearnFrom(collection);
    const tested = pictures(test);
    expect([cut, train.length + test.length, test.length]).toEqual([true, 60, 2 * tested.size]);
    expect(tested.size).toBeGreaterThan(3);
    expect([...pictures(train), ...pictures(set)].filter((one) => tested.has(one))).toEqual([]);
    expect(heldBack).toBe(3 * tested.size);
    expect(set.length).toBe(90 - heldBack);
    expect([notes, told]).toEqual(
      Array(2).fill(["60 labelled images nearly match others: each is learned or tested together with those."]),
    );
  });

  it("does not move images that have no others to hang together with", async () => {
    const testedOf = async (some: readonly Buffer[]) => {
      const { test } = await labelledParts({ name: "photos", splits: { all: setOf(some) } }, {});
      return new Set(ids(test).map((id) => some[Number(id.slice(4))]));
    };
    const before = await testedOf(files.slice(0, 20));
    const after = await testedOf(files.slice(0, 30).reverse());
    for (const file of files.slice(0, 20)) expect(after.has(file)).toBe(before.has(file));
  });

  it("is not made where the user gives the parts: evaluate counts them", async () => {
    const parts = {
      train: setOf(files.slice(0, 30), undefined, "train"),
      test: setOf(files.slice(55, 62), undefined, "test"),
    };
    const own = await labelledParts({ name: "photos", splits: parts }, {});
    expect([own.cut, own.train.length, own.test.length, own.notes]).toEqual([false, 30, 7, []]);
    const decoded = decodedParts(parts);
    const notes = await nearNotes(await decoded.open(64));
    expect(notes).toEqual([
      expect.stringMatching(/^7 of 7 test images nearly match a training image, as test#0 and train#25:/),
    ]);
    const others = decodedParts({
      ...parts,
      test: setOf(files.slice(55, 62), undefined, "test"),
      train: setOf(files.slice(3, 20)),
    });
    expect(await nearNotes(await others.open(64))).toEqual([]);
    await decoded.close();
    await others.close();
  });
});
