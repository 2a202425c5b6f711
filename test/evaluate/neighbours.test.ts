import { cpSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { selectSplits } from "../../src/data/images.ts";
import { openImages } from "../../src/data/open.ts";
import { neighbourSheet } from "../../src/evaluate/neighbours.ts";
import { threads } from "../../src/torch/device.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";

const folder = scratch();

expectNoLeak();

/** The colour of each image in a sheet, row by row. */
async function coloursOf(sheet: Uint8Array, rows: number, columns: number): Promise<number[][][]> {
  const { data, info } = await sharp(sheet).raw().toBuffer({ resolveWithObject: true });
  const [width, height] = [info.width / columns, info.height / rows];
  const at = (x: number, y: number) => [
    ...data.subarray((Math.round(y) * info.width + Math.round(x)) * info.channels).subarray(0, 3),
  ];
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => at((column + 0.5) * width, (row + 0.35) * height)),
  );
}

test("each row shows an image and similar ones, without copies of the same file", async () => {
  const images = join(folder, "pictures");
  await makePictures(images, { count: 8, classes: ["red", "green", "blue"] });
  cpSync(join(images, "red", "0000.png"), join(images, "red", "copy.png"));
  const run = join(folder, "run");
  await pretrain({ ...smallRun, images, split: "all", epochs: 1, out: run });
  const set = selectSplits(await openImages(images), "all");
  threads(1);
  const compute = { device: "cpu", precision: "f32" } as const;
  const sheet = await neighbourSheet(run, set, { rows: 3, count: 3, compute });
  expect(threads(), "the caller's threads").toBe(1);
  const rows = await coloursOf(sheet, 3, 4);
  const strongest = (colour: number[]) => colour.indexOf(Math.max(...colour));
  const alike = rows.map(
    ([first = [], ...others]) => others.filter((one) => strongest(one) === strongest(first)).length,
  );
  expect(Math.min(...alike)).toBeGreaterThanOrEqual(2);
  expect(new Set(rows.map(([first = []]) => strongest(first))).size).toBe(3);

  const few = join(folder, "few");
  await makePictures(few, { count: 3 });
  for (let i = 0; i < 3; i++) cpSync(join(few, `000${i}.png`), join(few, `copy${i}.png`));
  const { width } = await sharp(await neighbourSheet(run, selectSplits(await openImages(few), "all"))).metadata();
  expect(width).toBe(3 * (112 + 12) + 4); // the image and the two others, not its own copy
});
