/** Wrong labels that were put in on purpose are found. */
import { expect, test } from "vitest";
import { findLabelNoise, labelNoise } from "../../src/evaluate/label-noise.ts";
import { randomAt, randomInt, shuffle, uniform } from "../../src/random.ts";
import { tensor } from "../../src/torch/ops.ts";
import { dispose } from "../../src/torch/scope.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const [CLASSES, COUNT, WIDTH] = [4, 600, 8];

async function noiseIn(rows: number[][], labels: number[], classes: number, groups?: Int32Array) {
  const features = tensor(rows);
  try {
    return await findLabelNoise({ features, labels, groups }, { classes, seed: 0 });
  } finally {
    dispose(features);
  }
}

/** Features (N, 8) around a centre for each class, `spread` wide. A fraction of the labels is changed to another class. */
async function noisy(spread: number, wrong: number) {
  const random = randomAt(3);
  const normal = () => Array.from({ length: 12 }, () => uniform(random, -0.5, 0.5)).reduce((a, b) => a + b);
  const centres = Array.from({ length: CLASSES }, () => Array.from({ length: WIDTH }, normal));
  const truths = Array.from({ length: COUNT }, (_, i) => i % CLASSES);
  const rows = truths.map((label) => (centres[label] as number[]).map((value) => value + spread * normal()));
  const order = shuffle(
    truths.map((_, i) => i),
    random,
  );
  const flipped = new Set(order.slice(0, Math.round(wrong * COUNT)));
  const labels = truths.map((label, i) =>
    flipped.has(i) ? (label + randomInt(random, 1, CLASSES - 1)) % CLASSES : label,
  );
  const found = await noiseIn(rows, labels, CLASSES);
  return { ...found, truths, flipped, hits: found.suspects.filter(({ row }) => flipped.has(row)).length };
}

test("of 5 % wrong labels most are found, and most of what is found is wrong", async () => {
  const { suspects, flipped, truths, hits, estimated, accuracy, checked } = await noisy(0.6, 0.05);
  expect(checked).toBe(COUNT);
  expect(accuracy).toBeGreaterThan(0.85);
  expect(hits / flipped.size).toBeGreaterThanOrEqual(0.8); // recall; by chance 0.05 of as many
  expect(hits / suspects.length).toBeGreaterThan(0.7); // precision; by chance 0.05
  const first = suspects.slice(0, 12);
  expect(first.filter(({ row }) => flipped.has(row)).length).toBeGreaterThan(10);
  expect(first.filter(({ row, predicted }) => predicted === truths[row]).length).toBeGreaterThan(10);
  expect(Math.abs(estimated - flipped.size)).toBeLessThan(0.5 * flipped.size);
  const margins = suspects.map((one) => one.predictedProbability - one.givenProbability);
  expect(margins).toEqual([...margins].sort((a, b) => b - a));
});

test("without wrong labels, there are few suspects", async () => {
  const { suspects, estimated } = await noisy(0.4, 0);
  expect(suspects.length).toBeLessThan(0.02 * COUNT);
  expect(estimated).toBeLessThan(0.02 * COUNT);
});

test("thresholds are the mean confidence in each class, and counts are scaled to all images with a label", () => {
  // Two classes. Thresholds: (0.9 + 0.7 + 0.2) / 3 = 0.6 and (0.8 + 0.5) / 2 = 0.65.
  const probabilities = Float32Array.from([0.9, 0.1, 0.7, 0.3, 0.2, 0.8, 0.2, 0.8, 0.5, 0.5]);
  const { suspects, estimated, accuracy } = labelNoise(probabilities, [0, 0, 0, 1, 1], [0, 1, 2, 3, 4], 2);
  expect(suspects).toHaveLength(1);
  expect(suspects[0]).toMatchObject({ row: 2, given: 0, predicted: 1 });
  expect(suspects[0]?.predictedProbability).toBeCloseTo(0.8);
  expect(estimated).toBeCloseTo(1); // one of three confident images with the label 0, of which there are three
  expect(accuracy).toBeCloseTo(3 / 5); // a tie goes to the first class
});

test("classes with too few images, and images without a label, are not checked", async () => {
  const rows = Array.from({ length: 24 }, (_, i) => [i % 2, uniform(randomAt(i), 0, 0.1)]);
  const labels = rows.map((_, i) => (i >= 20 ? (i === 20 ? 2 : -1) : i % 2));
  const { checked, suspects } = await noiseIn(rows, labels, 3);
  expect([checked, suspects.length]).toEqual([20, 0]);
  const oneClass = labels.map(() => 0);
  expect((await noiseIn(rows, oneClass, 3)).checked).toBe(0);
});

test("a patient whose label is wrong throughout is a suspect: nobody learned it from the patient's other images", async () => {
  const random = randomAt(5);
  const normal = () => Array.from({ length: 12 }, () => uniform(random, -0.5, 0.5)).reduce((a, b) => a + b);
  const [patients, each] = [20, 6];
  const looks = Array.from({ length: patients }, () => Array.from({ length: 12 }, normal));
  const groups = Int32Array.from({ length: patients * each }, (_, i) => i % patients);
  const truths = Array.from(groups, (patient) => patient % 2);
  const rows = truths.map((label, i) => [
    ...[1, 1, 1, 1].map(() => 2 * label - 1 + 0.1 * normal()),
    ...(looks[groups[i] as number] as number[]).map((value) => value + 0.1 * normal()),
  ]);
  const labels = truths.map((label, i) => (groups[i] === 7 ? 1 - label : label));
  const wrong = ({ suspects }: Awaited<ReturnType<typeof noiseIn>>) =>
    suspects.filter(({ row }) => groups[row] === 7).length;
  expect(wrong(await noiseIn(rows, labels, 2, groups))).toBe(each);
  expect(wrong(await noiseIn(rows, labels, 2))).toBe(0);
  const few = groups.map((patient) => patient % 8); // four of each class
  expect((await noiseIn(rows, labels, 2, few)).checked).toBe(0);
});
