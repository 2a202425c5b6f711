/** Previews of what a task shows the network. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { UsageError } from "../../src/errors.ts";
import { preview } from "../../src/inspect/preview.ts";
import { registerTask, tasks } from "../../src/tasks/index.ts";
import { defineTask } from "../../src/tasks/task.ts";
import { threads } from "../../src/torch/device.ts";
import { Linear } from "../../src/torch/nn/layers.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const { batchSize: _, ...small } = smallRun;

expectNoLeak();
beforeAll(() => makePictures(images, { count: 100, size: 64, classes: ["a", "b"] }));

test.each(Object.keys(tasks))("%s: a sheet of what the network sees", async (task) => {
  const out = join(folder, `${task}.png`);
  const { file, audit } = await preview({ ...small, images, task, imageSize: 48, out, count: 3 });
  expect([file, audit]).toEqual([out, []]);
  const { width, height } = await sharp(readFileSync(out)).metadata();
  expect(width).toBeGreaterThan(100);
  expect(height).toBeGreaterThan(30);
});

describe("of a run", () => {
  const run = join(folder, "run");
  const many = join(folder, "many");
  beforeAll(async () => {
    await pretrain({ ...smallRun, images, epochs: 2, taskOptions: { angles: 2 }, out: run });
    await makePictures(many, { count: 300, size: 16 });
    writeFileSync(join(many, "0100.png"), "no picture");
  });

  test("uses its settings, and its guesses from its checkpoint", async () => {
    const [trained, untrained] = [join(folder, "trained.png"), join(folder, "untrained.png")];
    await preview({ images, run, out: trained });
    await preview({ ...small, images, taskOptions: { angles: 2 }, out: untrained });
    expect(readFileSync(trained).equals(readFileSync(untrained))).toBe(false);
  });

  test("device, precision and threads may differ; other settings may only be repeated", async () => {
    const out = join(folder, "others.png");
    await preview({ images, run, out, imageSize: 16, taskOptions: { angles: 2 }, precision: "f32", threads: 1 });
    expect(threads()).toBe(1);
    await expect(preview({ images, run, device: "tpu" })).rejects.toThrow(/Unknown device "tpu"/);
    const other = { task: "jigsaw", imageSize: 32, stem: "patch", taskOptions: { angles: 4, grey: 1 } } as const;
    const refused = preview({ images, run, ...other });
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow(
      'task was "rotation", is "jigsaw"; imageSize was 16, is 32; stem was "cifar", is "patch"; angles was 2, is 4; ' +
        "grey was left open, is 1. Leave them out, or leave out --run.",
    );
  });

  test("gives the same images the same indices, even if there are many and some cannot be read", async () => {
    const shown: unknown[] = [];
    registerTask("witness", witness(shown));
    const out = join(folder, "witness");
    await pretrain({ ...smallRun, images: many, task: "witness", epochs: 0.1, out });
    await preview({ images: many, run: out, out: join(folder, "witness.png") });
    expect(shown).toHaveLength(2);
    expect(shown[0]).toMatchObject({ count: 299, indices: expect.arrayContaining([271]) });
    expect(shown[1]).toEqual(shown[0]);
  });

  test("works with as many classes as the run had images", async () => {
    const out = join(folder, "classes");
    const options = { ...smallRun, task: "exemplar", taskOptions: { loss: "softmax", copies: 2 } };
    await pretrain({ ...options, images: many, epochs: 0.1, out });
    await preview({ images: many, run: out, out: join(folder, "classes.png") });
  });
});

/** Records what it gets to learn from and to show. */
const witness = (shown: unknown[]) =>
  defineTask({
    title: "Witness",
    paper: "a test",
    options: z.strictObject({}),
    create({ encoder, images: { count, sample } }) {
      const fc = new Linear(encoder.outDim, 1);
      const about = { count, sample: sample.mean().item() };
      return {
        trained: { fc },
        metric: { name: "mean", unit: "", better: "lower", perfect: 0, worthwhile: 0 },
        guess: { value: 0, loss: 1 },
        instances: 290,
        step([images]) {
          const loss = fc.forward(encoder.forward(images)).mean();
          return { loss, metrics: { mean: loss.detach() } };
        },
        preview([images], { indices }) {
          const means = images.mean([1, 2, 3]).toArray();
          shown.push({ ...about, indices: Array.from(indices), means });
          return means.map((_, i) => ({ image: images.select(0, i), answer: "", guess: null }));
        },
      };
    },
  });

test("invalid settings are refused, and nothing is written", async () => {
  const out = join(folder, "none.png");
  await expect(preview({ images, task: "jigsaw", stem: "imagenet", imageSize: 32, out })).rejects.toThrow(
    /--image-size/,
  );
  await expect(preview({ images, run: folder, out })).rejects.toThrow(UsageError);
  await expect(preview({ images, crop: "shifted", minArea: 0.5, out })).rejects.toThrow(
    /--min-area has no effect with --crop shifted/,
  );
  await expect(preview({ images, minutes: 3, out })).rejects.toThrow(/--minutes has no effect without --audit/);
  expect(existsSync(out)).toBe(false);
});
