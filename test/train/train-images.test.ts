/** `trainImages`: a run learns from a nested draw of the images, and says which. */
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { ImageSet } from "../../src/data/images.ts";
import { openImages } from "../../src/data/open.ts";
import { evaluate } from "../../src/evaluate/evaluate.ts";
import { preview } from "../../src/inspect/preview.ts";
import { readConfig } from "../../src/run/folder.ts";
import { readLearned } from "../../src/run/learned.ts";
import { decodeImages } from "../../src/train/prepare.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun, stopAt } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const small = { ...smallRun, images, epochs: 1 };
const namesOf = (run: string) => [...(readLearned(run)?.values() ?? [])].map(({ image }) => image);

expectNoLeak();
beforeAll(async () => {
  await makePictures(join(images, "train"), { count: 20, classes: ["red", "green"] });
  await makePictures(join(images, "test"), { count: 8, classes: ["red", "green"], seed: 1 });
});

test("draws of one seed lie within each other, and those of another seed differ", async () => {
  const learned = async (name: string, trainImages: number, seed = 0) => {
    const { folder: run } = await pretrain({ ...small, out: join(folder, name), trainImages, seed });
    expect(readConfig(run).trainImages).toBe(trainImages);
    return namesOf(run);
  };
  const [few, more, other] = [await learned("8", 8), await learned("24", 24), await learned("8 of 1", 8, 1)];
  expect([few, more, other].map(({ length }) => length)).toEqual([8, 24, 8]);
  expect(more).toEqual(expect.arrayContaining(few));
  expect(other).not.toEqual(few);
  expect(more).toEqual(more.toSorted());
});

test("evaluate counts as seen only what was drawn; preview shows the run's images", async () => {
  const run = join(folder, "tests");
  await pretrain({ ...small, out: run, split: "test", trainImages: 9 });
  const { differences } = await evaluate({
    ...{ runs: [run], images, protocol: ["knn"], labelsPerClass: [2], draws: 1, threads: 2 },
  });
  expect(new Set(differences.map(({ seen }) => seen))).toEqual(new Set([9]));
  const shown = await preview({ images, run, out: join(folder, "preview.png"), count: 9 });
  expect(shown.file).toBe(join(folder, "preview.png"));
});

test("more images than there are are refused, and so is resuming with another number", async () => {
  await expect(pretrain({ ...small, out: join(folder, "none"), trainImages: 41 })).rejects.toThrow(
    /There are 40 images to learn from; --train-images asks for 41/,
  );
  const out = join(folder, "stopped");
  await expect(pretrain({ ...small, epochs: 4, out, trainImages: 16 }, stopAt(2))).rejects.toThrow(/Interrupted/);
  await expect(pretrain({ images, out, resume: true, trainImages: 8 })).rejects.toThrow(/trainImages was 16, is 8/);
  await pretrain({ images, out, resume: true });
  expect(namesOf(out)).toHaveLength(16);
});

test("images are kept larger than the input for crops that scale, but not for shifts: these would cut pieces out", async () => {
  const { splits } = await openImages(images);
  const side = async (crop: "auto" | "resized" | "shifted") => {
    const { store } = await decodeImages(splits["test"] as ImageSet, { imageSize: 16, task: "rotation", crop });
    await store.close();
    return store.size;
  };
  expect([await side("auto"), await side("resized"), await side("shifted")]).toEqual([24, 24, 16]);
});
