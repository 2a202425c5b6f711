/** Weights from elsewhere, measured beside runs. */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { evaluate } from "../../src/evaluate/evaluate.ts";
import type { EvaluateOptions } from "../../src/evaluate/options.ts";
import { verdict } from "../../src/report/verdict.ts";
import { runFiles } from "../../src/run/folder.ts";
import { memory } from "../../src/torch/scope.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const [run, other] = [join(folder, "run"), join(folder, "other")];
const elsewhere = join(folder, "elsewhere", "weights.safetensors");
const quick = { runs: [run], images, protocol: ["knn"], labelsPerClass: [2], draws: 2 } satisfies EvaluateOptions;

expectNoLeak();

beforeAll(async () => {
  await makePictures(join(images, "train"), { count: 8, classes: ["blue", "green", "red"] });
  await makePictures(join(images, "test"), { count: 4, classes: ["blue", "green", "red"], seed: 1 });
  await pretrain({ ...smallRun, images, epochs: 0.5, out: run });
  await pretrain({ ...smallRun, images, epochs: 0.5, seed: 1, out: other });
  mkdirSync(join(folder, "elsewhere"));
  cpSync(runFiles(other).encoder, elsewhere);
});

test("are measured like the run that they come from, with pixels as baseline, and what they saw is unknown", async () => {
  const alone = await evaluate({ ...quick, runs: [run, other] });
  const { rows, differences, notes } = await evaluate({ ...quick, weights: [`theirs:resnet10=${elsewhere}`] });
  const valuesOf = (found: typeof rows, encoder: string) =>
    found.filter((row) => row.encoder === encoder).map(({ layer, protocol, value }) => ({ layer, protocol, value }));
  expect(valuesOf(rows, "theirs")).toEqual(valuesOf(alone.rows, "other"));
  expect(valuesOf(rows, "theirs").length).toBeGreaterThan(0);
  const own = differences.filter(({ encoder }) => encoder === "theirs");
  expect(new Set(own.map(({ baseline }) => baseline))).toContain("pixels 32×32");
  expect(rows.find(({ encoder }) => encoder === "theirs")?.kind).toBe("weights");
  for (const one of own) expect(verdict(one)).toContain("which test images pre-training saw is not known");
  expect(notes).toContainEqual(expect.stringMatching(/^theirs has the weights of .*nobody knows whether it learned/));
});

test("from a run's folder have seen what the run has seen, and two files of one model get two names", async () => {
  const weights = [`resnet10=${runFiles(other).encoder}`, `resnet10=${elsewhere}`];
  await expect(evaluate({ ...quick, weights })).rejects.toThrow(/holds the same weights as resnet10.*Name each once/);
  const { differences, notes } = await evaluate({ ...quick, weights: weights.slice(0, 1), weightsSize: 24 });
  expect(notes).toEqual([]);
  expect(differences.find(({ encoder }) => encoder === "resnet10")?.seen).toBe(0);
});

test.each([
  ["without a file", { weights: ["resnet10"] }, /--weights: expected MODEL=FILE or LABEL:MODEL=FILE.*got "resnet10"/],
  ["of an unknown model", { weights: [`resnet11=${elsewhere}`] }, /Unknown model "resnet11".*Did you mean "resnet1/],
  ["of another model", { weights: [`resnet18=${elsewhere}`] }, /does not fit resnet18: it lacks/],
  [
    "that cannot take the images",
    { weights: [`resnet10=${elsewhere}`], weightsSize: 4 },
    /8 pixels at least; --weights-size is 4/,
  ],
  ["of a size alone", { weightsSize: 32 }, /--weights-size has no effect without --weights/],
] as const)("%s are refused before anything is measured", async (_, wrong, message) => {
  const before = memory().tensors;
  await expect(evaluate({ ...quick, ...wrong } as EvaluateOptions)).rejects.toThrow(message);
  expect(memory().tensors).toBe(before);
});
