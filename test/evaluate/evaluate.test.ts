/** A whole evaluation, on images whose classes differ in colour, with few labels. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { drawLabels, holdOut } from "../../src/evaluate/draws.ts";
import { type Evaluation, evaluate } from "../../src/evaluate/evaluate.ts";
import { knn } from "../../src/evaluate/knn.ts";
import { linear } from "../../src/evaluate/linear.ts";
import { measure, variantsOf } from "../../src/evaluate/measure.ts";
import { mean, type Protocol } from "../../src/evaluate/protocol.ts";
import { randn, tensor } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { dispose, memory, scope } from "../../src/torch/scope.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const run = join(folder, "run");
const classes = ["blue", "green", "red"];
/** The same numbers every time. */
const exact = { device: "cpu", precision: "f32" } as const;
let result: Evaluation;

expectNoLeak();

beforeAll(async () => {
  await makePictures(join(images, "train"), { count: 20, classes });
  await makePictures(join(images, "test"), { count: 10, classes, seed: 1 });
  await pretrain({ ...smallRun, images, epochs: 2, out: run });
  result = await evaluate({ ...exact, runs: [run], images, labelsPerClass: [2, "all"], draws: 3 });
});

test("measures every layer of the trained and the untrained network, the pixels, and descriptors made by hand", () => {
  expect(new Set(result.rows.map((row) => row.encoder))).toEqual(
    new Set(["run", "run, untrained", "pixels 32×32", "HOG + colour histogram"]),
  );
  const layers = (encoder: string) =>
    new Set(result.rows.filter((row) => row.encoder === encoder).map((row) => row.layer));
  expect([...layers("run")]).toEqual(["stem", "layer1", "layer2", "layer3", "layer4", "output"]);
  expect(layers("run, untrained")).toEqual(layers("run"));
  expect(new Set(result.rows.map((row) => row.protocol))).toEqual(new Set(["knn-20", "knn-200", "linear"]));
});

test("gives intervals, counts and draws", () => {
  for (const { value, low, high, n, draws, labelsPerClass } of result.rows) {
    expect(low).toBeLessThanOrEqual(value);
    expect(high).toBeGreaterThanOrEqual(value);
    expect(n).toBe(30);
    expect(draws).toBe(labelsPerClass === "all" ? 1 : 3);
  }
});

test("tells classes of different colour apart, from pixels and from features", () => {
  const best = Math.max(...result.rows.filter((row) => row.labelsPerClass === "all").map((row) => row.value));
  expect(best).toBeGreaterThan(0.9);
});

test("compares with the untrained network, the pixels and descriptors made by hand, for every protocol and number of labels", () => {
  expect(result.differences).toHaveLength(3 * 3 * 2);
  for (const { difference, low, high, encoder } of result.differences) {
    expect(encoder).toBe("run");
    expect(low).toBeLessThanOrEqual(difference);
    expect(high).toBeGreaterThanOrEqual(difference);
  }
});

test("writes result.json with the rows, and gives the same result again", async () => {
  expect(existsSync(result.file)).toBe(true);
  const file = JSON.parse(readFileSync(result.file, "utf8")) as Evaluation;
  expect(file.rows).toEqual(result.rows);
  const again = await evaluate({
    ...exact,
    ...{ runs: [run], images, labelsPerClass: [2, "all"], draws: 3, name: "again" },
  });
  expect(again.rows).toEqual(result.rows);
  expect(again.differences).toEqual(result.differences);
});

test("runs that started with the same weights share one untrained network", async () => {
  const second = join(folder, "second");
  await pretrain({ ...smallRun, images, taskOptions: { angles: 2 }, epochs: 2, out: second });
  const shared = { ...exact, images, protocol: ["linear"], labelsPerClass: [2], draws: 3, name: "shared" };
  const { rows, differences } = await evaluate({ runs: [second, run], ...shared });
  const encoders = ["second", "second, untrained", "run", "pixels 32×32", "HOG + colour histogram"];
  expect([...new Set(rows.map((row) => row.encoder))]).toEqual(encoders);
  expect(differences.map(({ encoder, baseline }) => [encoder, baseline])).toEqual([
    ["second", "second, untrained"],
    ["second", "pixels 32×32"],
    ["second", "HOG + colour histogram"],
    ["run", "second, untrained"],
    ["run", "pixels 32×32"],
    ["run", "HOG + colour histogram"],
  ]);
  // The comparison of run is the same as when it is evaluated alone.
  const alone = result.differences.find((one) => one.protocol === "linear" && one.labelsPerClass === 2);
  expect(differences[3]).toMatchObject({ baselineValue: alone?.baselineValue, difference: alone?.difference });
});

test.each([
  ["images without labels", () => ({ images: join(images, "train", "red") }), /no labels to measure/],
  ["a folder that is no run", () => ({ runs: [images] }), /not a run folder/],
  ["an unknown protocol", () => ({ protocol: ["linaer"] }), /Unknown protocol "linaer".*Did you mean "linear"/],
  ["an unknown option", () => ({ label: 3 }), /unknown option "label"/],
  ["a name in use", () => ({ name: "default" }), /result.json exists and is never overwritten.*--name/],
  ["no label a class", () => ({ labelsPerClass: [0] }), /labelsPerClass/],
  ["one split on both sides", () => ({ testSplit: "train" }), /train cannot be both learned from and tested on/],
  ["a misspelt split", () => ({ trainSplit: "tarin" }), /Unknown split.*Did you mean "train"/],
  [
    "an option that no protocol has",
    () => ({ protocolOptions: { linear: { penalty: 1 } } }),
    /unknown option of linear "penalty".*penalties/,
  ],
  [
    "options of a protocol that is not asked for",
    () => ({ protocol: ["knn"], protocolOptions: { linear: {} } }),
    /linear/,
  ],
])("%s is refused with the reason", async (_, wrong, message) => {
  const before = memory().tensors;
  await expect(evaluate({ runs: [run], images, ...wrong() } as never)).rejects.toThrow(message);
  expect(memory().tensors).toBe(before);
});

test("one label a class is measured at the last layer: none is held out to choose another by", async () => {
  const { rows, differences, notes } = await evaluate({
    ...{ runs: [run], images, protocol: ["linear"], labelsPerClass: ["1%", "2%"], draws: 2, name: "one" },
  });
  for (const row of [...rows, ...differences]) expect(row).toMatchObject({ labelsPerClass: 1, labelPercent: 5 });
  expect(notes).toContain("1% and 2% come to the same 1 label a class: measured once.");
  const last = rows.filter(({ kind }) => kind === "pre-trained").at(-1)?.layer;
  expect(last).toBe("output");
  expect(new Set(differences.map(({ layer }) => layer))).toEqual(new Set([last]));
});

test("protocols take their own options, and results without a name never overwrite others", async () => {
  const neighbours = [{ k: 3, temperature: 0.1 }];
  const options = { protocol: ["knn"], protocolOptions: { knn: { neighbours } }, labelsPerClass: [2], draws: 1 };
  const { rows, file } = await evaluate({ runs: [run], images, ...options });
  expect(new Set(rows.map((row) => row.protocol))).toEqual(new Set(["knn-3"]));
  expect(file).toBe(join(run, "evals", "default-2", "result.json"));
});

/** Two clouds of points at a distance, with their labels. */
function clouds(count: number, distance: number) {
  return scope(() => {
    manualSeed(5);
    const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
    const centres = tensor(Array.from(labels, (label) => [(label - 0.5) * distance, 0, 0]));
    return { features: randn([count, 3]).add(centres), labels };
  });
}

test.each([
  ["knn", knn],
  ["linear", linear],
] as const)("%s separates what can be separated, and guesses at what cannot", async (_, protocol) => {
  for (const [distance, least, most] of [
    [20, 0.99, 1],
    [0, 0.3, 0.7],
  ] as const) {
    const [train, test_] = [clouds(60, distance), clouds(200, distance)];
    const draws = [0, 1].map((draw) => drawLabels(train.labels, 10, 0, draw));
    const options = protocol.options.parse({});
    const before = memory().tensors;
    const known = ({ features, labels }: typeof train) => ({ features, truths: labels });
    for (const variant of variantsOf("it", protocol as unknown as Protocol, options)) {
      const { scores, heldOut } = await measure(variant, {
        ...{ train: known(train), test: known(test_), classes: 2, draws, seed: 0 },
        compute: { device: "cpu", precision: "f32" },
      });
      expect(scores).toHaveLength(2);
      for (const draw of scores) expect(mean(draw as number[])).toBeGreaterThanOrEqual(least);
      for (const draw of scores) expect(mean(draw as number[])).toBeLessThanOrEqual(most);
      expect(heldOut).toBeGreaterThanOrEqual(0);
    }
    expect(memory().tensors).toBe(before);
    dispose(train.features, test_.features);
  }
});

test("draws the same labels for the same seed, as many per class as requested, and holds some of each out", () => {
  const labels = Int32Array.from({ length: 90 }, (_, i) => i % 3);
  const rows = drawLabels(labels, 5, 1, 0);
  expect(rows).toEqual(drawLabels(labels, 5, 1, 0));
  expect(rows).not.toEqual(drawLabels(labels, 5, 1, 1));
  expect(new Set(rows).size).toBe(15);
  for (const label of [0, 1, 2]) expect(rows.filter((row) => labels[row] === label)).toHaveLength(5);
  const all = drawLabels(labels, "all", 1, 0);
  expect([...all].sort((a, b) => a - b)).toEqual([...labels.keys()]);
  expect(all.filter((row) => labels[row] === 0)).not.toEqual([...labels.keys()].filter((row) => labels[row] === 0));
  expect(drawLabels(labels, 100, 1, 0)).toHaveLength(90);
  const { fit, choose } = holdOut(rows, labels, 1 / 5);
  expect([...fit, ...choose].sort()).toEqual([...rows].sort());
  for (const label of [0, 1, 2]) expect(choose.filter((row) => labels[row] === label)).toHaveLength(1);
});
