/** Anything that would make a result worthless is refused, or reported with it. */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { compare, correctFamilies, type Measured } from "../../src/evaluate/compare.ts";
import { evaluate } from "../../src/evaluate/evaluate.ts";
import { linear } from "../../src/evaluate/linear.ts";
import { mean, type Protocol } from "../../src/evaluate/protocol.ts";
import type { Kind, Representation } from "../../src/evaluate/representations.ts";
import { holm, meanInterval, pValue, signFlipTest } from "../../src/evaluate/statistics.ts";
import { estimateMean, type Rows } from "../../src/evaluate/variance.ts";
import { accuracy } from "../../src/metric.ts";
import { randomAt, uniform } from "../../src/random.ts";
import { outcome } from "../../src/report/verdict.ts";
import { saveState } from "../../src/run/checkpoint.ts";
import { loadEncoder, runFiles, saveEncoder } from "../../src/run/folder.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { tensor } from "../../src/torch/ops.ts";
import { memory, scope } from "../../src/torch/scope.ts";
import { learnedImages } from "../../src/train/batches.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { fakeSet } from "../data/fake-set.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { memoryStore } from "../memory-store.ts";
import { smallRun } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const run = join(folder, "run");
const classes = ["blue", "green", "red"];
const quick = { protocol: ["knn"], labelsPerClass: [2], draws: 1 } satisfies Partial<Parameters<typeof evaluate>[0]>;

expectNoLeak();

beforeAll(async () => {
  await makePictures(join(images, "train"), { count: 10, classes });
  await makePictures(join(images, "test"), { count: 5, classes, seed: 1 });
  await pretrain({ ...smallRun, images, epochs: 0.5, out: run });
});

/** A copy of the run with changed encoder tensors. */
function changedRun(name: string, change: (weights: Map<string, number[]>) => void): string {
  const copy = join(folder, name);
  cpSync(run, copy, { recursive: true });
  const { encoder } = loadEncoder(run);
  scope(() => {
    const state = encoder.state();
    const weights = new Map([...state].map(([key, value]) => [key, value.toArray()]));
    change(weights);
    const changed = [...weights].map(
      ([key, values]) => [key, tensor(values).reshape(...(state.get(key)?.shape ?? []))] as const,
    );
    saveState(runFiles(copy).encoder, new Map(changed));
  });
  encoder.dispose();
  return copy;
}

test.each([Number.NaN, Number.POSITIVE_INFINITY])(
  "an encoder with a weight of %d is refused, and the weight named",
  async (bad) => {
    const broken = changedRun(`weights-${bad}`, (weights) => weights.get("layer2.0.conv1.weight")?.splice(5, 1, bad));
    const before = memory().tensors;
    await expect(evaluate({ runs: [broken], images, ...quick })).rejects.toThrow(
      /weight layer2\.0\.conv1\.weight holds NaN or infinity/,
    );
    expect(memory().tensors).toBe(before);
    const { encoder, config } = loadEncoder(run);
    noGrad(() => encoder.state().get("layer1.0.bn1.weight")?.fill_(bad));
    expect(() => saveEncoder(join(folder, "none"), encoder, config)).toThrow(/layer1\.0\.bn1\.weight holds NaN/);
    encoder.dispose();
  },
);

test("weights so large that features overflow are refused, and the layer is named", async () => {
  const broken = changedRun("overflow", (weights) => {
    for (const name of ["layer1.0.bn2.weight", "layer2.0.bn2.weight"])
      weights.set(name, weights.get(name)?.map(() => 1e38) ?? []);
  });
  await expect(evaluate({ runs: [broken], images, ...quick })).rejects.toThrow(
    /layer layer[12] gives values that are not finite/,
  );
});

test("an encoder that gives every image the same features is measured, with a note", async () => {
  const dead = changedRun("dead", (weights) => {
    for (const [name, values] of weights)
      if (name.endsWith(".weight"))
        weights.set(
          name,
          values.map(() => 0),
        );
  });
  const { notes } = await evaluate({ runs: [dead], images, ...quick });
  expect(notes).toContainEqual(
    expect.stringMatching(/^dead gives the same features for every test image at stem, layer1, /),
  );
});

test("one training counts once, however often and under whatever path it is given", async () => {
  const [copy, link] = [join(folder, "copy"), join(folder, "link")];
  cpSync(run, copy, { recursive: true });
  symlinkSync(run, link);
  for (const again of [run, `${run}/`, join(run, "..", "run"), copy, link]) {
    await expect(evaluate({ runs: [run, again], images, ...quick })).rejects.toThrow(
      /the same weights as run.*Name each once/,
    );
  }
});

test("test images whose labels were learned are refused, or left out if requested", async () => {
  const all = join(folder, "all");
  await pretrain({ ...smallRun, images, task: "supervised", split: "train+test", epochs: 0.5, out: all });
  await expect(evaluate({ runs: [all], images, ...quick })).rejects.toThrow(
    /all learned the labels of 15 of the 15 test images/,
  );
  await expect(evaluate({ runs: [all], images, ...quick, seenLabels: "leave-out" })).rejects.toThrow(
    /No test image is left/,
  );

  const some = join(folder, "some");
  const mixed = join(folder, "mixed");
  cpSync(images, mixed, { recursive: true });
  cpSync(join(images, "train", "red", "0003.png"), join(mixed, "test", "red", "copied.png"));
  await pretrain({ ...smallRun, images: mixed, task: "supervised", epochs: 0.5, out: some });
  await expect(evaluate({ runs: [some], images: mixed, ...quick })).rejects.toThrow(
    /1 of the 16 test images.*copied\.png/,
  );
  const { notes, differences } = await evaluate({ runs: [some], images: mixed, ...quick, seenLabels: "leave-out" });
  expect(notes).toContain("1 of 16 test images are left out: some learned their labels.");
  expect(differences[0]).toMatchObject({ n: 15, seen: 0 });
});

test("a run of an older version, without a list of its images, is measured with a warning", async () => {
  const old = join(folder, "old");
  cpSync(run, old, { recursive: true });
  rmSync(runFiles(old).learned);
  const { notes, differences } = await evaluate({ runs: [old], images, ...quick });
  expect(notes).toContainEqual(expect.stringMatching(/old has no learned\.jsonl/));
  expect(differences[0]?.seen).toBeNull();
  writeFileSync(runFiles(old).learned, '{"digest":"ab');
  await expect(evaluate({ runs: [old], images, ...quick })).rejects.toThrow(/learned\.jsonl is damaged/);
  rmSync(runFiles(old).learned);
  const config = readFileSync(runFiles(old).config, "utf8");
  writeFileSync(runFiles(old).config, config.replace("task: rotation", "task: supervised"));
  await expect(evaluate({ runs: [old], images, ...quick })).rejects.toThrow(
    /old learned from labels, but its folder has no/,
  );
});

test("images that cannot be read, and classes that cannot be measured, are reported", async () => {
  const odd = join(folder, "odd");
  cpSync(images, odd, { recursive: true });
  for (const label of classes) await makePictures(join(odd, "train"), { count: 40, classes: [label], seed: 4 });
  writeFileSync(join(odd, "train", "red", "broken.png"), "no picture");
  await makePictures(join(odd, "test", "violet"), { count: 2, seed: 5 });
  await makePictures(join(odd, "train", "yellow"), { count: 2, seed: 6 });
  const { notes, file } = await evaluate({ runs: [run], images: odd, ...quick });
  expect(notes).toContainEqual(
    expect.stringMatching(/^1 of \d+ training images cannot be read: .*broken\.png \(it is no image/),
  );
  expect(notes).toContain(
    "Class violet has test images but no training labels: no answer there can be right but by chance.",
  );
  expect(notes).toContain("Class yellow has training labels but no test images.");
  expect((JSON.parse(readFileSync(file, "utf8")) as { notes: string[] }).notes).toEqual(notes);
});

test("test images of one group count once", async () => {
  const { rows, differences } = await evaluate({ runs: [run], images, ...quick, group: "folder" });
  for (const one of [...rows, ...differences]) expect(one).toMatchObject({ n: 15, groups: 3 });
  expect(differences[0]?.low).toBeLessThanOrEqual(differences[0]?.difference as number);
});

test("supervised uses only the labelled images, and other tasks get no labels", async () => {
  const partly = join(folder, "partly");
  cpSync(images, partly, { recursive: true });
  mkdirSync(join(partly, "unlabelled"));
  await makePictures(join(partly, "unlabelled"), { count: 8 });
  const told: string[] = [];
  const counts: number[] = [];
  for (const task of ["supervised", "rotation"]) {
    await pretrain(
      { ...smallRun, images: partly, task, epochs: 0.5, out: join(folder, `partly-${task}`) },
      {
        onEvent(event) {
          if (event.type !== "start") return;
          told.push(...event.notes);
          counts.push(event.images);
        },
      },
    );
  }
  expect(counts).toEqual([30, 38]);
  expect(told).toEqual(["Left out: 8 images without a label. This task learns from labels."]);
});

interface Noise {
  images: number;
  draws: number;
  trainings: number;
  /** Rates of right answers differ by up to this much between draws, and as much between trainings. */
  luck: number;
}
const PROTOCOLS = ["knn-20", "knn-200", "linear", "svm", "retrieval", "recall@1"];

/** What an evaluation says of training where every answer, trained or not, is right with a chance of a half: of ten classes, so that none is worse than guessing. */
function verdictsOnNoise({ images: n, draws, trainings, luck }: Noise, seed: number): string[] {
  const random = randomAt(seed);
  const subject = (id: string, kind: Kind, baselines: string[] = []): Representation => ({
    ...{ id, label: id, role: id, kind, imageSize: 32, baselines, recipe: "one" },
    features: async () => ({}),
  });
  const subjects = Array.from({ length: trainings }, (_, s) => [
    subject(`run ${s}`, "pre-trained", [`untrained ${s}`]),
    subject(`untrained ${s}`, "untrained"),
  ]).flat();
  const measured = PROTOCOLS.flatMap((protocol) =>
    subjects.map(({ id, kind }): Measured => {
      const training = uniform(random, -luck, luck);
      const scores = Array.from({ length: draws }, () => {
        const rate = 0.5 + (trainings > 1 ? training : 0) + (draws > 1 ? uniform(random, -luck, luck) : 0);
        return Array.from({ length: n }, () => (uniform(random, 0, 1) < rate ? 1 : 0));
      });
      const shared = { id, encoder: id, kind, protocol, layer: "l", labelsPerClass: 5 };
      const row = { ...shared, metric: accuracy, value: mean(scores.flat()), low: 0, high: 1, n, draws };
      return { row, protocol: linear as unknown as Protocol, scores, values: scores, heldOut: 0 };
    }),
  );
  const differences = compare(measured, subjects, {
    classes: 10,
    classCounts: { tested: [], learned: [] },
    seen: new Map(),
  });
  return correctFamilies(differences.filter((one) => one.trainings === trainings)).map(outcome);
}

test.each<[string, Noise]>([
  ["18 test images", { images: 18, draws: 1, trainings: 1, luck: 0 }],
  ["lucky draws of labels", { images: 100, draws: 5, trainings: 1, luck: 0.1 }],
  ["three trainings alike", { images: 100, draws: 5, trainings: 3, luck: 0 }],
  ["lucky draws and trainings", { images: 100, draws: 2, trainings: 4, luck: 0.2 }],
])("on noise, at most one evaluation in twenty says that something helped: %s, six protocols", (_, noise) => {
  const evaluations = 200;
  const verdicts = Array.from({ length: evaluations }, (_, seed) => verdictsOnNoise(noise, seed));
  expect(verdicts.every(({ length }) => length === PROTOCOLS.length)).toBe(true);
  expect(verdicts.filter((some) => some.includes("helped")).length).toBeLessThanOrEqual(0.05 * evaluations);
});

const pOf = (differences: Rows, trainings = 1) => pValue(differences, estimateMean(differences, trainings));

test("a p-value is that of the interval: it is 0.05 where the interval ends at zero", () => {
  const random = randomAt(3);
  const rows = Array.from({ length: 6 }, (_, row) => {
    const luck = uniform(random, -0.2, 0.2) + (row < 3 ? 0.05 : -0.05);
    return Float64Array.from({ length: 40 }, () => luck + uniform(random, -1, 1));
  });
  for (const trainings of [1, 2]) {
    const { low, value } = meanInterval(rows, { trainings });
    const atTheEdge = rows.map((row) => row.map((one) => one - low));
    expect(pOf(atTheEdge, trainings)).toBeCloseTo(0.05, 6);
    const around = rows.map((row) => row.map((one) => one - value));
    expect(pOf(around, trainings)).toBeCloseTo(1, 6);
  }
});

test("a difference on every image stays significant among hundreds of comparisons, one on few images does not", () => {
  const right = (ones: number, images_: number) => [
    Float64Array.from({ length: images_ }, (_, i) => (i < ones ? 1 : 0)),
  ];
  expect(Math.max(...holm(Array.from({ length: 300 }, () => pOf(right(200, 200)))))).toBeLessThan(0.001);
  expect(pOf(right(8, 8))).toBe(2 ** -7); // two of the 256 assignments of signs, though nothing varies
  expect(pOf(right(4, 1000))).toBe(2 ** -3); // Student's t alone says 0.046
  expect(pOf(right(0, 10))).toBe(1);
});

test("copies of a test image count once, and a class with an empty name is a class", async () => {
  const doubled = join(folder, "doubled");
  cpSync(images, doubled, { recursive: true });
  for (let i = 0; i < 5; i++)
    cpSync(join(images, "test", "red", "0000.png"), join(doubled, "test", "red", `again${i}.png`));
  const { notes, rows } = await evaluate({ runs: [run], images: doubled, ...quick });
  expect(notes.join()).toMatch(/5 test images are copies of other test images: each image is tested on once/);
  expect(rows[0]?.n).toBe(15);
  const set = fakeSet("nameless", { labels: [0, 1], classes: ["", "b"] });
  const store = { ...memoryStore(1, [new Uint8Array(3), new Uint8Array(3)]), digests: ["x", "y"] };
  const learned = learnedImages(set, { store, labels: Int32Array.of(0, 1), classes: ["", "b"] }, 2);
  expect(learned.map(({ label }) => label)).toEqual(["", "b"]);
});

test("the randomization test agrees with an exact count, and Holm's correction with the textbook", () => {
  expect(signFlipTest([1, 1, 1, 1, 1])).toBe(2 / 32); // all signs equal, in either direction
  expect(signFlipTest([1, 1, 1, -1])).toBe((2 + 8) / 16); // none or one against the others
  expect(signFlipTest([3, -1])).toBe(1);
  expect(signFlipTest([])).toBe(1);
  expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(holm([])).toEqual([]);
});
