import { writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { openImages } from "../../src/data/open.ts";
import { sizesOf } from "../../src/data/sizes.ts";
import { scratch } from "../images.ts";

const folder = scratch();

test("sizes are counted against the network's input, and long images are told", async () => {
  const sizes = [
    [10, 10],
    [20, 24],
    [40, 40],
    [130, 40],
    [64, 300],
  ] as const;
  for (const [i, [width, height]] of sizes.entries())
    await sharp({ create: { width, height, channels: 3, background: "red" } })
      .png()
      .toFile(join(folder, `${i}.png`));
  writeFileSync(join(folder, "broken.png"), "no picture");
  const set = Object.values((await openImages(folder)).splits)[0];
  if (!set) throw new Error("no set");
  expect(await sizesOf(set, 40)).toEqual({
    ...{ looked: 5, least: 10, median: 40, most: 64 },
    ...{ smaller: 2, muchSmaller: 1, long: 2 },
  });
  expect((await sizesOf(set, 32, 2)).looked).toBe(2);
});
