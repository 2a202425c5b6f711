import { describe, expect, test } from "vitest";
import { InterruptedError } from "../../src/errors.ts";
import { fitOneVsRest } from "../../src/evaluate/one-vs-rest.ts";
import { squaredHinge } from "../../src/evaluate/squared-hinge.ts";
import { type ClassTruth, svm } from "../../src/evaluate/svm.ts";
import { fromTypedArray, ones, randn, tensor } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { dispose, scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const options = svm.options.parse({});
const precise = { tolerance: 1e-5, maxIterations: 500 };

/** The weights of all problems, problem by problem. @param make inputs, signs and costs */
async function solve(make: () => [x: Tensor, signs: Tensor, costs: Tensor]): Promise<number[]> {
  const [x, signs, costs] = scope(make);
  const solver = await squaredHinge(x);
  const weights = await solver.solve(signs, costs, precise);
  const values = weights.toArray();
  solver.dispose();
  dispose(x, signs, costs, weights);
  return values;
}

describe("squared hinge loss", () => {
  test("of one input: w²/2 + c (1 − w)² is least at 2c / (1 + 2c), for every cost and both signs", async () => {
    const costs = [1e-7, 0.01, 0.5, 3, 100];
    const signs = [1, -1, 1, -1, 1];
    const column = (values: readonly number[]) => tensor(values.map((one) => [one]));
    const weights = await solve(() => [tensor([[1]]), column(signs), column(costs)]);
    for (const [i, cost] of costs.entries()) {
      expect(weights[i]).toBeCloseTo(((signs[i] as number) * 2 * cost) / (1 + 2 * cost), 5);
    }
  });

  test("without any cost the weights are zero", async () => {
    expect(await solve(() => [tensor([[1, 2]]), ones([1, 1]), tensor([[0]])])).toEqual([0, 0]);
  });

  test("rows of cost 0 do not count, and problems do not see each other", async () => {
    const inputs = (rows: number) => {
      manualSeed(1);
      return randn([40, 6]).narrow(0, 0, rows).clone();
    };
    const signs = (rows: number) => tensor([Array.from({ length: rows }, (_, i) => (i % 3 ? -1 : 1))]);
    const half = Array.from({ length: 40 }, (_, i) => (i < 20 ? 2 : 0));
    const alone = await solve(() => [inputs(20), signs(20), tensor([half.slice(0, 20)])]);
    const all = fromTypedArray(Float32Array.from([...half, ...half.map(() => 1)]), [2, 40]);
    const together = await solve(() => [inputs(40), signs(40).expand(2, 40).clone(), all]);
    for (const [i, value] of alone.entries()) expect(together[i]).toBeCloseTo(value, 4);
  });

  test.each([
    ["more rows than columns", 60, 5],
    ["more columns than rows", 8, 30],
    ["rows that repeat", 60, 5],
  ])("the gradient vanishes at the weights: %s", async (name, rows, columns) => {
    manualSeed(2);
    const x = scope(() => {
      const some = randn([rows, columns]);
      return (
        name.includes("repeat")
          ? some
              .narrow(0, 0, 3)
              .expand(3, columns)
              .repeatInterleave(rows / 3)
          : some
      ).data();
    });
    const sign = (i: number) => (i % 4 ? -1 : 1);
    for (const cost of [0.01, 1, 30]) {
      const w = await solve(() => [
        fromTypedArray(x, [rows, columns]),
        tensor([Array.from({ length: rows }, (_, i) => sign(i))]),
        ones([1, rows]).mul(cost),
      ]);
      const gradient = [...w];
      for (let i = 0; i < rows; i++) {
        const row = Array.from({ length: columns }, (_, j) => Number(x[i * columns + j]));
        const slack = Math.max(0, 1 - sign(i) * row.reduce((sum, value, j) => sum + value * (w[j] as number), 0));
        for (const [j, value] of row.entries())
          gradient[j] = (gradient[j] as number) - 2 * cost * sign(i) * slack * value;
      }
      // Divided by the curvature it bounds the error of the weights.
      expect(Math.hypot(...gradient) / (1 + 2 * cost * rows)).toBeLessThan(1e-4 * Math.hypot(...w));
    }
  });
});

const onCpu = { seed: 0, compute: { device: "cpu", precision: "f32" } } as const;

/** Fits on all rows, and gives the held-out metric and each class's ranks of the test images. */
async function run(train: number[][], truths: ClassTruth[], classes: number, test: number[][]) {
  const [features, tested] = [tensor(train), tensor(test)];
  const fitted = await svm.fit({ features, truths, rows: [...truths.keys()], classes, ...onCpu }, options);
  const predictions = await fitted.predict({ features: tested });
  fitted.dispose();
  features.dispose();
  tested.dispose();
  const reduce = (truth: ClassTruth[]) =>
    svm.reduce(predictions.map((one, i) => svm.score(one, truth[i] as ClassTruth)));
  return { heldOut: fitted.heldOut, ranks: predictions.map((one) => [...one]), reduce };
}

const [EAST, NORTH, BOTH] = [
  [1, 0],
  [0, 1],
  [1, 1],
];

describe("a draw of labels", () => {
  test("with two classes apart is learned", async () => {
    const train = [EAST, EAST, EAST, NORTH, NORTH, NORTH];
    const { heldOut, ranks, reduce } = await run(train, [0, 0, 0, 1, 1, 1], 2, [NORTH, EAST, BOTH]);
    expect(heldOut).toBe(1);
    expect(ranks).toEqual([
      [0, 2],
      [2, 0],
      [1, 1],
    ]);
    expect(reduce([1, 0, 0])).toBe(1);
    expect(reduce([0, 1, 1])).toBeCloseTo((1 / 3 + 2 / 3) / 2, 12);
  });

  test("with several classes for each image", async () => {
    const train = [EAST, NORTH, BOTH, EAST, NORTH, BOTH, [-1, -1], [-1, -1]];
    const truths = [[0], [1], [0, 1], [0], [1], [0, 1], [], []];
    const { heldOut, reduce } = await run(train, truths, 2, [EAST, NORTH, BOTH, [-1, -1]]);
    expect(heldOut).toBe(1);
    expect(reduce([[0], [1], [0, 1], []])).toBe(1);
  });

  test("with one class only: nothing to choose, nothing to tell apart", async () => {
    const { heldOut, reduce } = await run([EAST, NORTH], [1, 1], 2, [EAST, NORTH]);
    expect(heldOut).toBeNaN();
    expect(reduce([1, 1])).toBe(1); // every ranking of relevant images alone is perfect
    expect(reduce([0, 1])).toBeGreaterThan(0);
  });

  test("with all features equal ranks every image alike", async () => {
    const { heldOut, reduce } = await run([EAST, EAST, EAST, EAST, EAST, EAST], [0, 0, 0, 1, 1, 1], 2, [
      EAST,
      EAST,
      EAST,
      EAST,
    ]);
    expect(heldOut).toBe(1 / 2);
    expect(reduce([0, 0, 0, 1])).toBe((3 / 4 + 1 / 4) / 2);
  });

  test("with features that are zero", async () => {
    const { reduce } = await run(
      [
        [0, 0],
        [0, 0],
      ],
      [0, 1],
      2,
      [
        [0, 0],
        [0, 0],
      ],
    );
    expect(reduce([0, 1])).toBe(1 / 2);
  });
});

test("a class with one label gets the cost 1, one with two labels two folds", async () => {
  manualSeed(3);
  const x = randn([9, 4]);
  const solver = await squaredHinge(x);
  const members = [[0], [1, 2], [3, 4, 5, 6, 7, 8]].map((rows) =>
    Uint8Array.from({ length: 9 }, (_, row) => Number(rows.includes(row))),
  );
  const { choices, weights } = await fitOneVsRest({ x, solver, members, costs: [0.01, 10], maxIterations: 100 });
  expect(weights.shape).toEqual([3, 4]);
  expect(choices[0]).toEqual({ cost: 1, precision: undefined });
  for (const { cost, precision } of choices.slice(1)) {
    expect([0.01, 10]).toContain(cost);
    expect(precision).toBeGreaterThan(0);
  }
  solver.dispose();
  dispose(x, weights);
});

test("classes without a test image do not count, and an image counts as often as it comes", () => {
  const image = (rank: number, truth: number) => svm.score(Uint32Array.from([rank, 5 - rank, 0]), truth);
  expect(svm.reduce([image(5, 0), image(4, 0), image(3, 0)])).toBe(1);
  const twice = [image(5, 1), image(5, 1), image(3, 0)]; // class 0 comes last for itself, class 1 for itself
  expect(svm.reduce(twice)).toBeCloseTo((1 / 3 + 2 / 3) / 2, 12);
  expect(svm.reduce([])).toBeNaN();
});

test("guessing scores the mean share of the classes that some image has", () => {
  const images = (truths: ClassTruth[]) => truths.map((truth) => ({ ranks: new Uint32Array(10), truth }));
  expect(svm.guess(10, images([0, 0, 1, 0]))).toBe(1 / 2); // 75 and 25 %; eight classes have no image
  expect(svm.guess(10, images([[0, 1], [1], [2]]))).toBeCloseTo(4 / 3 / 3, 12);
  expect(svm.guess(10)).toBe(1 / 10);
});

test("an interruption ends the fit, also in the middle of it", async () => {
  const stop = new AbortController();
  const features = tensor([EAST, NORTH]);
  const on = { features, truths: [0, 1], rows: [0, 1], classes: 2, ...onCpu };
  await expect(svm.fit({ ...on, signal: AbortSignal.abort() }, options)).rejects.toThrow(InterruptedError);
  features.dispose();

  manualSeed(4);
  const many = { ...on, features: randn([60, 40]), rows: Array.from({ length: 60 }, (_, i) => i) };
  const endless = { costs: [1000], maxIterations: 1_000_000 };
  const fit = svm.fit({ ...many, truths: many.rows.map((i) => i % 2), signal: stop.signal }, endless);
  setImmediate(() => setImmediate(() => stop.abort()));
  await expect(fit).rejects.toThrow(InterruptedError);
  many.features.dispose();
});
