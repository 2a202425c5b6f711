/** A flat folder with a few labels in a table: pre-trained on all images, measured on those with a label. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { evaluate } from "../../src/evaluate/evaluate.ts";
import { preview } from "../../src/inspect/preview.ts";
import { readLearned } from "../../src/run/learned.ts";
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

test("evaluate says what a table of labels lacks", async () => {
  const run = join(root, "plain");
  await pretrain({ ...smallRun, images, epochs: 0.2, out: run });
  const measure = (labels: string) => evaluate({ runs: [run], images, labels, ...quick });
  await expect(measure(tableOf("one.csv", 20, () => "cat"))).rejects.toThrow(/one class alone, cat/);
  await expect(measure(tableOf("each.csv", 20, (i) => `class ${i}`))).rejects.toThrow(
    /no class with two labelled images/,
  );
  await expect(measure(tableOf("few.csv", 2, (i) => `class ${i}`))).rejects.toThrow(/too few to cut|no class with two/);
  await expect(measure(join(root, "none.csv"))).rejects.toThrow(/There is no file .*none.csv/);
});
