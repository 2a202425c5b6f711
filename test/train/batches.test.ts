/** What a task is shown of the images: samples before training, and then batches of them, cut and labelled. */
import { describe, expect, test } from "vitest";
import { denormalise } from "../../src/augment/normalise.ts";
import type { TrainingConfig } from "../../src/run/options.ts";
import type { TaskInstance } from "../../src/tasks/task.ts";
import { scope } from "../../src/torch/scope.ts";
import { alone } from "../../src/torch/world.ts";
import {
  describeImages,
  imagesUsed,
  readBatch,
  type TrainingImages,
  toViews,
  trainingImages,
} from "../../src/train/batches.ts";
import { fakeSet } from "../data/fake-set.ts";
import { expectNoLeak } from "../live.ts";
import { memoryStore } from "../memory-store.ts";

expectNoLeak();

test.each([
  [40, 64, 40],
  [300, 64, 256],
  [300, 256, 256],
  [300, 1024, 21],
  [300, 2048, 16],
])("of %d images of %d pixels, %d are a task's sample", async (length, size, count) => {
  const blank = new Uint8Array(3 * size ** 2); // what they show does not matter
  const images = { store: memoryStore(size, new Array(length).fill(blank)), labels: null, classes: null };
  const { pixels } = await describeImages(images, { imageSize: size / 2 } as TrainingConfig);
  expect(pixels.length / (3 * size ** 2)).toBe(count);
});

type Task = Pick<TaskInstance, "views" | "instances">;

/** The first view of these images as bytes, image by image (each 3 × S × S, channel by channel), and the batch's labels. */
async function shown(
  images: TrainingImages,
  task: Task,
  config: Partial<TrainingConfig>,
  indices: Int32Array,
): Promise<{ views: number[][]; labels: number[] | undefined }> {
  const raw = await readBatch(images, imagesUsed(images, task), indices);
  return scope(() => {
    const run = {
      config: { seed: 0, minArea: 0.08, flip: false, crop: "auto", ...config } as TrainingConfig,
      compute: { device: "cpu", precision: "f32" },
      task: task as TaskInstance,
      world: alone,
    } as const;
    const [[view], { labels }] = toViews(raw, images, run, { step: 0, progress: 0 });
    const bytes = denormalise(view).contiguous().toArray();
    const each = bytes.length / view.size(0);
    return {
      views: Array.from({ length: view.size(0) }, (_, i) => bytes.slice(i * each, (i + 1) * each)),
      labels: labels?.toArray(),
    };
  });
}

describe("labels", () => {
  const classes = Array.from({ length: 10 }, (_, label) => `class ${label}`);
  const set = fakeSet("ten", { labels: [3, 7, 1, 9, 0, 5, 2, 8, 4, 6], classes });
  const readable = [0, 2, 3, 5, 6, 8, 9]; // three could not be decoded
  /** Each image has one colour, which tells its label. */
  const colourOf = (label: number) => [20 * label, 255 - 20 * label, 7];
  const plain = (label: number) => Uint8Array.from({ length: 2 * 2 * 3 }, (_, i) => colourOf(label)[i % 3] as number);
  const store = {
    ...memoryStore(
      2,
      readable.map((i) => plain(set.label(i))),
    ),
    source: Int32Array.from(readable),
  };

  test.each<[instances: number | undefined, indices: number[], expected: number[]]>([
    [undefined, [6, 0, 3, 1, 2, 5, 4], [6, 3, 5, 1, 9, 4, 2]],
    [3, [2, 0, 1], [2, 3, 9]], // of the readable ones the first, third and fifth
  ])("stay with their images where some were skipped, of %s instances", async (instances, indices, expected) => {
    const images = trainingImages(set, store, true);
    const task: Task = { views: "whole", ...(instances && { instances }) };
    expect(imagesUsed(images, task)).toBe(indices.length);
    const { views, labels } = await shown(images, task, {}, Int32Array.from(indices));
    expect(labels).toEqual(expected);
    expect(views).toEqual(expected.map((label) => colourOf(label).flatMap((value) => new Array(4).fill(value))));
  });

  test("are not given to a task that does not use them", async () => {
    const images = trainingImages(set, store, false);
    expect(images).toMatchObject({ labels: null, classes: null });
    expect((await shown(images, { views: "whole" }, {}, Int32Array.of(0))).labels).toBeUndefined();
  });
});

describe("crops", () => {
  const COUNT = 64;
  /** Copies of an image of this size, whose red counts the columns and whose green counts the rows, in tens. */
  function ramps(size: number): TrainingImages {
    const value = (i: number) => [10 * (Math.floor(i / 3) % size), 10 * Math.floor(i / 3 / size), 0][i % 3] as number;
    const image = Uint8Array.from({ length: size * size * 3 }, (_, i) => value(i));
    return { store: memoryStore(size, new Array(COUNT).fill(image)), labels: null, classes: null };
  }
  const all = Int32Array.from({ length: COUNT }, (_, i) => i);
  const cut = async (stored: number, size: number, config: Partial<TrainingConfig>, task: Task = {}) =>
    (await shown(ramps(stored), task, { imageSize: size, ...config }, all)).views;
  /** From the left to the right end of a row: below zero if it is mirrored. */
  const across = (view: number[], size: number) => ((view[size - 1] as number) - (view[0] as number)) / 10;
  const down = (view: number[], size: number) =>
    ((view[2 * size * size - 1] as number) - (view[size * size] as number)) / 10;
  /** Which part of the area of a 24 × 24 image each crop shows. */
  const parts = (views: number[][]) => views.map((view) => (across(view, 8) / 23) * (down(view, 8) / 23));

  test("that are resized show nearly the whole image, or windows as small as they may be", async () => {
    const whole = parts(await cut(24, 8, { crop: "resized", minArea: 1 }));
    expect(Math.min(...whole)).toBeGreaterThan(0.6);
    const any = parts(await cut(24, 8, { crop: "resized", minArea: 0.08 }));
    expect(Math.min(...any)).toBeLessThan(0.15);
    expect(Math.max(...any)).toBeGreaterThan(0.6);
    const own = parts(await cut(24, 8, { crop: "resized", minArea: 1 }, { views: [{ count: 1, minArea: 0.08 }] }));
    expect(own).toEqual(any); // a view's own smallest area goes before the run's
  });

  test("are mirrored only if that is wanted, and then about half of them", async () => {
    const mirrored = async (flip: boolean) =>
      (await cut(24, 8, { crop: "resized", flip })).filter((view) => across(view, 8) < 0).length;
    expect(await mirrored(false)).toBe(0);
    expect(Math.abs((await mirrored(true)) - COUNT / 2)).toBeLessThan(COUNT / 4);
  });

  test("that are shifted move by whole pixels, up to an eighth of the side, over the mean colour", async () => {
    const shifts = (await cut(16, 16, { crop: "shifted" })).map((view) => {
      const columns = view.slice(8 * 16, 9 * 16).map((red) => red / 10); // a row in the middle
      const by = (columns[8] as number) - 8;
      const mean = Math.round(0.485 * 255) / 10;
      expect(columns).toEqual(columns.map((_, i) => (i + by >= 0 && i + by < 16 ? i + by : mean)));
      return by;
    });
    expect(new Set(shifts)).toEqual(new Set([-2, -1, 0, 1, 2]));
  });

  test("are shifted by themselves where the stored images are no larger than the input, else resized", async () => {
    const by = async (stored: number, crop: TrainingConfig["crop"]) => String(await cut(stored, 16, { crop }));
    const [shifted, resized] = [await by(16, "shifted"), await by(16, "resized")];
    expect(shifted === resized).toBe(false); // toEqual would take minutes to show how they differ
    expect((await by(16, "auto")) === shifted).toBe(true);
    expect((await by(17, "auto")) === (await by(17, "resized"))).toBe(true);
  });
});
