/** A study in one process: what it leaves behind, what it refuses, failures, interruptions, parts. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { InterruptedError, SelfsightError } from "../../../src/errors.ts";
import { estimateMean } from "../../../src/evaluate/variance.ts";
import { planTable } from "../../../src/report/study-text.ts";
import type { Hooks } from "../../../src/run/events.ts";
import { runFiles } from "../../../src/run/folder.ts";
import type { CellResult } from "../../../src/study/grid/cell.ts";
import { cellFiles, studyFiles, VERSION } from "../../../src/study/grid/folder.ts";
import type { StudyOptions } from "../../../src/study/grid/options.ts";
import { dryRun, study } from "../../../src/study/grid/study.ts";
import { registerTask } from "../../../src/tasks/index.ts";
import { rotation } from "../../../src/tasks/rotation.ts";
import { makePictures, scratch } from "../../images.ts";
import { expectNoLeak } from "../../live.ts";
import { stopAt, tensorsOf } from "../../small-run.ts";

expectNoLeak();

const folder = scratch();
const images = join(folder, "pictures");
const small: StudyOptions = {
  ...{ images, width: 0.125, stem: "cifar", imageSize: 16, epochs: 1, batchSize: 8, precision: "f32", threads: 1 },
  ...{ device: "cpu", labelsPerClass: 2, draws: 2 },
};
const pace = { beat: 20, stale: 200 };
const place = (name: string) => join(folder, name);
const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
let first: CellResult[];

beforeAll(async () => {
  await makePictures(join(images, "train"), { count: 12, classes: ["red", "green"], grey: true });
  await makePictures(join(images, "test"), { count: 12, classes: ["red", "green"], grey: true, seed: 1 });
  const result = await study({ ...small, tasks: ["rotation", "exemplar"], seeds: [0, 1], out: place("first") });
  first = result.study?.cells as CellResult[];
}, 300_000);

test("every cell is trained and measured beside the same network untrained", () => {
  expect(first.map(({ name }) => name)).toEqual(
    ["seed0", "seed1"].flatMap((seed) => [`rotation-${seed}`, `exemplar-${seed}`]),
  );
  for (const {
    name,
    factors,
    pretext,
    rows,
    difference,
    drawVariance,
    heldOut,
    perImage,
    parameters,
    seconds,
  } of first) {
    expect(factors).toMatchObject({ model: "resnet10", width: 0.125, imageSize: 16, trainImages: "all", options: {} });
    expect(pretext.guess).toBe(factors.task === "rotation" ? 1 / 4 : 1 / 2);
    expect(pretext.value).toBeGreaterThan(0);
    expect(new Set(rows.map(({ encoder }) => encoder))).toEqual(new Set([name, `${name}, untrained`]));
    expect(rows.filter(({ kind }) => kind === "untrained")).toHaveLength(6); // stem, four stages, output
    expect(difference).toMatchObject({
      encoder: name,
      baselineKind: "untrained",
      protocol: "linear",
      labelsPerClass: 2,
    });
    expect(difference.n).toBe(24);
    expect(perImage.trained).toHaveLength(24);
    expect(mean(perImage.trained)).toBeCloseTo(difference.value, 10);
    expect(mean(perImage.untrained)).toBeCloseTo(difference.baselineValue, 10);
    expect(drawVariance.trained).toBeGreaterThanOrEqual(0);
    expect(drawVariance.untrained).toBeGreaterThanOrEqual(0);
    const gains = perImage.trained.map((score, i) => score - (perImage.untrained[i] as number));
    const ofImages = estimateMean([gains]).variance;
    expect(difference.shares.images * (ofImages + drawVariance.gain)).toBeCloseTo(ofImages, 10);
    expect(heldOut).toBeGreaterThanOrEqual(0);
    expect(parameters).toBeGreaterThan(10_000);
    expect(seconds.training).toBeGreaterThan(0);
    expect(seconds.measuring).toBeGreaterThan(0);
  }
  expect(Math.max(...first.map(({ drawVariance }) => drawVariance.gain))).toBeGreaterThan(0);
  expect(readdirSync(studyFiles(place("first")).measured)).toHaveLength(6); // cells of one seed share the untrained network
  expect(readdirSync(cellFiles(place("first"), "rotation-seed0").folder).sort()).toEqual([
    "result.json",
    "rotation-seed0",
  ]);
});

test("the same study again computes nothing; another one, or another version's, is refused", async () => {
  const files = studyFiles(place("first"));
  const before = readFileSync(files.study, "utf8");
  const told: string[] = [];
  const options: StudyOptions = { ...small, tasks: ["rotation", "exemplar"], seeds: [0, 1], out: place("first") };
  await study(options, { onEvent: ({ type }) => told.push(type) });
  expect(told).not.toContain("step");
  expect(readFileSync(files.study, "utf8")).toBe(before);
  await expect(study({ ...options, draws: 3 })).rejects.toThrow(/other settings: draws was 2, is 3.*--out/);
  await expect(study({ ...options, out: images })).rejects.toThrow(/also what the images are called/);
  await expect(study({ ...options, out: folder })).rejects.toThrow(/is not a study's folder/);
  const config = readFileSync(files.config, "utf8");
  writeFileSync(files.config, config.replace(`"version": ${VERSION}`, '"version": 0'));
  await expect(study(options)).rejects.toThrow(/of another version of Selfsight/);
  writeFileSync(files.config, config);
});

test("ends where the test images have changed: what is measured on others could not be compared", async () => {
  const changing = join(folder, "changing");
  cpSync(images, changing, { recursive: true });
  const options: StudyOptions = { ...small, images: changing, task: "rotation", seeds: [0], out: place("changed") };
  await study(options);
  const files = [join(changing, "test", "red"), join(changing, "train", "green")].map((one) =>
    join(one, readdirSync(one)[0] as string),
  );
  const before = files.map((file) => readFileSync(file));
  const write = (contents: Buffer[]) => files.map((file, i) => writeFileSync(file, contents[i] as Buffer));
  write([...before].reverse()); // as many, of the same names
  const more = { ...options, seeds: [0, 1] };
  await expect(study(more)).rejects.toThrow(
    /^The test images of \S+ are not those that \S+ was measured on: .*--out\.$/,
  );
  write(before);
  expect((await study(more)).study?.cells.map(({ tested }) => tested)).toEqual(Array(2).fill(expect.any(String)));
}, 300_000);

test("a study may grow: what is done stays, under its name; it may not lose a cell", async () => {
  const grown: StudyOptions = { ...small, epochs: 1, out: place("grown") };
  const { study: one } = await study({ ...grown, task: "rotation" });
  expect(one?.cells.map(({ name }) => name)).toEqual(["rotation"]);
  const told: string[] = [];
  const more: StudyOptions = { ...grown, tasks: ["exemplar", "rotation"], seeds: [0, 1] };
  const { study: all } = await study(more, {
    onEvent: (event) => void (event.type === "start" && told.push(event.folder)),
  });
  const names = ["exemplar-seed0", "rotation", "exemplar-seed1", "rotation-seed1"];
  expect(all?.cells.map(({ name }) => name)).toEqual(names);
  expect(told.map((run) => basename(run))).toEqual(names.filter((name) => name !== "rotation"));
  expect(all?.cells[1]).toEqual(one?.cells[0]);
  await expect(study({ ...more, seeds: [0] })).rejects.toThrow(/no part of this one: exemplar-seed1, rotation-seed1\./);
  await expect(study({ ...more, imageSize: 24 })).rejects.toThrow(/no part of this one: exemplar-seed0, /);
});

test("interrupted and repeated, it gives what it would have given", async () => {
  const options: StudyOptions = { ...small, task: "rotation", seeds: [0, 1], out: place("stopped") };
  await expect(study(options, stopAt(2))).rejects.toThrow(
    new InterruptedError("Interrupted. The same command goes on."),
  );
  expect(existsSync(studyFiles(place("stopped")).study)).toBe(false);
  const { study: result } = await study(options);
  const log = readFileSync(runFiles(cellFiles(place("stopped"), "seed0").run).log, "utf8");
  expect(log).toMatch(/resumed after step 2/);
  expect(result?.cells).toHaveLength(2);
  const weights = (out: string, name: string) => tensorsOf(cellFiles(place(out), name).run);
  expect(weights("stopped", "seed0")).toEqual(weights("first", "rotation-seed0"));
});

test("a cell that was killed after its encoder was saved, but before its end, goes on", async () => {
  const out = place("stopped");
  const { run, result } = cellFiles(out, "seed0");
  const { status } = runFiles(run);
  writeFileSync(status, readFileSync(status, "utf8").replace('"done"', '"training"'));
  for (const file of [result, studyFiles(out).study]) rmSync(file);
  const { study: again } = await study({ ...small, task: "rotation", seeds: [0, 1], out });
  expect([again?.cells.length, again?.failed]).toEqual([2, []]);
  expect(readFileSync(status, "utf8")).toContain('"done"');
});

test("a cell that fails is noted, the rest goes on, and it is tried again only when asked", async () => {
  let broken = true;
  registerTask("fails", {
    ...rotation,
    create(on, options) {
      const task = rotation.create(on, options);
      return {
        ...task,
        step(views, batch) {
          if (broken) throw new SelfsightError("It broke.");
          return task.step(views, batch);
        },
      };
    },
  });
  const options: StudyOptions = { ...small, tasks: ["fails", "rotation"], out: place("fails") };
  const { study: result } = await study(options);
  expect(result?.failed).toEqual([{ name: "fails", message: "It broke." }]);
  expect(result?.cells.map(({ name }) => name)).toEqual(["rotation"]);
  broken = false;
  expect((await study(options)).study?.failed).toHaveLength(1);
  const planned = async (retry: boolean) => (await dryRun(options, {}, { retry })).cells.map(({ name }) => name);
  expect([await planned(false), await planned(true)]).toEqual([[], ["fails"]]);
  const again = await study(options, {}, { retry: true });
  expect(again.study?.failed).toEqual([]);
  expect(again.study?.cells.map(({ name }) => name)).toEqual(["fails", "rotation"]);
});

test("each part does its cells, and the last one writes the result", async () => {
  const options: StudyOptions = { ...small, seeds: [0, 1, 2], out: place("parts") };
  const part = (part: number) => study(options, {}, { shard: { part, of: 2 }, pace });
  const plan = await dryRun(options, {}, { shard: { part: 2, of: 2 } });
  expect(plan.cells.map(({ name }) => name)).toEqual(["seed1"]);
  expect((await part(1)).study).toBeUndefined();
  expect(existsSync(cellFiles(place("parts"), "seed1").result)).toBe(false);
  expect((await part(2)).study?.cells.map(({ name }) => name)).toEqual(["seed0", "seed1", "seed2"]);
});

test("a cell of a process elsewhere is waited for, and taken over when that one stops", async () => {
  const options: StudyOptions = { ...small, seeds: [0, 1], out: place("gone") };
  await study(options);
  const { folder: cell, result, run } = cellFiles(place("gone"), "seed1");
  const before = tensorsOf(run);
  rmSync(result);
  writeFileSync(join(run, "lock.7-0123abcd-1-0123abcd-elsewhere"), ""); // its training held this
  rmSync(runFiles(run).encoder);
  writeFileSync(join(cell, "claim.0"), JSON.stringify({ pid: 7, place: "elsewhere", birth: "1", beat: 9 }));
  const told: string[] = [];
  const onEvent = (event: { type: string; what?: string }) => event.type === "working" && told.push(event.what ?? "");
  const { study: taken } = await study(options, { onEvent: (event) => void onEvent(event) }, { pace });
  expect(told.join("\n")).toMatch(/1 of 2 cells done · 1 running elsewhere · waiting for other processes/);
  expect(taken?.cells.map(({ name }) => name)).toEqual(["seed0", "seed1"]);
  expect(tensorsOf(run)).toEqual(before);
  expect(readdirSync(cell).sort()).toEqual(["result.json", "seed1"]);
});

test("a cell whose process stopped comes before those that nobody has begun", async () => {
  const options: StudyOptions = { ...small, seeds: [0, 1, 2], out: place("order") };
  await expect(study(options, stopAt(2))).rejects.toThrow(InterruptedError);
  const { folder: cell } = cellFiles(place("order"), "seed0");
  writeFileSync(join(cell, "claim.0"), JSON.stringify({ pid: 7, place: "elsewhere", birth: "1", beat: 9 }));
  const begun: string[] = [];
  const onEvent: Hooks["onEvent"] = (event) => {
    const name = event.type === "working" && / cells done.* · (seed\d)/.exec(event.what)?.[1];
    if (name && begun.at(-1) !== name) begun.push(name);
  };
  await study(options, { onEvent }, { pace: { beat: 20, stale: 1 } });
  expect(begun).toEqual(["seed1", "seed0", "seed2"]);
});

test("cells that cannot be trained are refused by name before anything runs, or left out", async () => {
  const options: StudyOptions = { ...small, tasks: ["rotation", "jigsaw"], stem: "imagenet", imageSize: 32 };
  await expect(study({ ...options, out: place("refused") })).rejects.toThrow(
    /1 cell cannot be trained:\n {2}jigsaw: .*patches/,
  );
  await expect(study({ ...small, trainImages: [8, 25], out: place("refused") })).rejects.toThrow(
    /n25: There are 24 images to learn from/,
  );
  await expect(study({ ...small, trainImages: [4], out: place("refused") })).rejects.toThrow(/batch of 8 is more than/);
  expect(existsSync(place("refused"))).toBe(false);
  const plan = await dryRun({
    ...options,
    ...{ protocol: ["linear", "finetune"], impossible: "leave-out", out: place("refused") },
  });
  expect(planTable(plan)).toContain("Measuring by finetune comes on top");
  expect(plan.leftOut.map(({ name }) => name)).toEqual(["jigsaw"]);
  expect(plan.cells.map(({ name }) => name)).toEqual(["rotation"]);
  for (const { training, measuring, parameters } of plan.cells)
    for (const number of [training, measuring, parameters, plan.peak]) expect(number).toBeGreaterThan(0);
  expect(existsSync(place("refused"))).toBe(false);
});

test("a task that would learn the answers to test images is refused before anything runs", async () => {
  const copied = join(folder, "copied");
  await makePictures(join(copied, "train"), { count: 12, classes: ["red", "green"] });
  await makePictures(join(copied, "test"), { count: 12, classes: ["red", "green"], seed: 1 });
  for (const name of ["0001.png", "0002.png"])
    cpSync(join(copied, "train", "red", name), join(copied, "test", "red", `copy-${name}`));
  const options: StudyOptions = { ...small, images: copied, tasks: ["rotation", "supervised"], out: place("copies") };
  await expect(study(options)).rejects.toThrow(
    /supervised: 2 test images are copies of images whose labels supervised learns/,
  );
  expect(existsSync(place("copies"))).toBe(false);
});

test("more than 10,000 cells need a yes", async () => {
  const seeds = Array.from({ length: 10_001 }, (_, i) => i);
  await expect(study({ ...small, seeds, out: place("many") })).rejects.toThrow(/has 10,001 cells.*--yes/);
});
