import { expect, test } from "vitest";
import { compare, correctFamilies, type Measured } from "../../src/evaluate/compare.ts";
import { classCounts } from "../../src/evaluate/draws.ts";
import { linear } from "../../src/evaluate/linear.ts";
import type { Protocol } from "../../src/evaluate/protocol.ts";
import type { Kind, Representation } from "../../src/evaluate/representations.ts";
import type { Difference } from "../../src/evaluate/result.ts";
import { accuracy } from "../../src/metric.ts";
import { outcome } from "../../src/report/verdict.ts";

const IMAGES = 400;

/** Three draws in which the first `right` of every 100 test images are classified correctly. */
function measured(encoder: string, layer: string, right: number, heldOut = right / 100): Measured {
  const scores = Array.from({ length: IMAGES }, (_, i) => (i % 100 < right ? 1 : 0));
  const kind: Kind = encoder.startsWith("untrained") ? "untrained" : "pre-trained";
  const row = { id: encoder, encoder: `the ${encoder}`, kind, protocol: "linear", layer, labelsPerClass: 5 };
  const bounds = { value: right / 100, low: right / 100, high: right / 100, n: IMAGES, draws: 3 };
  return {
    row: { ...row, ...bounds, metric: accuracy },
    protocol: linear as unknown as Protocol,
    ...{ scores: [scores, scores, scores], values: [scores, scores, scores] },
    heldOut,
  };
}

const even = new Array<number>(10).fill(5);
const common = { classes: 10, classCounts: { tested: even, learned: even }, seen: new Map([["a", 7]]) };

const subject = (id: string, recipe?: string): Representation[] => [
  {
    id,
    label: `the ${id}`,
    role: `the ${id}`,
    kind: "pre-trained",
    imageSize: 32,
    baselines: [`untrained ${id}`],
    ...(recipe && { recipe }),
    features: async () => ({}),
  },
  {
    id: `untrained ${id}`,
    label: `the untrained ${id}`,
    role: "untrained",
    kind: "untrained",
    imageSize: 32,
    baselines: [],
    features: async () => ({}),
  },
];

test("each encoder is compared at the layer that was best on held-out labels, not the one that tested best", () => {
  const rows = [measured("a", "early", 50, 0.7), measured("a", "late", 60, 0.6), measured("untrained a", "early", 40)];
  const [difference, ...others] = compare(rows, subject("a"), common);
  expect(others).toEqual([]);
  expect(difference).toMatchObject({
    id: "a",
    encoder: "the a",
    layer: "early",
    baselineId: "untrained a",
    baseline: "the untrained a",
    baselineKind: "untrained",
    baselineRole: "untrained",
    baselineLayer: "early",
  });
  expect(difference?.difference).toBeCloseTo(0.1);
  expect(difference).toMatchObject({ seen: 7, chance: 0.1, comparisons: 1 });
});

test("guessing is always answering the commonest class, where one is commoner than the others", () => {
  const labels = Uint8Array.from({ length: 20 }, (_, i) => (i < 18 ? 1 : i % 2));
  const tested = classCounts(labels);
  expect(tested).toEqual([1, 19]);
  const rows = [measured("a", "late", 85), measured("untrained a", "late", 80)];
  const [difference] = compare(rows, subject("a"), { ...common, classes: 2, classCounts: { tested, learned: [5, 5] } });
  expect(difference).toMatchObject({ chance: 0.95 });
  expect(outcome(difference as Difference)).toBe("cannot tell");
  const halves = { tested: [10, 10], learned: [5, 5] };
  const [fair] = compare(rows, subject("a"), { ...common, classes: 2, classCounts: halves });
  expect(fair).toMatchObject({ chance: 0.5 });
  expect(outcome(fair as Difference)).toBe("helped");
});

test("runs of one recipe are also compared together, each with its own baseline; others are not", () => {
  const names = ["a", "b", "other"];
  const rows = names.flatMap((name, i) => [
    measured(name, "late", 50 + 10 * i),
    measured(`untrained ${name}`, "early", 40),
  ]);
  const subjects = [...subject("a", "one"), ...subject("b", "one"), ...subject("other", "another")];
  const differences = compare(rows, subjects, common);
  expect(differences.map(({ encoder }) => encoder)).toEqual(["the a", "the b", "the other", "the a and 1 more"]);
  expect(differences.map(({ seen }) => seen)).toEqual([7, null, null, null]);
  const together = differences[3];
  expect(together).toMatchObject({
    baseline: "the untrained a and 1 more",
    layer: "late",
    trainings: 2,
    draws: 3,
    n: IMAGES,
  });
  expect(together?.value).toBeCloseTo(0.55);
  expect(together?.difference).toBeCloseTo(0.15);
});

test("differences between trainings widen their common interval, however many draws each has", () => {
  const pair = (first: number, second: number) => {
    const rows = [first, second].flatMap((right, i) => [
      measured(`run-${i}`, "late", right),
      measured(`untrained run-${i}`, "early", 40),
    ]);
    return compare(rows, [...subject("run-0", "one"), ...subject("run-1", "one")], common).at(-1);
  };
  const [steady, lucky] = [pair(50, 50), pair(42, 58)];
  expect(lucky?.difference).toBeCloseTo(steady?.difference ?? Number.NaN);
  expect(lucky?.low).toBeLessThan(0.03); // the worse training alone: +2 points
  expect(steady?.low).toBeGreaterThan(0.06);
  // The p-value has the same variance as the interval. The images alone would make both certain.
  expect(steady?.p).toBeLessThan(1e-6);
  expect(lucky?.p).toBeGreaterThan(0.05);
  expect(lucky?.shares.trainings).toBeGreaterThan(0.9);
});

test("p-values are corrected among the comparisons with one kind of baseline, not among all", () => {
  const one = (p: number, baselineKind: Kind) => ({ p, baselineKind, comparisons: 1 });
  const several = [one(0.01, "untrained"), one(0.02, "pixels"), one(0.04, "untrained"), one(0.5, "untrained")];
  expect(correctFamilies(several)).toEqual([
    { p: 0.03, baselineKind: "untrained", comparisons: 3 },
    { p: 0.02, baselineKind: "pixels", comparisons: 1 },
    { p: 0.08, baselineKind: "untrained", comparisons: 3 },
    { p: 0.5, baselineKind: "untrained", comparisons: 3 },
  ]);
  expect(correctFamilies([])).toEqual([]);
});
