/** Encoders kept over a run. */
import { copyFileSync, cpSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { SelfsightError } from "../../src/errors.ts";
import { loadEncoder, runFiles } from "../../src/run/folder.ts";
import { keptEncoders } from "../../src/run/kept.ts";
import { openSafetensors } from "../../src/torch/safetensors.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun, stopAt, tensorsOf } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
/** 20 steps. */
const small = { ...smallRun, images, epochs: 4, keepCheckpoints: 4 };
const whole = join(folder, "whole");

expectNoLeak();
beforeAll(async () => {
  await makePictures(images, { count: 40 });
  await pretrain({ ...small, out: whole });
});

/** Step of each kept encoder, by the percentage in its name. */
function stepsOf(run: string): Record<number, number> {
  return Object.fromEntries(
    keptEncoders(run).map(({ percent, file }) => {
      const { metadata, close } = openSafetensors(file);
      close();
      return [percent, Number(metadata["step"])];
    }),
  );
}

test("are equally far apart, hold weights alone, and the last is the run's", () => {
  expect(keptEncoders(whole).map(({ file }) => basename(file))).toEqual(
    [25, 50, 75, 100].map((percent) => `encoder-${percent}.safetensors`),
  );
  expect(stepsOf(whole)).toEqual({ 25: 5, 50: 10, 75: 15, 100: 20 });
  const tensors = tensorsOf(whole);
  const [first = "", last = ""] = [0, 3].map((i) => keptEncoders(whole)[i]?.file);
  expect(tensorsIn(last)).toEqual(tensors);
  expect([...tensorsIn(first).keys()]).toEqual([...tensors.keys()]);
  expect(tensorsIn(first)).not.toEqual(tensors);
  loadEncoder(whole, first).encoder.dispose();
});

function tensorsIn(file: string): Map<string, string> {
  const source = openSafetensors(file);
  const found = new Map(
    [...source.entries.keys()].map((name) => [name, Buffer.from(source.read(name)).toString("base64")]),
  );
  source.close();
  return found;
}

test("none are kept unless requested", async () => {
  const out = join(folder, "none");
  await pretrain({ ...small, keepCheckpoints: 0, epochs: 1, out });
  expect([keptEncoders(out), keptEncoders(join(folder, "nowhere"))]).toEqual([[], []]);
});

test("none is lost to rounding: 1/49 of 49 steps is one", async () => {
  const out = join(folder, "many");
  await pretrain({ ...small, keepCheckpoints: 49, epochs: 49 / 5, out });
  expect(Object.values(stepsOf(out))).toEqual(Array.from({ length: 49 }, (_, i) => i + 1));
});

test("a run of fewer steps keeps one a step", async () => {
  const out = join(folder, "short");
  await pretrain({ ...small, keepCheckpoints: 8, epochs: 0.6, out });
  expect(stepsOf(out)).toEqual({ 25: 1, 63: 2, 100: 3 });
});

test("a resumed run keeps what one that was not interrupted keeps", async () => {
  const out = join(folder, "resumed");
  await expect(pretrain({ ...small, out }, stopAt(7))).rejects.toThrow(/Interrupted/);
  expect(stepsOf(out)).toEqual({ 25: 5 });
  copyFileSync(keptEncoders(whole)[1]?.file as string, join(runFiles(out).checkpoints, "encoder-50.safetensors"));
  await expect(pretrain({ ...small, out, resume: true }, stopAt(9))).rejects.toThrow(/Interrupted/);
  expect(stepsOf(out)).toEqual({ 25: 5 }); // the one from after its checkpoint is gone
  await pretrain({ ...small, out, resume: true });
  expect(keptEncoders(out).map(({ file }) => tensorsIn(file))).toEqual(
    keptEncoders(whole).map(({ file }) => tensorsIn(file)),
  );
});

test("a run that goes on for longer moves them to their place in it", async () => {
  const out = join(folder, "longer");
  cpSync(whole, out, { recursive: true });
  await pretrain({ ...small, epochs: 8, out, resume: true });
  expect(stepsOf(out)).toEqual({ 25: 10, 50: 20, 75: 30, 100: 40 });
});

test("one of another network is refused", () => {
  copyFileSync(runFiles(whole).checkpoint, join(runFiles(whole).checkpoints, "encoder-99.safetensors"));
  const damaged = keptEncoders(whole).find(({ percent }) => percent === 99)?.file;
  expect(() => loadEncoder(whole, damaged)).toThrow(SelfsightError);
});
