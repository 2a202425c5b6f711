/** A flat folder with a few labels in a table: pre-trained on all images, measured on those with a label. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { evaluate } from "../../src/evaluate/evaluate.ts";
import { preview } from "../../src/inspect/preview.ts";
import { readLearned } from "../../src/run/learned.ts";
import { benchmark } from "../../src/study/benchmark/benchmark.ts";
import { study } from "../../src/study/grid/study.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";

const root = scratch();
const images = join(root, "photos");
const quick = { protocol: ["knn"], labelsPerClass: [2], draws: 1 } satisfies Partial<Parameters<typeof evaluate>[0]>;

expectNoLeak();
beforeAll(() => makePictures(images, { count: 60 }));

/** Writes the first lines of a table: images in order, with the label that `label` gives. */
function tableOf(name: string, count: number, label: (i: number) => string): string {
  const file = join(root, name);
  const lines = readdirSync(images)
    .slice(0, count)
    .map((path, i) => `${path},${label(i)}\n`);
  writeFileSync(file, lines.join(""));
  return file;
}

test("pretrain, preview and evaluate take a table of labels", async () => {
  const labels = tableOf("labels.csv", 40, (i) => ["cat", "dog"][i % 2] as string);
  const run = join(root, "run");
  const notes: string[] = [];
  const onEvent = (event: { type: string; notes?: readonly string[] }) => void notes.push(...(event.notes ?? []));
  await pretrain({ ...smallRun, images, labels, epochs: 0.5, out: run }, { onEvent });
  expect(notes).toContain("labels.csv gives 40 of 60 images a label.");
  const { classes, rows, notes: told } = await evaluate({ runs: [run], images, labels, ...quick });
  expect(classes).toEqual(["cat", "dog"]);
  const tested = rows[0]?.n ?? 0;
  expect(tested).toBeGreaterThan(3);
  expect(readLearned(run)?.size).toBe(60 - tested);
  expect(told).toContain("labels.csv gives 40 of 60 images a label.");
  const out = join(root, "preview.png");
  const { batchSize: _, ...shown } = smallRun;
  await expect(preview({ ...shown, images, labels, out, count: 2, task: "supervised" })).resolves.toMatchObject({
    file: out,
  });
});

test("images with several labels are measured by svm, and by nothing that takes one label for each", async () => {
  const labels = tableOf("several.csv", 60, (i) => ["cat", "dog", "cat|dog"][i % 3] as string);
  const run = join(root, "several");
  await pretrain({ ...smallRun, images, labels, epochs: 0.2, out: run });
  const measure = (options: object) => evaluate({ runs: [run], images, labels, labelsPerClass: ["all"], ...options });
  const svm = { protocol: ["svm"], protocolOptions: { svm: { costs: [0.1] } } };
  const { differences, notes } = await measure(svm);
  expect(differences.length).toBeGreaterThan(0);
  for (const { chance, value } of differences) {
    expect(chance).toBeGreaterThan(0.55); // most images have one of two labels, a third has both
    expect(chance).toBeLessThan(0.8);
    expect(value).toBeGreaterThan(0.4);
  }
  expect(notes).toContain("several.csv gives 60 of 60 images a label, 20 of them several.");
  const refused = /needs one label for each image, and .*\.png has several: cat, dog.*--protocol svm/;
  await expect(measure({ protocol: ["linear"] })).rejects.toThrow(refused);
  await expect(measure({ ...svm, labelsPerClass: [5] })).rejects.toThrow(/^--labels-per-class 5 needs one label/);
  const supervised = { ...smallRun, images, labels, task: "supervised", epochs: 0.2, out: join(root, "supervised") };
  await expect(pretrain(supervised)).rejects.toThrow(refused);
  await expect(benchmark({ images, labels, epochs: 0.2, out: join(root, "benchmark") })).rejects.toThrow(refused);
  await expect(study({ images, labels, epochs: 0.2, out: join(root, "study") })).rejects.toThrow(refused);
});

test("evaluate says what a table of labels lacks", async () => {
  const run = join(root, "plain");
  await pretrain({ ...smallRun, images, epochs: 0.2, out: run });
  const measure = (labels: string) => evaluate({ runs: [run], images, labels, ...quick });
  await expect(measure(tableOf("one.csv", 20, () => "cat"))).rejects.toThrow(/one class alone, cat/);
  await expect(measure(tableOf("each.csv", 20, (i) => `class ${i}`))).rejects.toThrow(
    /no class with two labelled images/,
  );
  const each = { images, labels: tableOf("each.csv", 20, (i) => `class ${i}`), epochs: 0.2, out: join(root, "each") };
  await expect(study(each)).rejects.toThrow(/no class with two labelled images/);
  await expect(measure(tableOf("few.csv", 2, (i) => `class ${i}`))).rejects.toThrow(/too few to cut|no class with two/);
  await expect(measure(join(root, "none.csv"))).rejects.toThrow(/There is no file .*none.csv/);
});
