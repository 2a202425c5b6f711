/** Test images of one group, such as a patient, are one piece of evidence. */
import { expect, test } from "vitest";
import { compare, type Measured } from "../../src/evaluate/compare.ts";
import { groupCount, groupNumbers } from "../../src/evaluate/groups.ts";
import { type Protocol, mean as plainMean } from "../../src/evaluate/protocol.ts";
import type { Kind, Representation } from "../../src/evaluate/representations.ts";
import { meanInterval, pairedInterval } from "../../src/evaluate/statistics.ts";
import { intervalOf, valuesOf } from "../../src/evaluate/uncertainty.ts";
import { accuracy } from "../../src/metric.ts";
import { randomAt, randomInt, uniform } from "../../src/random.ts";
import { verdict } from "../../src/report/verdict.ts";

const TRIALS = 200;
const PATIENTS = 20;

type Random = ReturnType<typeof randomAt>;
const list = <One>(length: number, of: (i: number) => One) => Array.from({ length }, (_, i) => of(i));

/** Numbers of images: 50 of each patient, or 10 to 90. */
const even = () => 50;
const uneven = (random: Random) => randomInt(random, 10, 90);

/** The patient of each image. */
const patients = (size: (random: Random) => number, random: Random) =>
  list(PATIENTS, (patient) => new Array<number>(size(random)).fill(patient)).flat();

/** Answers (draws × images) of a network that is right at this rate, up to 20 points more or less for a patient. */
function answers(rate: number, groups: readonly number[], random: Random, draws = 1): number[][] {
  const effects = list(PATIENTS, () => uniform(random, -0.2, 0.2));
  return list(draws, () =>
    groups.map((patient) => (uniform(random, 0, 1) < rate + (effects[patient] as number) ? 1 : 0)),
  );
}

interface Shown {
  low: number;
  high: number;
}

/** In how many of 200 trials the interval holds the truth. */
function coverage(truth: number, interval: (random: Random) => Shown): number {
  const inside = list(TRIALS, (trial) => interval(randomAt(trial, PATIENTS))).filter(
    ({ low, high }) => low <= truth && truth <= high,
  );
  return inside.length / TRIALS;
}

test.each([
  ["equally many images", even, 1],
  ["10 to 90 images", uneven, 1],
  ["10 to 90 images, and three draws of labels", uneven, 3],
])("a difference's interval holds the truth as often as it says: patients with %s", (_, size, draws) => {
  const pair = (random: Random) => {
    const groups = patients(size, random);
    return { groups, a: answers(0.5, groups, random, draws), b: answers(0.5, groups, random, draws) };
  };
  const right = coverage(0, (random) => {
    const { groups, a, b } = pair(random);
    const values = (scores: number[][]) => valuesOf(scores, plainMean, Int32Array.from(groups));
    return pairedInterval(values(a), values(b));
  });
  expect(right).toBeGreaterThanOrEqual(0.9);
  expect(right).toBeLessThanOrEqual(0.99);
  const alone = coverage(0, (random) => {
    const { a, b } = pair(random);
    return pairedInterval(a, b);
  });
  expect(alone).toBeLessThan(0.8);
});

test.each([
  ["a mean", plainMean, 0.7],
  ["a metric that is not a mean", (scores: ArrayLike<number>) => Math.sqrt(plainMean(scores)), Math.sqrt(0.7)],
])("the interval of %s holds the truth as often as it says, around the metric itself", (_, reduce, truth) => {
  const right = coverage(truth, (random) => {
    const groups = patients(uneven, random);
    const scores = answers(0.7, groups, random);
    const interval = intervalOf(scores, valuesOf(scores, reduce, Int32Array.from(groups)), reduce);
    expect(interval.value).toBeCloseTo(reduce(scores[0] as number[]), 10);
    return interval;
  });
  expect(right).toBeGreaterThanOrEqual(0.9);
  expect(right).toBeLessThanOrEqual(0.99);
});

test("images that are all alone change nothing, and equal groups are worth their means", () => {
  expect(groupNumbers(["a", "b", 3])).toBeUndefined();
  const groups = groupNumbers(["p", "q", "p", "q"]) as Int32Array;
  expect([...groups, groupCount(groups)]).toEqual([0, 1, 0, 1, 2]);
  const scores = [[1, 0, 0, 0]];
  expect(valuesOf(scores, plainMean)).toBe(scores);
  expect(valuesOf(scores, plainMean, groups).map((row) => [...(row as Float64Array)])).toEqual([[0.5, 0]]);
  const rms = (some: ArrayLike<number>) => Math.sqrt(plainMean(Array.from(some, (one) => one ** 2)));
  const many = [list(250, (i) => (i * 17) % 11)];
  expect(valuesOf(many, rms, Int32Array.from(list(250, (i) => i)))).toEqual(valuesOf(many, rms));
});

test("all answers right have an interval that is as wide as for so many groups", () => {
  const groups = Int32Array.from(patients(uneven, randomAt(1)));
  const all = (count: number) => [new Array<number>(count).fill(1)];
  const own = intervalOf(all(groups.length), valuesOf(all(groups.length), plainMean, groups), plainMean);
  expect(own).toEqual(intervalOf(all(PATIENTS), all(PATIENTS), plainMean));
  expect(meanInterval(valuesOf(all(groups.length), plainMean, groups))).toEqual({ value: 1, low: 1, high: 1 });
});

/** A network with these answers to the images of each patient. */
function measured(id: string, kind: Kind, scores: number[][], groups: number[]): Measured {
  const own = Int32Array.from(groups);
  const values = valuesOf(scores, plainMean, own);
  const size = { n: groups.length, groups: groupCount(own), draws: scores.length };
  const row = { id, encoder: id, kind, protocol: "linear", layer: "l", labelsPerClass: 5, metric: accuracy };
  const protocol = { reduce: plainMean, guess: () => 0.1 } as unknown as Protocol;
  return {
    row: { ...row, ...intervalOf(scores, values, plainMean), ...size },
    protocol,
    groups: own,
    scores,
    values,
    heldOut: 0,
  };
}

const subject = (id: string, kind: Kind, baselines: string[] = []): Representation => ({
  ...{ id, label: id, role: id, kind, imageSize: 32, baselines },
  features: async () => ({}),
});

test("a comparison counts groups, and says so: four patients that differ are few, whatever their images", () => {
  const groups = patients(uneven, randomAt(2));
  const better = [groups.map((patient) => Number(patient < 14))];
  const scores = [groups.map((patient) => Number(patient < 10))];
  const rows = [measured("ours", "pre-trained", better, groups), measured("theirs", "untrained", scores, groups)];
  const subjects = [subject("ours", "pre-trained", ["theirs"]), subject("theirs", "untrained")];
  const [difference] = compare(rows, subjects, {
    classes: 10,
    classCounts: { tested: [], learned: [] },
    seen: new Map([["ours", 0]]),
  });
  expect(difference).toMatchObject({ n: groups.length, groups: PATIENTS });
  expect(difference?.p).toBe(2 ** -3); // two of the 16 assignments of signs to these four
  expect(verdict(difference as never)).toContain(`${groups.length.toLocaleString("en-US")} test images of 20 groups;`);
  expect(verdict(difference as never)).toContain("more groups of test images would tell");
});
