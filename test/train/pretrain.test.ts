/** A run as a whole: what it leaves behind, and that interruptions lose nothing. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { InterruptedError, SelfsightError, UsageError } from "../../src/errors.ts";
import { openSafetensors } from "../../src/torch/safetensors.ts";
import { memory } from "../../src/torch/scope.ts";
import { readMetrics } from "../../src/train/log.ts";
import type { PretrainOptions } from "../../src/train/options.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { loadEncoder, runFiles } from "../../src/train/run.ts";
import { selfsight } from "../cli/run.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";

const folder = scratch();
const images = join(folder, "pictures");
/** fp32 on the CPU: bit for bit the same every time. */
const small: Omit<PretrainOptions, "out"> = {
  images,
  model: "resnet10",
  width: 0.125,
  stem: "cifar",
  imageSize: 16,
  batchSize: 8,
  epochs: 4,
  precision: "f32",
  device: "cpu",
  threads: 2,
};
const flags = Object.entries(small).flatMap(([name, value]) =>
  name === "images" ? [] : [`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, String(value)],
);

expectNoLeak();
beforeAll(() => makePictures(images, { count: 40 }));

function weights(run: string): Map<string, string> {
  const file = openSafetensors(runFiles(run).encoder);
  const bytes = new Map(
    [...file.entries.keys()].map((name) => [name, Buffer.from(file.read(name)).toString("base64")]),
  );
  file.close();
  return bytes;
}

describe("a run", () => {
  const out = join(folder, "whole");

  test("leaves its configuration, measures, checkpoint, samples and encoder, and no tensors", async () => {
    const before = memory().tensors;
    const seen: number[] = [];
    const result = await pretrain({ ...small, out }, { onStep: ({ step }) => seen.push(step) });
    expect(memory().tensors).toBe(before);
    expect(result.steps).toBe(20);
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    for (const file of Object.values(runFiles(out)).filter((path) => !path.endsWith("skipped.json")))
      expect(existsSync(file), file).toBe(true);
    const records = readMetrics(join(out, "metrics.jsonl"));
    expect(records).toHaveLength(20);
    expect(records.at(-1)).toMatchObject({ step: 20, images: 160, epoch: 3 });
    expect(JSON.parse(readFileSync(runFiles(out).status, "utf8"))).toMatchObject({ state: "done", step: 20 });
    const { encoder, config } = loadEncoder(out);
    expect(config.imageSize).toBe(16);
    encoder.dispose();
  });

  test("learns: the loss ends below chance", () => {
    const losses = readMetrics(join(out, "metrics.jsonl")).map((record) => record["loss"] ?? 0);
    const mean = (part: number[]) => part.reduce((a, b) => a + b, 0) / part.length;
    expect(mean(losses.slice(-5))).toBeLessThan(Math.log(4) * 0.9);
  });

  test("is the same again, weight for weight", async () => {
    await pretrain({ ...small, out: join(folder, "again") });
    expect(weights(join(folder, "again"))).toEqual(weights(out));
  });

  test("is never overwritten", async () => {
    await expect(pretrain({ ...small, out })).rejects.toThrow(/exists and is never overwritten.*--resume.*--out/);
    await expect(pretrain({ ...small, out })).rejects.toThrow(UsageError);
  });

  test("that is finished can go on with more epochs", async () => {
    await expect(pretrain({ ...small, out, resume: true })).rejects.toThrow(/finished already/);
  });

  test.each([
    ["interrupted by a signal", 7],
    ["interrupted at the first step", 1],
  ])("%s and resumed ends as if nothing had happened", async (name, at) => {
    const cut = join(folder, name);
    const controller = new AbortController();
    const stop = {
      signal: controller.signal,
      onStep: ({ step }: { step: number }) => step === at && controller.abort(),
    };
    await expect(pretrain({ ...small, out: cut }, stop as never)).rejects.toThrow(InterruptedError);
    expect(JSON.parse(readFileSync(runFiles(cut).status, "utf8"))).toMatchObject({ state: "interrupted", step: at });
    await pretrain({ ...small, out: cut, resume: true });
    expect(weights(cut)).toEqual(weights(out));
    expect(readMetrics(join(cut, "metrics.jsonl")).map((record) => record["step"])).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  });

  test("killed with -9 at a random step and resumed has bit-identical weights", async () => {
    const dead = join(folder, "dead");
    // A checkpoint every step, so that the kill falls on one being written as likely as not.
    const child = await killAfterCheckpoint(["pretrain", images, ...flags, "--out", dead, "--save-minutes", "0"], dead);
    expect(child.signal).toBe("SIGKILL");
    const step = Number(openAndClose(runFiles(dead).checkpoint)["step"]);
    expect(step).toBeGreaterThan(0);
    expect(step).toBeLessThan(20);
    const resumed = await selfsight(["pretrain", images, ...flags, "--out", dead, "--save-minutes", "0", "--resume"]);
    expect(resumed.stderr).toContain("Done: 20 steps");
    expect(weights(dead)).toEqual(weights(out));
  });
});

function openAndClose(file: string): Readonly<Record<string, string>> {
  const { metadata, close } = openSafetensors(file);
  close();
  return metadata;
}

/** Kills the run a random moment after its folder holds a checkpoint. */
function killAfterCheckpoint(words: string[], run: string) {
  let killAt = Number.POSITIVE_INFINITY;
  return selfsight(words, {
    watch(child) {
      if (killAt === Number.POSITIVE_INFINITY && existsSync(runFiles(run).checkpoint))
        killAt = Date.now() + 150 * Math.random();
      if (Date.now() >= killAt) child.kill("SIGKILL");
    },
  });
}

describe("what cannot be", () => {
  const out = () => join(folder, `never-${Math.random()}`);
  test.each<[string, object, RegExp]>([
    ["an unknown task", { task: "rotatoin" }, /Unknown task "rotatoin".*Did you mean "rotation"/],
    ["an unknown model", { model: "resnet81" }, /Unknown model "resnet81".*Did you mean "resnet/],
    ["an unknown option", { batchsize: 4 }, /unknown option "batchsize".*Did you mean "batchSize"/],
    [
      "an unknown option of the task",
      { taskOptions: { angels: 4 } },
      /unknown option of rotation "angels".*Did you mean "angles"/,
    ],
    ["an image size the network cannot take", { imageSize: 8, stem: "imagenet" }, /needs images of 32 pixels at least/],
    ["a batch larger than the set", { batchSize: 41 }, /batch of 41 is more than the 40 images.*--batch-size 40/],
    ["both epochs and minutes", { minutes: 1 }, /either epochs or minutes/],
    ["a device that is not here", { device: "cuda:99" }, /No CUDA device|Unknown device/],
    ["a stem the network has not", { model: "nin4", stem: "imagenet" }, /nin4 has no stem "imagenet"/],
    ["a split that is not there", { split: "tran" }, /Unknown split/],
    ["a folder that is not there", { images: join(folder, "nowhere") }, /no file or folder/],
  ])("%s is refused with the remedy, before anything is written", async (_, wrong, message) => {
    const options = { ...small, out: out(), ...wrong } as PretrainOptions;
    await expect(pretrain(options)).rejects.toThrow(message);
    await expect(pretrain(options)).rejects.toThrow(UsageError);
    expect(existsSync(options.out as string)).toBe(false);
  });

  test("a loss that is not finite stops the run, naming step and learning rate", async () => {
    await expect(pretrain({ ...small, learningRate: 1e30, warmup: 0, out: out() })).rejects.toThrow(
      /The loss is (NaN|Infinity|-Infinity) at step \d+, learning rate/,
    );
  });

  test("a signal stops the decoding, before anything is written", async () => {
    const run = out();
    const stopped = pretrain({ ...small, out: run }, { signal: AbortSignal.abort() });
    await expect(stopped).rejects.toThrow(/Interrupted while the images were decoded/);
    expect(existsSync(run)).toBe(false);
  });

  test("a checkpoint cut short, or of another network, is refused and left alone", async () => {
    const run = join(folder, "broken");
    const controller = new AbortController();
    const stopAtOnce = { signal: controller.signal, onStart: () => controller.abort() };
    await expect(pretrain({ ...small, out: run }, stopAtOnce)).rejects.toThrow(InterruptedError);
    await expect(pretrain({ ...small, width: 0.25, out: run, resume: true })).rejects.toThrow(
      /cannot be resumed with other settings: width was 0.125, is 0.25/,
    );
    const { checkpoint } = runFiles(run);
    const bytes = readFileSync(checkpoint);
    writeFileSync(checkpoint, bytes.subarray(0, bytes.length - 100));
    await expect(pretrain({ ...small, out: run, resume: true })).rejects.toThrow(SelfsightError);
    await expect(pretrain({ ...small, out: run, resume: true })).rejects.toThrow(/not a sound safetensors file/);
    expect(readFileSync(checkpoint).length).toBe(bytes.length - 100);
  });
});
