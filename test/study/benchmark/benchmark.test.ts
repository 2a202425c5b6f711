import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { InterruptedError } from "../../../src/errors.ts";
import { benchmarkHtml, benchmarkVerdict } from "../../../src/report/benchmark.ts";
import { type BenchmarkResult, benchmark } from "../../../src/study/benchmark/benchmark.ts";
import { benchmarkFiles } from "../../../src/study/benchmark/folder.ts";
import type { BenchmarkOptions } from "../../../src/study/benchmark/options.ts";
import { makePictures, scratch } from "../../images.ts";
import { expectNoLeak } from "../../live.ts";

expectNoLeak();

const folder = scratch();
const images = join(folder, "pictures");
const classes = ["red", "green"];
const small: Omit<BenchmarkOptions, "out"> = {
  ...{ images, tasks: ["rotation", "jigsaw"], epochs: 1, imageSize: 32, width: 0.125, batchSize: 8, threads: 1 },
  ...{ labelsPerClass: [1, 2, 4, "all"], draws: 2, scratchDraws: 0, device: "cpu", precision: "f32" },
};
/** Trains from scratch, too. */
const whole = { ...small, scratchDraws: 1, scratchSteps: 10 };
let result: BenchmarkResult;

beforeAll(async () => {
  await makePictures(join(images, "train"), { count: 12, classes });
  const stray = await makePictures(join(folder, "stray"), { count: 1, classes: ["red"], seed: 9 });
  cpSync(join(stray, "red", "0000.png"), join(images, "train", "green", "stray.png"));
  await makePictures(join(images, "test"), { count: 12, classes, seed: 1 });
  await makePictures(join(folder, "singles", "train"), { count: 1, classes });
  await makePictures(join(folder, "singles", "test"), { count: 2, classes, seed: 1 });
  result = await benchmark({ ...whole, out: join(folder, "first") });
}, 120_000);

test("each task is compared with the same network untrained, from scratch, pixels and descriptors", () => {
  expect(result.tasks.map(({ task }) => task).sort()).toEqual(["jigsaw", "rotation"]);
  expect(result.headline).toBe(2);
  for (const { untrained, savings, ids } of result.tasks) {
    expect(untrained).toMatchObject({ protocol: "linear", labelsPerClass: 2, baselineKind: "untrained", n: 24 });
    expect(savings?.labels).toBeGreaterThanOrEqual(1);
    const kinds = new Set(result.differences.filter(({ id }) => ids.includes(id)).map((one) => one.baselineKind));
    expect([...kinds].sort()).toEqual(["from-scratch", "handcrafted", "pixels", "untrained"]);
  }
  const fromScratch = result.rows.filter(({ kind }) => kind === "from-scratch");
  for (const id of new Set(fromScratch.map((row) => row.id))) {
    const own = fromScratch.filter((row) => row.id === id);
    expect(own.map(({ protocol, labelsPerClass }) => [protocol, labelsPerClass])).toEqual([
      ["finetune", 1],
      ["finetune", 2],
      ["finetune", 4],
      ["finetune", "all"],
    ]);
  }
  const [best, other] = result.tasks.map(({ heldOut }) => heldOut as number);
  expect(best).toBeGreaterThanOrEqual(other as number);
});

test("the report says it in sentences, and holds no broken values", () => {
  const html = benchmarkHtml(result, "selfsight benchmark <pictures>");
  const said = html.replace(/base64,[^"]*/g, ""); // pictures hold any three letters
  const [first, numbers, saved] = benchmarkVerdict(result);
  expect(first).toMatch(/^(It helped|It did not help|Cannot tell yet)/);
  expect(numbers).toMatch(/^Pre-trained by \w+.*: [\d.]+ %\. The same network untrained: [\d.]+ %\.$/);
  expect(saved).toMatch(/^From scratch, the same network needs .* labels a class to do what it does with 2/);
  for (const broken of ["NaN", "undefined", "[object", "Infinity"]) expect(said).not.toContain(broken);
  expect(html).toContain("selfsight benchmark &#60;pictures&#62;");
  expect(html.match(/<h2>/g)?.length).toBeGreaterThan(10);
  expect(html.match(/not to scale/g)).toHaveLength(1);
  const ofShare = result.tasks.map((one) => ({ ...one, untrained: { ...one.untrained, labelPercent: 10 } }));
  expect(benchmarkHtml({ ...result, tasks: ofShare }, "")).toContain(
    "10 % of the labels (2 per class), 24 test images",
  );
});

test("the report says how the best was chosen, and which test images were seen without labels", () => {
  const said = (task: { heldOut?: null }, seen: number | null = 0) =>
    benchmarkHtml(
      { ...result, tasks: result.tasks.map((one) => ({ ...one, ...task, untrained: { ...one.untrained, seen } })) },
      "",
    );
  const known = said({});
  for (const words of [
    "chosen like the task on held-out training labels.<",
    '<th class="wide">Best layer',
    "ranked by",
  ])
    expect(known).toContain(words);
  expect(known).toContain("With one label a class none can be held out: the last layer is shown.");
  expect(said({}, 5)).toContain("labels; pre-training saw 5 of the 24 test images, without their labels.<");
  expect(said({}, null)).toContain("; which test images pre-training saw is not known.<");
  const none = said({ heldOut: null });
  expect(none).toMatch(/, the last, of the task that was named first: with so few labels, none could be held out/);
  expect(none).toContain("tasks stand in the order in which they were named");
  for (const untrue of ["chosen like the task", "Best layer", "ranked by"]) expect(none).not.toContain(untrue);
});

test("a training image with a wrong label is found, listed and shown", () => {
  const { health, gallery, folder: out } = result;
  expect(health.labels).toMatchObject({ checked: 25, suspects: 1 });
  const [header, first, ...more] = readFileSync(benchmarkFiles(out).suspects, "utf8").trim().split("\n");
  expect(header).toBe("path,label,suggested,probability_of_label,probability_of_suggested");
  expect(first).toMatch(/stray\.png,green,red,0\.\d{4},[01]\.\d{4}$/);
  expect(more).toEqual([]);
  expect(gallery.suspects?.length).toBeGreaterThan(100);
  expect(health.sizes).toMatchObject({ looked: 49, median: 24, smaller: 49, muchSmaller: 0, long: 0 });
  const html = benchmarkHtml(result, "");
  expect(html).toContain("Data health");
  expect(html).toContain("Labels that look wrong");
});

test("the same command goes on where it was, and another one is refused", async () => {
  const { report, measured } = benchmarkFiles(join(folder, "first"));
  const before = readFileSync(report, "utf8");
  const again = await benchmark({ ...whole, out: join(folder, "first") });
  expect(readFileSync(report, "utf8")).toBe(before);
  expect(again.tasks).toEqual(result.tasks);
  expect(existsSync(measured)).toBe(true);
  await expect(benchmark({ ...small, width: 0.25, out: join(folder, "first") })).rejects.toThrow(
    /other settings: width was 0\.125, is 0\.25\. .*--out\.$/,
  );
  const [older, { config }] = [join(folder, "older"), benchmarkFiles(join(folder, "older"))];
  mkdirSync(older);
  const text = readFileSync(benchmarkFiles(join(folder, "first")).config, "utf8");
  writeFileSync(config, text.replace(/"version": \d+/, '"version": 1'));
  await expect(benchmark({ ...whole, out: older })).rejects.toThrow(/a benchmark of another version of Selfsight/);
  expect(readdirSync(older)).toEqual([basename(config)]);
});

test("interrupted and repeated, it reports what it would have reported", async () => {
  const [out, alone] = [join(folder, "stopped"), join(folder, "first")];
  const controller = new AbortController();
  const onEvent = ({ type }: { type: string }) => type === "step" && controller.abort();
  await expect(
    benchmark({ ...whole, out }, { signal: controller.signal, onEvent: (event) => void onEvent(event) }),
  ).rejects.toThrow(
    new InterruptedError(`Interrupted. What is done is kept in ${out}: the same command goes on with it.`),
  );
  expect(existsSync(benchmarkFiles(out).report)).toBe(false);
  await benchmark({ ...whole, out });
  const told = (place: string) => readFileSync(benchmarkFiles(place).report, "utf8").replaceAll(place, "");
  expect(told(out)).toBe(told(alone));
});

test("a damaged measurement is measured again", async () => {
  const [out, from] = [join(folder, "damaged"), join(folder, "first")];
  cpSync(from, out, { recursive: true });
  const { config, report, measured } = benchmarkFiles(out);
  writeFileSync(config, readFileSync(config, "utf8").replaceAll(from, out));
  const damaged = readdirSync(measured).filter((_, i) => i % 4 === 0);
  expect(damaged.length).toBeGreaterThan(4);
  for (const [i, file] of damaged.entries()) writeFileSync(join(measured, file), i % 2 ? "{}" : "{");
  await benchmark({ ...whole, out });
  for (const file of damaged) expect(readFileSync(join(measured, file), "utf8")).toContain("layers");
  expect(readFileSync(report, "utf8").replaceAll(out, "")).toBe(
    readFileSync(benchmarkFiles(from).report, "utf8").replaceAll(from, ""),
  );
});

test.each([
  ["a task twice", { tasks: ["rotation", "rotation"] }, /names rotation twice/],
  ["an unknown task", { tasks: ["rotatoin"] }, /Did you mean "rotation"/],
  [
    "a budget that is no time",
    { epochs: undefined, budget: "soon" },
    /--budget: expected a time such as 30m or 2h; got "soon"/,
  ],
  ["an unknown probe", { probe: "lienar" }, /Did you mean "linear"/],
  ["a probe with two results", { probe: "conv-probe" }, /expected a protocol with one result/],
  [
    "a protocol that trains networks, among those on features",
    { protocol: ["finetune"] },
    /--protocol finetune: expected/,
  ],
  ["training from scratch on frozen features", { scratchProtocol: "conv-probe" }, /expected a protocol that trains/],
  ["tasks that all learn from labels", { tasks: ["supervised"] }, /--tasks supervised learns from labels: .*such as/],
  ["weights that are not there", { weights: ["resnet10=missing.safetensors"] }, /missing\.safetensors/],
  ["a size of weights without any", { weightsSize: 32 }, /--weights-size has no effect without --weights/],
  ["a folder called like the images", { out: images }, /also what the images are called/],
  ["one label a class", { images: join(folder, "singles") }, /no class with two labelled images/],
  ["a budget beside epochs", { budget: "1h" }, /--budget has no effect with --epochs/],
  ["steps of no training from scratch", { scratchSteps: 10 }, /--scratch-steps has no effect with --scratch-draws 0/],
  ["a model that does not exist", { model: "resnet9" }, /resnet/],
])("%s is refused before anything is trained", async (_, wrong, message) => {
  const out = join(folder, "refused");
  await expect(benchmark({ ...small, out, ...wrong } as BenchmarkOptions)).rejects.toThrow(message);
  expect(existsSync(out)).toBe(false);
});

test("a task that fails is noted, and the others go on", async () => {
  const grey = join(folder, "grey");
  for (const [seed, part] of ["train", "test"].entries())
    await makePictures(join(grey, part), { count: 8, classes, grey: true, seed });
  const { tasks, notes } = await benchmark({
    ...{
      ...small,
      labelsPerClass: ["20%", "25%"],
      images: grey,
      tasks: ["colorization", "rotation"],
      out: join(folder, "one-fails"),
    },
  });
  expect(tasks.map(({ task }) => task)).toEqual(["rotation"]);
  expect(notes.join()).toMatch(/colorization could not be trained: These images are grey/);
  expect(notes.join()).toMatch(/20% and 25% come to the same 2 labels a class/);
});
