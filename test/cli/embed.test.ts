/** `selfsight embed` as a user sees it. */
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
  await makePictures(images, { count: 12, classes: ["one", "two"] });
  await pretrain({ ...smallRun, images, epochs: 1, out: run });
});

test("prints the files, and what is in them", async () => {
  const out = join(folder, "features.npy");
  const { code, stdout, stderr } = await selfsight(["embed", run, images, "--out", out, "--layer", "layer1"]);
  expect([code, stdout]).toEqual([0, `${out}\n${join(folder, "features.csv")}\n`]);
  expect(stderr).toMatch(/^24 images, \d+ features each$/m);
  expect(existsSync(out)).toBe(true);
});

test("says by flag what is wrong", async () => {
  const missing = await selfsight(["embed", run, images]);
  expect([missing.code, missing.stderr]).toEqual([
    2,
    expect.stringMatching(/^embed needs --out, .*--out features\.parquet$/m),
  ]);
  const wrong = await selfsight(["embed", run, images, "--out", "features.txt"]);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/--out to end in \.parquet or \.npy/)]);
});
