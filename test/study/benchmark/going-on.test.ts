/** A benchmark that goes on: with its own images, decisions and runs, and never tested on what it learned from. */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { benchmarkHtml } from "../../../src/report/benchmark.ts";
import type { RunEvent } from "../../../src/run/events.ts";
import { type RunStatus, runFiles } from "../../../src/run/folder.ts";
import { type BenchmarkResult, benchmark } from "../../../src/study/benchmark/benchmark.ts";
import { benchmarkFiles } from "../../../src/study/benchmark/folder.ts";
import type { BenchmarkOptions } from "../../../src/study/benchmark/options.ts";
import { makePictures, scratch } from "../../images.ts";
import { expectNoLeak } from "../../live.ts";

expectNoLeak();

const folder = scratch();
const [loose, parted] = [join(folder, "loose"), join(folder, "parted")];
const classes = ["red", "green"];
const small: Omit<BenchmarkOptions, "out" | "images"> = {
  ...{ tasks: ["rotation"], epochs: 1, imageSize: 32, width: 0.125, batchSize: 8, threads: 1, precision: "f32" },
  ...{ device: "cpu", labelsPerClass: [2], draws: 1, scratchDraws: 0 },
};
const told = (place: string) => readFileSync(benchmarkFiles(place).report, "utf8");
const first = join(folder, "first");
let result: BenchmarkResult;

beforeAll(async () => {
  await makePictures(loose, { count: 30, classes });
  for (const [seed, part] of ["train", "test"].entries())
    await makePictures(join(parted, part), { count: 8, classes, seed });
  result = await benchmark({ ...small, images: loose, trainSplit: "all", out: first });
}, 120_000);

test("pre-training sees no image that is tested on, with the part named or not", async () => {
  expect(result.tested).toBeGreaterThan(5);
  const seen = ({ differences }: BenchmarkResult) => new Set(differences.map((one) => one.seen));
  expect(seen(result)).toEqual(new Set([0]));
  const out = join(folder, "parts");
  expect(seen(await benchmark({ ...small, images: parted, trainSplit: "train", out }))).toEqual(new Set([0]));
});

test("test images that a yardstick has learned as copies are left out, when all is trained", async () => {
  const copies = join(folder, "copies");
  cpSync(parted, copies, { recursive: true });
  cpSync(join(parted, "test", "red", "0000.png"), join(copies, "train", "red", "copy.png"));
  const out = join(folder, "yardstick");
  const { notes, tested, labelled } = await benchmark({
    ...small,
    tasks: ["rotation", "supervised"],
    images: copies,
    out,
  });
  expect(notes.join("\n")).toMatch(/1 of 16 test images are left out: supervised learned their labels/);
  expect([tested, labelled]).toEqual([15, 17]);
});

test("a run that was killed after its encoder was saved, but before its end, goes on", async () => {
  const run = join(benchmarkFiles(first).runs, "rotation");
  const { status } = runFiles(run);
  const before = JSON.parse(readFileSync(status, "utf8")) as RunStatus;
  const report = told(first);
  writeFileSync(status, JSON.stringify({ ...before, state: "training" }));
  const events: RunEvent[] = [];
  await benchmark({ ...small, images: loose, trainSplit: "all", out: first }, { onEvent: (one) => events.push(one) });
  expect(events.filter(({ type }) => type === "start")).toMatchObject([{ folder: run }]);
  expect(JSON.parse(readFileSync(status, "utf8"))).toMatchObject({ state: "done" });
  expect(told(first)).toBe(report);
});

test("killed in a container that is gone, it says which sign to delete, and goes on without it", async () => {
  const out = join(folder, "container");
  cpSync(first, out, { recursive: true });
  const run = join(benchmarkFiles(out).runs, "rotation");
  const files = runFiles(run);
  const sign = "lock.7-0123abcd-1-0123abcd-elsewhere";
  for (const place of [out, run]) writeFileSync(join(place, sign), "");
  writeFileSync(files.status, JSON.stringify({ ...JSON.parse(readFileSync(files.status, "utf8")), state: "training" }));
  const again = { ...small, images: loose, trainSplit: "all", out };
  await expect(benchmark(again)).rejects.toThrow(
    /in use by process 7 of the machine or container "elsewhere".*delete \S+lock\.7-/,
  );
  rmSync(join(out, sign));
  await benchmark(again);
  expect(told(out).replaceAll(out, first)).toBe(told(first));
});

test("it may have more draws, trainings and protocols, and keeps what it has; never fewer", async () => {
  const out = join(folder, "more");
  cpSync(first, out, { recursive: true });
  const { runs, measured } = benchmarkFiles(out);
  const before = readdirSync(measured);
  const events: RunEvent[] = [];
  const options = { ...small, images: loose, trainSplit: "all", out };
  const more = { ...options, draws: 2, seeds: 2, protocol: ["knn", "retrieval"] };
  const grown = await benchmark(more, { onEvent: (one) => events.push(one) });
  expect(events.filter(({ type }) => type === "start")).toMatchObject([{ folder: join(runs, "rotation-1") }]);
  expect(grown.tasks[0]?.untrained).toMatchObject({ trainings: 2, draws: 2 });
  expect(new Set(grown.rows.map(({ protocol }) => protocol))).toEqual(new Set(["knn-20", "linear", "retrieval"]));
  expect(readdirSync(measured)).toEqual(expect.arrayContaining(before));
  for (const fewer of [{ draws: 1 }, { seeds: 1 }, { protocol: ["retrieval"] }])
    await expect(benchmark({ ...more, ...fewer })).rejects.toThrow(/other settings: .* more draws, seeds and protocol/);
});

test("images that are others now are refused", async () => {
  const image = join(loose, "red", "0003.png");
  const bytes = readFileSync(image);
  const again = () => benchmark({ ...small, images: loose, trainSplit: "all", out: first });
  writeFileSync(image, readFileSync(join(loose, "green", "0003.png")));
  await expect(again()).rejects.toThrow(/loose holds other images than when .*first was begun \(60 then, 60 now, but/);
  rmSync(image);
  await expect(again()).rejects.toThrow(/\(60 then, 59 now\).*choose another --out.*delete "collection" from/);
  writeFileSync(image, bytes);
  await expect(again()).rejects.toThrow(/60 now/); // its date is another
  const { config } = benchmarkFiles(first);
  writeFileSync(config, readFileSync(config, "utf8").replace(/"collection".*/, ""));
  await again();
});

test("weights from elsewhere are one more baseline, in tables and lines", async () => {
  const weights = [`other:resnet10=${runFiles(join(benchmarkFiles(first).runs, "rotation")).encoder}`];
  const out = join(folder, "weights");
  const measured = await benchmark({ ...small, images: parted, tasks: ["jigsaw"], weights, out });
  const against = measured.differences.filter(({ baselineKind }) => baselineKind === "weights");
  expect(against.map(({ baseline, protocol }) => [baseline, protocol])).toEqual([
    ["other", "knn-20"],
    ["other", "linear"],
  ]);
  expect(measured.lines.map(({ name }) => name)).toContain("other");
  expect(benchmarkHtml(measured, "").match(/Jigsaw puzzle[^<]* − other/)).not.toBeNull();
});

test("a budget that is used up still gives verdicts, says what it left out, and can be gone on with", async () => {
  const out = join(folder, "short");
  const { epochs: _, labelsPerClass: __, scratchDraws: ___, ...timed } = small;
  const options = { ...timed, images: parted, budget: "0.1s", scratchSteps: 5, out };
  const short = await benchmark(options);
  const measured = ({ rows }: BenchmarkResult) => [...new Set(rows.map(({ labelsPerClass }) => labelsPerClass))];
  expect([short.headline, measured(short)]).toEqual([2, [2]]);
  expect(short.rows.some(({ kind }) => kind === "from-scratch")).toBe(false);
  const notes = short.notes.join("\n");
  expect(notes).toMatch(
    /--budget 0.1s left no time .* with 1, 4 and all labels a class\. .*--labels-per-class 1,2,4,all/,
  );
  expect(notes).toMatch(/no network was trained from scratch\. .* more: the same command with --scratch-draws 1/);
  const html = benchmarkHtml(short, "");
  for (const absent of ["From scratch means", "How many labels it takes", "<th>Labels</th>", "not to scale"])
    expect(html).not.toContain(absent);

  const report = told(out);
  await benchmark(options);
  expect(told(out)).toBe(report);
  const more = await benchmark({ ...options, labelsPerClass: [1, 2, "all"], scratchDraws: 1 });
  expect(measured(more)).toEqual([1, 2, "all"]);
  expect(more.rows.filter(({ kind }) => kind === "from-scratch").map((row) => row.labelsPerClass)).toEqual([
    ...[1, 2, "all"],
  ]);
});

test("decisions that were made before it was killed stand", async () => {
  const out = join(folder, "decided");
  cpSync(join(folder, "short"), out, { recursive: true });
  const { config, plan, measured, report } = benchmarkFiles(out);
  writeFileSync(config, readFileSync(config, "utf8").replaceAll(join(folder, "short"), out));
  for (const gone of [measured, report]) rmSync(gone, { recursive: true });
  const whole = { draws: 1, scratch: [2], further: [], left: 90 };
  const { minutes } = JSON.parse(readFileSync(plan, "utf8")) as { minutes: number };
  writeFileSync(plan, JSON.stringify({ minutes, counts: [1, 2], whole }));
  const { epochs: _, labelsPerClass: __, scratchDraws: ___, ...timed } = small;
  const again = { ...timed, images: parted, budget: "0.1s", scratchSteps: 5, out };
  const { rows, notes } = await benchmark(again);
  const cells = [...new Set(rows.map(({ kind, labelsPerClass }) => `${kind} ${labelsPerClass}`))];
  expect(cells).toContain("pixels 1");
  expect(cells.filter((cell) => cell.startsWith("from-scratch"))).toEqual(["from-scratch 2"]);
  expect(notes.join()).toMatch(/1 draw of 2 labels a class was trained from scratch\. .* about 1 min 30 s more/);

  // They say nothing of other numbers of labels.
  const other = await benchmark({ ...again, labelsPerClass: [4, "all"] });
  expect(other.rows.some(({ kind }) => kind === "from-scratch")).toBe(false);
  expect(other.tasks[0]?.savings).toBeUndefined();
});

test("images that cannot be read are no reason to refuse a set, while they are few in all", async () => {
  const torn = join(folder, "torn");
  for (const [seed, part] of ["train", "test"].entries())
    await makePictures(join(torn, part), { count: part === "train" ? 40 : 8, classes, seed });
  for (const i of [0, 1, 2, 3]) writeFileSync(join(torn, "train", "green", `000${i}.png`), "torn"); // 4 of 80, and of a sample of 64
  const { notes } = await benchmark({ ...small, images: torn, out: join(folder, "torn-results") });
  expect(notes.join("\n")).toMatch(/4 of 80 training images cannot be read/);
});

test("labels may be added: the verdict moves to more of them, and a yardstick that has not learned them is named", async () => {
  const grown = join(folder, "grown");
  for (const [seed, part] of ["train", "test"].entries())
    await makePictures(join(grown, part), { count: 12, classes, seed });
  const labels = join(folder, "labels.csv");
  const label = (trained: number) => {
    const lines = ["train", "test"].flatMap((part) =>
      classes.flatMap((name) =>
        Array.from({ length: part === "train" ? trained : 12 }, (_, i) => {
          return `${part}/${name}/${String(i).padStart(4, "0")}.png,${name}`;
        }),
      ),
    );
    writeFileSync(labels, ["path,label", ...lines, ""].join("\n"));
  };
  const { epochs: _, labelsPerClass: __, ...timed } = small;
  const tasks = ["rotation", "supervised"];
  const run = () =>
    benchmark({ ...timed, tasks, images: grown, labels, budget: "0.1s", out: join(folder, "grown-results") });
  label(4);
  const before = await run();
  expect([before.headline, before.notes.join().includes("supervised was trained before")]).toEqual([2, false]);
  expect(before.notes.join()).toContain("supervised learned the labels of 8 of 8 training images");
  label(12);
  const after = await run();
  expect([after.headline, after.labelled]).toEqual([4, 24]);
  expect(after.notes.join()).toMatch(
    /supervised was trained before 16 training labels of 24 were added or changed.* Delete .*supervised and repeat/,
  );
});
