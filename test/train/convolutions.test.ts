/** What a run remembers of how its convolutions are computed. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { InterruptedError } from "../../src/errors.ts";
import type { RunEvent } from "../../src/run/events.ts";
import { runFiles } from "../../src/run/folder.ts";
import type { Ways } from "../../src/torch/nn/convolution.ts";
import { openSafetensors } from "../../src/torch/safetensors.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const cache = join(folder, "cache");
const cacheFile = join(cache, "convolutions.json");
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

function weights(run: string): string {
  const file = openSafetensors(runFiles(run).encoder);
  const all = [...file.entries.keys()].map((name) => Buffer.from(file.read(name)).toString("base64"));
  file.close();
  return all.join();
}

const choices = (file: string) => JSON.parse(readFileSync(file, "utf8"));

/** The same choices for all convolutions of 3×3 kernels with stride 1 behind the first. */
function changed(all: Record<string, Record<string, Ways>>, ways: Ways) {
  const change = (own: Record<string, Ways>) =>
    Object.entries(own).map(([key, found]) => [key, key.endsWith("3×3 s1 p1 g1") ? ways : found]);
  return Object.fromEntries(Object.entries(all).map(([machine, own]) => [machine, Object.fromEntries(change(own))]));
}

test("a run computes as it began when it is resumed, whatever the cache says by then", async () => {
  const [first, other, cut] = ["first", "other", "cut"].map((name) => join(folder, name)) as [string, string, string];
  await pretrain({ ...options, out: first });
  const measured = choices(cacheFile);
  const keys = Object.keys(choices(runFiles(first).convolutions));
  expect(keys.length).toBeGreaterThan(8);
  expect(Object.values(measured)).toEqual([choices(runFiles(first).convolutions)]);

  const library = JSON.stringify(changed(measured, ["library", "library", "library"]));
  writeFileSync(cacheFile, JSON.stringify(changed(measured, ["winograd-small", "winograd-large", "winograd-small"])));
  await pretrain({ ...options, out: other });
  const controller = new AbortController();
  const stop = {
    signal: controller.signal,
    onEvent: (event: RunEvent) => event.type === "step" && event.record.step === 4 && controller.abort(),
  };
  await expect(pretrain({ ...options, out: cut }, stop)).rejects.toThrow(InterruptedError);
  writeFileSync(cacheFile, library);
  await pretrain({ ...options, out: cut, resume: true });
  expect(weights(cut)).toBe(weights(other));

  const plain = join(folder, "plain");
  await pretrain({ ...options, out: plain });
  expect(weights(plain)).not.toBe(weights(other)); // so the comparison above can fail
});

test("a damaged cache is measured anew; a run's own damaged choices are an error with the remedy", async () => {
  mkdirSync(cache, { recursive: true });
  writeFileSync(cacheFile, '{"machine":{"key":["bent","library","library"]}}');
  const out = join(folder, "damaged");
  const controller = new AbortController();
  const stop = { signal: controller.signal, onEvent: (event: RunEvent) => event.type === "step" && controller.abort() };
  await expect(pretrain({ ...options, out }, stop)).rejects.toThrow(InterruptedError);
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
