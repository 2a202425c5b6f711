import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { beforeEach, describe, expect, it } from "vitest";
import type { ImageData, ImageSet } from "../../src/data/images.ts";
import { decodeSizeFor, epochOrder, openPixels, type PixelOptions } from "../../src/data/pixels.ts";
import { InterruptedError, SelfsightError, UsageError } from "../../src/errors.ts";
import { threads } from "../../src/torch/device.ts";
import fc from "../fast-check.ts";
import { scratch } from "../images.ts";

const SIZE = 4;
const BYTES = SIZE * SIZE * 3;
const folder = scratch();
let cache: string;
let reads: number;

beforeEach(() => {
  cache = join(folder, "cache");
  rmSync(cache, { recursive: true, force: true });
  reads = 0;
});

/** Image i is filled with the value i, unless `read` returns another image. */
function testSet(length: number, read: (i: number) => ImageData | undefined = () => undefined): ImageSet {
  return {
    name: "numbers",
    length,
    label: () => -1,
    id: (i) => `number ${i}`,
    group: (i) => i,
    fingerprint: `numbers ${length}`,
    async read(i) {
      reads++;
      return read(i) ?? { pixels: new Uint8Array(BYTES).fill(i), width: SIZE, height: SIZE };
    },
  };
}

const broken = (...which: number[]) =>
  testSet(60, (i) => (which.includes(i) ? { encoded: Buffer.from("no image") } : undefined));

/** The two places where images can be kept. */
const places: [string, () => PixelOptions][] = [
  ["in memory", () => ({ size: SIZE, cache })],
  ["in a file", () => ({ size: SIZE, cache, memoryLimitBytes: 0 })],
];

describe.each(places)("%s", (_, options) => {
  it("returns the given images, in that order, also repeatedly", async () => {
    const store = await openPixels(testSet(60), options());
    expect(store).toMatchObject({ length: 60, size: SIZE, skipped: [] });
    const indices = [59, 0, 7, 7, 31];
    const batch = await store.get(Int32Array.from(indices));
    expect([...batch]).toEqual(indices.flatMap((i) => new Array(BYTES).fill(i)));
    expect(await store.get([])).toHaveLength(0);
    await store.close();
    expect(reads).toBe(60);
  });

  it("leaves out images that cannot be decoded, and says which and why", async () => {
    const store = await openPixels(broken(58, 0, 30), options());
    expect(store.length).toBe(57);
    expect(store.skipped.map(({ id }) => id)).toEqual(["number 0", "number 30", "number 58"]);
    for (const { reason } of store.skipped) expect(reason).toMatch(/no image/);
    expect([...store.source]).toEqual(Array.from({ length: 60 }, (_, i) => i).filter((i) => ![0, 30, 58].includes(i)));
    const all = await store.get(store.source.map((_, k) => k));
    expect([...all].filter((_, at) => at % BYTES === 0)).toEqual([...store.source]);
    await store.close();
  });

  it("refuses a set with more than 5 % of them", async () => {
    const opened = openPixels(broken(3, 10, 11, 12, 13, 14), options());
    await expect(opened).rejects.toThrow(SelfsightError);
    await expect(opened).rejects.toThrow(/^6 of 60 images in numbers cannot be read \(more than 5 %\)/);
    await expect(opened).rejects.toThrow(/number 3: it is no image.*number 13: .*…$/s);
    await expect(opened).rejects.not.toThrow(/number 14/);
  });

  it("counts images that cannot be read from disk", async () => {
    const set = testSet(60, (i) => {
      if (i === 5) throw Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
      return undefined;
    });
    const store = await openPixels(set, options());
    expect(store.skipped).toEqual([{ id: "number 5", reason: "EACCES: permission denied" }]);
    await store.close();
  });

  it.each([60, -1, 0.5, Number.NaN])("refuses image %d of 60", async (index) => {
    const store = await openPixels(testSet(60), options());
    await expect(store.get([0, index])).rejects.toThrow(UsageError);
    await expect(store.get([0, index])).rejects.toThrow(`There is no image ${index}: the store holds 60.`);
    await store.close();
  });

  it("works on one image at a time if one thread may compute", async () => {
    const before = threads();
    let [now, most] = [0, 0];
    const counted = (set: ImageSet): ImageSet => ({
      ...set,
      async read(i) {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setTimeout(resolve, 5));
        now--;
        return set.read(i);
      },
    });
    const mostWith = async (count: number) => {
      threads(count);
      most = 0;
      await (await openPixels(counted(testSet(8 + count)), options())).close();
      return most;
    };
    try {
      expect(await mostWith(1)).toBe(1);
      expect(await mostWith(2)).toBe(availableParallelism() > 1 ? 4 : 1);
    } finally {
      threads(before);
    }
  });

  it("reports progress", async () => {
    const seen: number[] = [];
    const store = await openPixels(testSet(9), {
      ...options(),
      onProgress(done, total) {
        expect(total).toBe(9);
        seen.push(done);
      },
    });
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await store.close();
  });

  it("stops if it is interrupted or its listener fails, and leaves nothing behind", async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const interrupted = openPixels(testSet(500), { ...options(), onProgress, signal: controller.signal });
    await expect(interrupted).rejects.toThrow(InterruptedError);
    expect(reads).toBeLessThan(500);
    const failing = () => {
      throw new Error("the listener failed");
    };
    reads = 0;
    await expect(openPixels(testSet(500), { ...options(), onProgress: failing })).rejects.toThrow(
      "the listener failed",
    );
    expect(reads).toBeLessThan(500);
    expect(listCache()).toEqual([]);
  });
});

describe("the file", () => {
  const inFile = () => ({ size: SIZE, cache, memoryLimitBytes: 0 });

  it("is not kept if an image could not be read: the next time it may be", async () => {
    let locked = true;
    const set = {
      ...broken(58),
      fingerprint: "locked",
      read: async (i: number) => {
        if (i === 5 && locked) throw Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
        return broken(58).read(i);
      },
    };
    const first = await openPixels(set, inFile());
    expect(first.skipped.map(({ id }) => id)).toEqual(["number 5", "number 58"]);
    await first.close();
    locked = false;
    const second = await openPixels(set, inFile());
    expect(second.skipped.map(({ id }) => id)).toEqual(["number 58"]);
    await second.close();
  });

  it("is opened by a later run, which decodes nothing and knows what was skipped", async () => {
    const first = await openPixels(broken(7), inFile());
    await first.close();
    reads = 0;
    const second = await openPixels(broken(7), inFile());
    expect(reads).toBe(0);
    expect(second.skipped).toEqual(first.skipped);
    expect([...(await second.get([0, 7, 58]))].filter((_, at) => at % BYTES === 0)).toEqual([0, 8, 59]);
    await second.close();
    expect(readFileSync(join(cache, packed())).length).toBe(60 * BYTES);
  });

  it("belongs to one set and one size", async () => {
    const files = async (set: ImageSet, size: number) => {
      await (await openPixels(set, { ...inFile(), size })).close();
      return listCache().length / 2;
    };
    expect(await files(testSet(60), SIZE)).toBe(1);
    expect(await files(testSet(60), SIZE + 1)).toBe(2);
    expect(await files({ ...testSet(60), fingerprint: "other" }, SIZE)).toBe(3);
    expect(await files(testSet(60), SIZE)).toBe(3);
  });

  it.each<[string, () => void]>([
    ["the list of a run that was killed while writing it", () => truncateSync(join(cache, `${packed()}.json`), 1)],
    ["no list", () => rmSync(join(cache, `${packed()}.json`))],
    ["half of the images", () => truncateSync(join(cache, packed()), 30 * BYTES)],
    ["no images", () => rmSync(join(cache, packed()))],
  ])("is rewritten if there is %s", async (_, damage) => {
    await (await openPixels(broken(7), inFile())).close();
    damage();
    reads = 0;
    const store = await openPixels(broken(7), inFile());
    expect(reads).toBe(60);
    expect([...(await store.get([58]))]).toEqual(new Array(BYTES).fill(59));
    await store.close();
  });

  it("gives an error, not zeros, if it becomes shorter while it is in use", async () => {
    const store = await openPixels(testSet(60), inFile());
    truncateSync(join(cache, packed()), 30 * BYTES + 5);
    expect([...(await store.get([29]))]).toEqual(new Array(BYTES).fill(29));
    for (const index of [30, 59]) await expect(store.get([index])).rejects.toThrow("became shorter");
    await store.close();
  });

  it("on a full disk: says what it needs, and leaves nothing", async ({ skip }) => {
    mkdirSync(cache);
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", cache]).status !== 0)
      skip("cannot mount a small disk here");
    try {
      const opened = openPixels(testSet(4000), inFile());
      await expect(opened).rejects.toThrow(SelfsightError);
      await expect(opened).rejects.toThrow(/No room in the cache: .* needs 0\.2 MB\..* SELFSIGHT_CACHE/);
      expect(listCache()).toEqual([]);
    } finally {
      spawnSync("umount", [cache]);
    }
  });

  const packed = () => listCache().find((name) => name.endsWith(".rgb")) as string;
});

function listCache(): string[] {
  try {
    return readdirSync(cache);
  } catch {
    return [];
  }
}

describe("the size to decode to", () => {
  const sized = (...sides: [number, number][]) =>
    testSet(sides.length, (i) => {
      const [width, height] = sides[i] as [number, number];
      return { pixels: new Uint8Array(0), width, height };
    });

  it("is twice the input, but not more than the images have, nor less than the input", async () => {
    expect(await decodeSizeFor(sized([500, 400]), 64)).toBe(128);
    expect(await decodeSizeFor(sized([500, 100]), 64)).toBe(100);
    expect(await decodeSizeFor(sized([32, 32]), 64)).toBe(64);
  });

  it("uses the median of the short sides, ignoring unreadable images", async () => {
    expect(await decodeSizeFor(sized([70, 400], [90, 90], [400, 80]), 64)).toBe(80);
    const png = await sharp({ create: { width: 100, height: 90, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const files = testSet(5, (i) => ({ encoded: i % 2 ? Buffer.from("no image") : png }));
    expect(await decodeSizeFor(files, 64)).toBe(90);
    expect(
      await decodeSizeFor(
        testSet(3, () => ({ encoded: Buffer.alloc(0) })),
        64,
      ),
    ).toBe(64);
  });

  it("looks at only 32 of many images", async () => {
    await decodeSizeFor(testSet(100_000), 64);
    expect(reads).toBe(32);
  });
});

describe("the order of an epoch", () => {
  it("holds every image once, and depends only on seed and epoch", () => {
    fc.assert(
      fc.property(fc.nat(300), fc.integer(), fc.nat(1000), (length, seed, epoch) => {
        const order = epochOrder(length, seed, epoch);
        expect(order).toBeInstanceOf(Int32Array);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, i) => i));
        expect(epochOrder(length, seed, epoch)).toEqual(order);
      }),
    );
  });

  it("differs for another epoch or seed", () => {
    const few = Array.from({ length: 20 }, (_, k) => k);
    const orders = few.flatMap((seed) => few.map((epoch) => String(epochOrder(50, seed, epoch))));
    expect(new Set(orders).size).toBe(400);
  });
});
