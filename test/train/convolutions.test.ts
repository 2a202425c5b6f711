/** What a run remembers of how its convolutions are computed. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { InterruptedError } from "../../src/errors.ts";
import { runFiles } from "../../src/run/folder.ts";
import { WAYS, type Ways } from "../../src/torch/nn/convolution.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun, stopAt, tensorsOf } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const cache = join(folder, "cache");
const cacheFile = join(cache, "convolutions.jsonl");
const options = { ...smallRun, images, epochs: 2 };
const before = process.env["SELFSIGHT_CACHE"];

expectNoLeak();
beforeAll(async () => {
  process.env["SELFSIGHT_CACHE"] = cache;
  await makePictures(images, { count: 40 });
});
afterAll(() => {
  if (before === undefined) delete process.env["SELFSIGHT_CACHE"];
  else process.env["SELFSIGHT_CACHE"] = before;
});

const weights = (run: string) => JSON.stringify([...tensorsOf(run)]);

const choices = (run: string): Record<string, Ways> => JSON.parse(readFileSync(runFiles(run).convolutions, "utf8"));

/** The cache with the same choice for all convolutions of 3×3 kernels with stride 1 behind the first. */
function changed(lines: string, ways: Ways): string {
  const change = (line: { key: string; ways: Ways }) =>
    JSON.stringify({ ...line, ways: line.key.endsWith("3×3 s1 p1 g1") ? ways : line.ways });
  return lines
    .trim()
    .split("\n")
    .map((line) => `${change(JSON.parse(line))}\n`)
    .join("");
}

test("a run computes as it began when it is resumed, whatever the cache says by then", async () => {
  const [first, other, cut] = ["first", "other", "cut"].map((name) => join(folder, name)) as [string, string, string];
  await pretrain({ ...options, out: first });
  const measured = readFileSync(cacheFile, "utf8");
  expect(Object.keys(choices(first)).length).toBeGreaterThan(8);
  const lines = measured
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(Object.fromEntries(lines.map(({ key, ways }) => [key, ways]))).toEqual(choices(first));

  writeFileSync(cacheFile, changed(measured, ["winograd-small", "winograd-large", "winograd-small"]));
  await pretrain({ ...options, out: other });
  await expect(pretrain({ ...options, out: cut }, stopAt(4))).rejects.toThrow(InterruptedError);
  writeFileSync(cacheFile, changed(measured, ["library", "library", "library"]));
  await pretrain({ ...options, out: cut, resume: true });
  expect(weights(cut)).toBe(weights(other));

  const plain = join(folder, "plain");
  await pretrain({ ...options, out: plain });
  expect(weights(plain)).not.toBe(weights(other)); // so the comparison above can fail
});

test("two runs at the same time in one process each keep the choices of their own convolutions", async () => {
  const [alone, beside, another] = ["alone", "beside", "another"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await pretrain({ ...options, epochs: 1, out: alone });
  const other = { ...options, model: "vgg11", imageSize: 32, batchSize: 4, stem: undefined, out: another };
  await Promise.all([pretrain({ ...options, epochs: 1, out: beside }), pretrain(other)]);
  expect(choices(beside)).toEqual(choices(alone));
  expect(Object.keys(choices(another)).length).toBeGreaterThan(4);
  expect(Object.keys(choices(another)).filter((key) => key in choices(alone))).toEqual([]);
});

test("damaged lines of the cache are measured anew; a run's own damaged choices are an error with the remedy", async () => {
  mkdirSync(cache, { recursive: true });
  const measured = readFileSync(cacheFile, "utf8");
  const [line = ""] = measured.split("\n");
  const bent = JSON.stringify({ ...JSON.parse(line), ways: ["bent", "library", "library"] });
  writeFileSync(cacheFile, `${bent}\n{"machine":`);
  const out = join(folder, "damaged");
  await expect(pretrain({ ...options, out }, stopAt(1))).rejects.toThrow(InterruptedError);
  const ways = choices(out)[JSON.parse(line).key] as Ways;
  expect(ways.every((way) => WAYS.includes(way))).toBe(true);
  writeFileSync(runFiles(out).convolutions, "[");
  await expect(pretrain({ ...options, out, resume: true })).rejects.toThrow(
    /convolutions\.json is damaged\. Delete it/,
  );
});

test("deterministic measures nothing", async () => {
  const out = join(folder, "deterministic");
  await pretrain({ ...options, epochs: 1, out, deterministic: true });
  expect(existsSync(runFiles(out).convolutions)).toBe(false);
});
