/** What tells runs of one recipe from others. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { type Representation, representationsOf } from "../../src/evaluate/representations.ts";
import { runFiles } from "../../src/run/folder.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";

const folder = scratch();
const run = join(folder, "run");

expectNoLeak();

beforeAll(async () => {
  const images = await makePictures(join(folder, "pictures"), { count: 8 });
  await pretrain({ ...smallRun, images, epochs: 1, out: run });
});

/** The recipe of a copy of the run with these settings. */
function recipeWith(name: string, settings: object): string | undefined {
  const copy = join(folder, name);
  cpSync(run, copy, { recursive: true });
  const { config } = runFiles(copy);
  writeFileSync(config, stringify({ ...parse(readFileSync(config, "utf8")), ...settings }));
  return (representationsOf(copy, [])[0] as Representation).recipe;
}

test("a recipe does not depend on the seed, the folder, the device, or what only paces the work", () => {
  const { recipe } = representationsOf(run, [])[0] as Representation;
  expect(recipe).toContain("rotation");
  const paces = { saveMinutes: 9, keepCheckpoints: 4, threads: 1, resume: true };
  const same = { seed: 7, out: "elsewhere", device: "cuda:1", ...paces };
  for (const [name, value] of Object.entries(same)) expect(recipeWith(name, { [name]: value }), name).toBe(recipe);
  expect(recipeWith("precision", { precision: "bf16" })).not.toBe(recipe);
  expect(recipeWith("rate", { learningRate: 0.5 })).not.toBe(recipe);
});
