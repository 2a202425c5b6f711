/** What is held out, to choose by, shares no group with what is fitted on. */
import { expect, test } from "vitest";
import { byClass, holdOut } from "../../src/evaluate/draws.ts";
import { groupNumbers, groupsOf, inSeveralGroups } from "../../src/evaluate/groups.ts";
import { knn } from "../../src/evaluate/knn.ts";
import { linear } from "../../src/evaluate/linear.ts";
import { fitOneVsRest } from "../../src/evaluate/one-vs-rest.ts";
import { mean, type Protocol } from "../../src/evaluate/protocol.ts";
import { recalls } from "../../src/evaluate/retrieval.ts";
import { squaredHinge } from "../../src/evaluate/squared-hinge.ts";
import { svm } from "../../src/evaluate/svm.ts";
import { randomAt, shuffle, uniform } from "../../src/random.ts";
import { randn, tensor } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { dispose, scope } from "../../src/torch/scope.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const count = (length: number) => Array.from({ length }, (_, i) => i);

/** Each group is on one side. */
function expectWhole({ fit, choose }: ReturnType<typeof holdOut>, groups: ArrayLike<number>) {
  const fitted = new Set(fit.map((row) => groups[row]));
  expect(choose.filter((row) => fitted.has(groups[row]))).toEqual([]);
}

test("whole groups are held out, about the fraction that is asked for, of every class that has two", () => {
  const labels = count(200).map((i) => i % 2);
  const groups = count(200).map((i) => (i % 2) + 2 * (i % 9)); // nine groups of each class
  const rows = shuffle(count(200), randomAt(1));
  const split = holdOut(rows, labels, 1 / 5, groups);
  expectWhole(split, groups);
  expect([...split.fit, ...split.choose].sort((a, b) => a - b)).toEqual(count(200));
  for (const own of byClass(split.choose.map((row) => labels[row] as number))) {
    expect(own.length).toBeGreaterThanOrEqual(20);
    expect(own.length).toBeLessThan(40);
  }
  // Alone, images are held out as ever: the first of each class.
  expect(holdOut(rows, labels, 1 / 5, count(200))).toEqual(holdOut(rows, labels, 1 / 5));
  expect(holdOut(rows, labels, 1 / 5).choose.slice(0, 20)).toEqual(rows.filter((row) => row % 2 === 0).slice(0, 20));
});

test("each class keeps a group to fit on, and of large groups the smallest is held out", () => {
  const labels = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2];
  const groups = [1, 1, 1, 1, 2, 2, 3, 3, 3, 4];
  const { fit, choose } = holdOut(count(10), labels, 1 / 5, groups);
  expect(choose).toEqual([4, 5]); // of class 1 nothing: it is a single group
  expect(fit).toEqual([0, 1, 2, 3, 6, 7, 8, 9]);
  // Group 2 is all of class 1, so that group 1 is held out for class 0.
  expect(holdOut(count(6), [0, 0, 0, 0, 1, 1], 1 / 5, [1, 1, 2, 2, 2, 2]).choose).toEqual([0, 1]);
  // A group of both classes counts for both.
  expect(
    holdOut(
      count(8),
      count(8).map((i) => i % 2),
      1 / 5,
      count(8).map((i) => i >> 2),
    ).choose,
  ).toEqual([0, 2, 1, 3]);
});

test("labels that two groups have are told from others, and groups are counted anew among some images", () => {
  expect([...inSeveralGroups([0, 0, 1, 1, 2], Int32Array.of(0, 1, 2, 2, 3))]).toEqual([0]);
  expect([...inSeveralGroups([0, 0, 1])]).toEqual([0]);
  expect(groupsOf([0, 2, 1], [5, 6, 5])).toEqual(Int32Array.of(0, 0, 1));
  expect(groupsOf([0, 1], [5, 6, 5])).toBeUndefined();
  expect(groupNumbers([])).toBeUndefined();
});

test("folds of a class hold whole groups, with rows in the class and outside of it", async () => {
  manualSeed(3);
  const x = randn([12, 4]);
  const solver = await squaredHinge(x);
  const members = [Uint8Array.from(count(12), (row) => Number(row < 6))];
  const common = { x, solver, costs: [0.01, 10], maxIterations: 100 };
  const precisionOf = async (groups?: number[]) => {
    const found = await fitOneVsRest({ ...common, members, ...(groups && { groups: Int32Array.from(groups) }) });
    found.weights.dispose();
    return found.choices[0]?.precision;
  };
  expect(await precisionOf(count(12))).toBe(await precisionOf());
  expect(await precisionOf(count(12).map((row) => (row < 6 ? 0 : row)))).toBeUndefined(); // the class is one group

  /** Fits each cost without one fold after the other, and takes the best cost. */
  const slowly = async (folds: readonly number[]) => {
    const means: number[] = [];
    for (const cost of common.costs) {
      const precisions: number[] = [];
      for (const fold of new Set(folds)) {
        const signs = tensor([count(12).map((row) => (row < 6 ? 1 : -1))]);
        const costs = tensor([count(12).map((row) => (folds[row] === fold ? 0 : row < 6 ? 2 * cost : cost))]);
        const weights = await solver.solve(signs, costs, { tolerance: 1e-4, maxIterations: 100 });
        const decisions = scope(() => x.matmul(weights.select(0, 0)).toArray());
        precisions.push(
          precisionAt(
            count(12).filter((row) => folds[row] === fold),
            decisions,
          ),
        );
        dispose(signs, costs, weights);
      }
      means.push(mean(precisions));
    }
    return Math.max(...means);
  };
  /** Average precision of these rows, of which the first six are in the class. */
  const precisionAt = (rows: number[], decisions: readonly number[]) => {
    const ranked = rows.toSorted((a, b) => (decisions[b] as number) - (decisions[a] as number));
    const found = ranked.flatMap((row, i) => (row < 6 ? [i + 1] : []));
    return mean(found.map((rank, i) => (i + 1) / rank));
  };
  // Two groups with rows of both kinds.
  const two = count(12).map((row) => row % 2);
  expect(await precisionOf(two)).toBeCloseTo(await slowly(two), 5);
  // Rows outside of the class are in two groups, so that there are two folds: that of the group of both kinds, and the other.
  const few = count(12).map((row) => (row === 11 ? 0 : Math.min(row, 6)));
  expect(await precisionOf(few)).toBeCloseTo(await slowly([0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 0]), 5);
  solver.dispose();
  dispose(x);
});

const [PATIENTS, EACH, CLASSES] = [24, 8, 2];

/** Features (N, 16) of a layer that recognises patients, and of one that sees a little of the class. */
function layers() {
  const random = randomAt(4);
  const noise = (width: number, size: number) => Array.from({ length: width }, () => size * uniform(random, -1, 1));
  const looks = count(PATIENTS).map(() => noise(16, 1));
  const groups = count(PATIENTS * EACH).map((i) => i % PATIENTS);
  const truths = groups.map((patient) => patient % CLASSES);
  const recognising = groups.map((patient) =>
    (looks[patient] as number[]).map((value, i) => value + (noise(16, 0.2)[i] as number)),
  );
  const seeing = truths.map((label) => noise(16, 1).map((value, i) => value + (i === label ? 0.7 : 0)));
  return { groups, truths, recognising, seeing };
}

test.each<[string, unknown]>([
  ["linear", linear],
  ["knn", knn],
  ["svm", svm],
  ["recall@1", recalls["recall@1"]],
])("a layer that recognises patients is not better than one that sees the class: %s", async (_, entry) => {
  const protocol = entry as Protocol;
  const { groups, truths, recognising, seeing } = layers();
  const options = protocol.options.parse({});
  const chosen = Object.values(protocol.variants?.(options) ?? { options })[0] as Record<string, unknown>;
  const heldOut = async (values: number[][], known?: number[]) => {
    const features = tensor(values);
    const on = {
      features,
      truths,
      groups: known,
      rows: shuffle(count(truths.length), randomAt(6)),
      classes: CLASSES,
      seed: 0,
    };
    const fitted = await protocol.fit({ ...on, compute: { device: "cpu", precision: "f32" } }, chosen);
    fitted.dispose();
    features.dispose();
    return fitted.heldOut;
  };
  expect(await heldOut(recognising)).toBeGreaterThan((await heldOut(seeing)) + 0.1);
  expect(await heldOut(recognising, groups)).toBeLessThan((await heldOut(seeing, groups)) - 0.05);
});
