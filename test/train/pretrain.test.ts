/** A whole run: what it leaves behind, and that interruptions lose nothing. */
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { InterruptedError, SelfsightError, TakenOverError, UsageError } from "../../src/errors.ts";
import type { RunEvent } from "../../src/run/events.ts";
import { loadEncoder, readConfig, resumedOptions, runFiles } from "../../src/run/folder.ts";
import { readMetrics } from "../../src/run/log.ts";
import type { PretrainOptions } from "../../src/run/options.ts";
import { cosine, warmUp } from "../../src/torch/optim/schedule.ts";
import { openSafetensors } from "../../src/torch/safetensors.ts";
import { memory } from "../../src/torch/scope.ts";
import { firstEncoder, prepareTraining } from "../../src/train/prepare.ts";
import { pretrain, resolveOptions } from "../../src/train/pretrain.ts";
import { selfsight } from "../cli/run.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { memoryStore } from "../memory-store.ts";
import { asFlags, smallDisk, smallRun, stopAt, tensorsOf } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const small = { ...smallRun, images, epochs: 4 };
const flags = asFlags({ ...smallRun, epochs: 4 });

expectNoLeak();
beforeAll(() => makePictures(images, { count: 40 }));

describe("a run", () => {
  const out = join(folder, "whole");

  test("leaves its configuration, metrics, checkpoint, samples and encoder, and no tensors", async () => {
    const before = memory().tensors;
    const seen: number[] = [];
    const result = await pretrain(
      { ...small, out },
      { onEvent: (event) => event.type === "step" && seen.push(event.record.step) },
    );
    expect(memory().tensors).toBe(before);
    expect(result.steps).toBe(20);
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    for (const file of Object.values(runFiles(out)).filter(
      (path) => !/skipped\.json|initial\.safetensors|evals$/.test(path),
    ))
      expect(existsSync(file), file).toBe(true);
    const records = readMetrics(join(out, "metrics.jsonl"));
    expect(records).toHaveLength(20);
    expect(records.at(-1)).toMatchObject({ step: 20, images: 160, epoch: 3 });
    expect(JSON.parse(readFileSync(runFiles(out).status, "utf8"))).toMatchObject({ state: "done", step: 20 });
    const { encoder, config } = loadEncoder(out);
    expect(config.imageSize).toBe(16);
    const { learningRate = 0, warmup = 0 } = config;
    const rate = (step: number) => learningRate * warmUp(warmup, cosine)(step / 20);
    for (const [step, record] of records.entries()) expect(record["learningRate"]).toBeCloseTo(rate(step), 12);
    encoder.dispose();
  });

  test("learns: the loss ends below chance", () => {
    const losses = readMetrics(join(out, "metrics.jsonl")).map((record) => record["loss"] ?? 0);
    const mean = (part: number[]) => part.reduce((a, b) => a + b, 0) / part.length;
    expect(mean(losses.slice(-5))).toBeLessThan(Math.log(4) * 0.9);
  });

  test("gives the same weights again", async () => {
    await pretrain({ ...small, out: join(folder, "again") });
    expect(tensorsOf(join(folder, "again"))).toEqual(tensorsOf(out));
  });

  test("is never overwritten", async () => {
    await expect(pretrain({ ...small, out })).rejects.toThrow(/exists and is never overwritten.*--resume.*--out/);
    await expect(pretrain({ ...small, out })).rejects.toThrow(UsageError);
  });

  test("that is finished continues with more epochs, and its configuration says so", async () => {
    await expect(pretrain({ ...small, out, resume: true })).rejects.toThrow(/finished already/);
    const longer = join(folder, "longer");
    cpSync(out, longer, { recursive: true });
    const more = { ...small, epochs: 5, out: longer, resume: true };
    await expect(pretrain(more, stopAt(22))).rejects.toThrow(InterruptedError);
    expect(() => loadEncoder(longer)).toThrow(/was not finished/); // that of the 4 epochs must not pass for it
    // Saying again what was said at the start changes nothing, also where the run has resolved it.
    expect(await pretrain({ ...more, preset: "auto", crop: "auto" })).toMatchObject({ steps: 25 });
    expect(readConfig(longer)).toMatchObject({ epochs: 5, resume: false });
    expect(tensorsOf(longer)).not.toEqual(tensorsOf(out));
  });

  test("stopped between its last checkpoint and its encoder writes the encoder when resumed", async () => {
    const cut = join(folder, "no-encoder");
    cpSync(out, cut, { recursive: true });
    rmSync(runFiles(cut).encoder);
    expect(await pretrain({ ...small, out: cut, resume: true })).toMatchObject({ steps: 20, last: undefined });
    expect(tensorsOf(cut)).toEqual(tensorsOf(out));
  });

  test("that another process goes on with writes nothing any more", async () => {
    const taken = join(folder, "taken");
    const onEvent = (event: RunEvent) => {
      if (event.type === "step" && event.record.step === 3) throw new TakenOverError("Another process goes on.");
    };
    await expect(pretrain({ ...small, out: taken }, { onEvent })).rejects.toThrow(TakenOverError);
    expect(readMetrics(runFiles(taken).metrics)).toHaveLength(2);
    expect(readFileSync(runFiles(taken).log, "utf8")).not.toMatch(/step \d/);
    expect(JSON.parse(readFileSync(runFiles(taken).status, "utf8"))).toMatchObject({ state: "training" });
  });

  test("interrupted at the last step still finishes", async () => {
    const controller = new AbortController();
    const onEvent = (event: RunEvent) => event.type === "step" && event.record.progress === 1 && controller.abort();
    const last = join(folder, "last-step");
    await pretrain({ ...small, out: last }, { signal: controller.signal, onEvent });
    expect(tensorsOf(last)).toEqual(tensorsOf(out));
  });

  test.each([
    ["interrupted by a signal", 7],
    ["interrupted at the first step", 1],
  ])("%s and resumed ends as if nothing had happened", async (name, at) => {
    const cut = join(folder, name);
    const controller = new AbortController();
    const stop = {
      signal: controller.signal,
      onEvent: (event: RunEvent) => event.type === "step" && event.record.step === at && controller.abort(),
    };
    await expect(pretrain({ ...small, out: cut }, stop)).rejects.toThrow(InterruptedError);
    expect(JSON.parse(readFileSync(runFiles(cut).status, "utf8"))).toMatchObject({ state: "interrupted", step: at });
    await pretrain({ ...small, out: cut, resume: true });
    expect(tensorsOf(cut)).toEqual(tensorsOf(out));
    expect(readMetrics(join(cut, "metrics.jsonl")).map((record) => record["step"])).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  });

  test("killed with -9 at a random step and resumed has bit-identical weights", async () => {
    const dead = join(folder, "dead");
    const words = ["pretrain", images, ...flags, "--out", dead, "--save-minutes", "0"];
    const at = Math.floor(9 * Math.random());
    const killed = `killed after step ${at}`;
    // A checkpoint every step, so that the kill may hit one while it is written, or come before the first step.
    const { signal } = await selfsight(words, {
      watch: (child) => existsSync(runFiles(dead).checkpoint) && stepsOf(dead) >= at && child.kill("SIGKILL"),
    });
    expect(signal, killed).toBe("SIGKILL");
    expect(Number(openAndClose(runFiles(dead).checkpoint)["step"]), killed).toBeLessThan(20);
    const resumed = await selfsight([...words, "--resume"]);
    expect(resumed.stderr, killed).toContain("Done: 20 steps");
    expect(tensorsOf(dead), killed).toEqual(tensorsOf(out));
  });
});

function openAndClose(file: string): Readonly<Record<string, string>> {
  const { metadata, close } = openSafetensors(file);
  close();
  return metadata;
}

/** Steps that a run has logged so far. */
function stepsOf(run: string): number {
  const { metrics } = runFiles(run);
  return existsSync(metrics) ? readFileSync(metrics, "utf8").split("\n").length - 1 : 0;
}

test("a quick run has the first layer it began with, and ends the same when it is interrupted", async () => {
  const quick = { ...small, preset: "quick", epochs: 2 } as const;
  const [whole, cut, paper] = ["whole", "cut", "paper"].map((name) => join(folder, `quick-${name}`)) as [
    string,
    string,
    string,
  ];
  const notes: string[] = [];
  await pretrain(
    { ...quick, out: whole },
    { onEvent: (event) => event.type === "start" && notes.push(...event.notes) },
  );
  expect(notes.join()).toContain("preset quick");
  await expect(pretrain({ ...quick, out: cut }, stopAt(3))).rejects.toThrow(InterruptedError);
  await pretrain({ ...quick, out: cut, resume: true });
  expect(tensorsOf(cut)).toEqual(tensorsOf(whole));

  const first = (run: string) => tensorsOf(run).get("conv1.weight");
  const longer = join(folder, "quick-longer");
  await pretrain({ ...quick, epochs: 3, out: longer });
  expect(first(longer)).toBe(first(whole));
  expect(tensorsOf(longer)).not.toEqual(tensorsOf(whole));
  await pretrain({ ...quick, preset: "paper", out: paper });
  expect(first(paper)).not.toBe(first(whole));
  const optimized = (run: string) => {
    const file = openSafetensors(runFiles(run).checkpoint);
    const names = [...file.entries.keys()].filter((name) => name.startsWith("optimizer."));
    file.close();
    return names.length;
  };
  expect(optimized(paper) - optimized(whole)).toBe(3); // conv1.weight, bn1.weight, bn1.bias
});

describe("errors", () => {
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
    [
      "an image of broken patches",
      { model: "vit-tiny-8", stem: "imagenet", imageSize: 44 },
      /multiple of 8 pixels, 40 or 48.*is 44/,
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

  test("a loss that is not finite stops the run, and the error names step and learning rate", async () => {
    await expect(pretrain({ ...small, learningRate: 1e30, warmup: 0, out: out() })).rejects.toThrow(
      /The loss is (NaN|Infinity|-Infinity) at step \d+, learning rate/,
    );
  });

  test("a signal stops decoding before anything is written", async () => {
    const run = out();
    const stopped = pretrain({ ...small, out: run }, { signal: AbortSignal.abort() });
    await expect(stopped).rejects.toThrow(/Interrupted while the images were decoded/);
    expect(existsSync(run)).toBe(false);
  });

  test("a truncated checkpoint is refused and left alone", async () => {
    const run = await stoppedAtOnce("broken");
    const { checkpoint } = runFiles(run);
    const bytes = readFileSync(checkpoint);
    writeFileSync(checkpoint, bytes.subarray(0, bytes.length - 100));
    await expect(pretrain({ ...small, out: run, resume: true })).rejects.toThrow(SelfsightError);
    await expect(pretrain({ ...small, out: run, resume: true })).rejects.toThrow(/not a sound safetensors file.*copy/);
    expect(readFileSync(checkpoint).length).toBe(bytes.length - 100);
  });

  test("a checkpoint of another network is refused and left alone", async () => {
    const [run, wider, deeper] = await Promise.all([
      stoppedAtOnce("one"),
      stoppedAtOnce("wider", { width: 0.25 }),
      stoppedAtOnce("deeper", { model: "resnet18" }),
    ]);
    for (const [other, difference] of [
      [wider, /conv1.weight is \[16,3,3,3\] there and \[8,3,3,3\] here/],
      [deeper, /it also has encoder.layer1.1.conv1.weight/],
    ] as const) {
      copyFileSync(runFiles(other).checkpoint, runFiles(run).checkpoint);
      const before = readFileSync(runFiles(run).checkpoint);
      const resumed = pretrain({ ...small, out: run, resume: true });
      await expect(resumed).rejects.toThrow(/is from another network.*config.yaml/);
      await expect(resumed).rejects.toThrow(difference);
      expect(readFileSync(runFiles(run).checkpoint).equals(before)).toBe(true);
    }
  });

  test("a full disk at a checkpoint: reports it, keeps the previous one, and resumes from that once there is room", async ({
    skip,
  }) => {
    const place = join(folder, "disk");
    const disk = smallDisk(place, 1500);
    if (!disk) return skip("cannot mount a small disk here");
    try {
      const run = join(place, "run");
      // The first checkpoint fits. That of a trained network also holds the momentum, and must fit beside the first.
      const failed = pretrain({ ...small, width: 0.25, out: run, saveMinutes: 0 });
      await expect(failed).rejects.toThrow(
        /The disk is full: .*last.safetensors was not written.*previous file is intact/,
      );
      await expect(failed).rejects.toThrow(SelfsightError);
      expect(readdirSync(join(run, "checkpoints"))).toEqual(["last.safetensors"]);
      expect(Number(openAndClose(runFiles(run).checkpoint)["step"])).toBe(0);
      disk.grow(30_000);
      expect(await pretrain({ ...small, width: 0.25, out: run, resume: true })).toMatchObject({ steps: 20 });
    } finally {
      disk.remove();
    }
  });

  test("a folder that cannot be created is named, without a stack trace", async () => {
    const file = join(folder, "a-file");
    writeFileSync(file, "");
    await expect(pretrain({ ...small, out: join(file, "run") })).rejects.toThrow(
      /run cannot be made: a part of the path is a file.*ENOTDIR.*another place/,
    );
    await expect(pretrain({ ...small, out: file })).rejects.toThrow(/is a file\. Choose another folder/);
  });
});

describe("resuming", () => {
  const first = { ...small, learningRate: 0.02, taskOptions: { angles: 2 } };

  test("takes missing options from the run, and refuses options that would change it", async () => {
    const whole = join(folder, "rate");
    await pretrain({ ...first, out: whole });
    const run = await stoppedAtOnce("rate-cut", first);
    const plain = { images, out: run, resume: true };
    for (const [other, message] of [
      [{ learningRate: 0.01 }, /learningRate was 0.02, is 0.01/],
      [{ width: 0.25 }, /width was 0.125, is 0.25.*Leave them out, or start anew/],
      [{ taskOptions: { angles: 4 } }, /taskOptions was {"angles":2,"first":0,.*, is {"angles":4,"first":0,/],
    ] as const)
      await expect(pretrain({ ...plain, ...other })).rejects.toThrow(message);
    await pretrain(plain);
    expect(tensorsOf(run)).toEqual(tensorsOf(whole));
  });

  test("keeps a run limited by minutes, unless epochs are given", async () => {
    const { epochs: _, ...rest } = small;
    const run = await stoppedAtOnce("minutes", { ...rest, epochs: undefined, minutes: 60 });
    expect(resumedOptions(run, { images, resume: true })).toMatchObject({ minutes: 60, epochs: undefined });
    const epochs = resumedOptions(run, { images, epochs: 2, resume: true });
    expect([epochs.minutes, epochs.epochs]).toEqual([undefined, 2]);
  });

  test("refuses minutes for a run that is deterministic, as at its start", async () => {
    const run = await stoppedAtOnce("deterministic", { ...small, deterministic: true });
    const minutes = { images, minutes: 1, out: run, resume: true };
    await expect(pretrain(minutes)).rejects.toThrow(/For --deterministic, give --epochs/);
  });

  test("takes a table of labels that lies elsewhere now", async () => {
    const table = join(folder, "labels.csv");
    writeFileSync(table, "path,label\n0000.png,a\n0001.png,b\n");
    const run = await stoppedAtOnce("labels", { ...small, labels: table });
    const moved = join(folder, "moved.csv");
    copyFileSync(table, moved);
    rmSync(table);
    await expect(pretrain({ images, out: run, resume: true })).rejects.toThrow(/labels\.csv/);
    expect(await pretrain({ images, labels: moved, out: run, resume: true })).toMatchObject({
      steps: expect.any(Number),
    });
  });

  test("refuses other images", async () => {
    const run = await stoppedAtOnce("other-images");
    const others = await makePictures(join(folder, "others"), { count: 39 });
    await expect(pretrain({ ...small, images: others, out: run, resume: true })).rejects.toThrow(
      /not those that the run began with \(40 then, 39 now/,
    );
  });

  test("a run killed before its first checkpoint: says what to do, with --resume and without", async () => {
    const run = join(folder, "killed-early");
    mkdirSync(run);
    copyFileSync(runFiles(join(folder, "whole")).config, runFiles(run).config);
    await expect(pretrain({ ...small, out: run, resume: true })).rejects.toThrow(/nothing to resume.*Delete it/);
    await expect(pretrain({ ...small, out: run })).rejects.toThrow(/exists.*Delete it, or choose another folder/);
    const nowhere = join(folder, "nowhere");
    await expect(pretrain({ ...small, out: nowhere, resume: true })).rejects.toThrow(/nothing to resume/);
  });
});

/** A run folder with a checkpoint after the first step. */
async function stoppedAtOnce(name: string, options: Partial<PretrainOptions> = {}): Promise<string> {
  const out = join(folder, name);
  const controller = new AbortController();
  const hooks = { signal: controller.signal, onEvent: ({ type }: RunEvent) => type === "start" && controller.abort() };
  await expect(pretrain({ ...small, ...options, out }, hooks)).rejects.toThrow(InterruptedError);
  return out;
}

describe("options left open", () => {
  const settled = (options: Partial<PretrainOptions>) =>
    resolveOptions({ images, out: join(folder, "unused"), ...options });

  test("take the task's defaults, or the usual ones", () => {
    const usual = { flip: true, minArea: 0.08, batchSize: 64, learningRate: 0.05, stem: "imagenet" };
    expect(settled({ task: "rotation" })).toMatchObject(usual);
    expect(settled({ task: "inpainting" })).toMatchObject({ ...usual, minArea: 0.4, batchSize: 32, learningRate: 0.1 });
    expect(settled({ task: "jigsaw" })).toMatchObject({ flip: false, minArea: 0.3, stem: "patch" });
    expect(settled({ task: "jigsaw", model: "nin4" })).toMatchObject({ stem: "cifar" }); // its only stem
    expect(settled({ task: "inpainting", optimizer: "adamw" })).toMatchObject({ learningRate: 0.001 });
  });

  test("never replace given options", () => {
    const said = { flip: true, minArea: 0.2, batchSize: 7, learningRate: 0.5, stem: "cifar" } as const;
    for (const task of ["jigsaw", "inpainting", "colorization"]) expect(settled({ task, ...said })).toMatchObject(said);
  });
});

test("a set without images is refused before its task is made", async () => {
  const config = resolveOptions({ ...small, task: "colorization", out: join(folder, "no-images") });
  const encoder = firstEncoder(config);
  const none = { store: memoryStore(16, []), labels: null, classes: null };
  const prepared = prepareTraining({ config, compute: { device: "cpu", precision: "f32" }, encoder, images: none }, []);
  await expect(prepared).rejects.toThrow(/There are no images to learn from/);
  encoder.dispose();
});
