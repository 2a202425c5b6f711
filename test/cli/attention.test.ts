/** `selfsight attention` as a user sees it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { smallRun } from "../small-run.ts";
import { selfsight } from "./run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const run = join(folder, "run");

beforeAll(async () => {
  await makePictures(images, { count: 8 });
  await pretrain({ ...smallRun, images, epochs: 1, out: run });
});

test("prints the picture and the page", async () => {
  const out = join(folder, "looks.png");
  const words = ["attention", run, images, "--out", out, "--layers", "layer1,layer2", "--count", "2", "--power", "2"];
  const { code, stdout } = await selfsight([...words, "--threads", "1"]);
  const [said, ...files] = stdout.trimEnd().split("\n");
  expect([code, files]).toEqual([0, [out, join(folder, "looks.html")]]);
  expect(said).toMatch(/^Maps of run spread over \d.* of the image, those of run, untrained .*8 images\)\.$/);
  expect([out, join(folder, "looks.html")].map((file) => existsSync(file))).toEqual([true, true]);
});

test("says by flag what is wrong", async () => {
  const none = await selfsight(["attention", run, images, "--count", "0"]);
  expect([none.code, none.stderr]).toEqual([2, "--count: expected a whole number from 1 to 64; got 0\n"]);
  const alone = await selfsight(["attention", run]);
  expect([alone.code, alone.stderr]).toEqual([
    2,
    expect.stringMatching(/^Expected one run folder or more, and then the images/),
  ]);
  const unkept = await selfsight(["attention", run, images, "--checkpoints"]);
  expect([unkept.code, unkept.stderr]).toEqual([
    2,
    expect.stringMatching(/kept no encoders.*pretrain --keep-checkpoints 8/),
  ]);
});
