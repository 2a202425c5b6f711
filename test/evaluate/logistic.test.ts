import { expect, test } from "vitest";
import { InterruptedError } from "../../src/errors.ts";
import { linear } from "../../src/evaluate/linear.ts";
import { disposeModel, fitLogistic, type LinearModel, logits } from "../../src/evaluate/logistic.ts";
import { axesOf, batchesOf, type Fit, type Labelled, numbersHeld } from "../../src/evaluate/logistic-plan.ts";
import { cat, randn, tensor } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { dispose, keep, scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
/** As large as a part may be: nothing is computed with it. */
const sized = (rows: number, width: number): Labelled => ({
  features: { size: () => width } as unknown as Tensor,
  rows: { length: rows } as readonly number[],
  labels: [],
});

test("what a batch holds: each part's features twice at most, the weights' history, and one term's logits", () => {
  const part = sized(5000, 3999); // too many features to look for their axes
  // 5,000 × 3,999 before, 5,000 × 4,000 ready, 5,000 × 10 one-hot; 34 copies of 10 × 4,000 weights; 6 of 5,000 × 10 logits
  expect(numbersHeld([{ part, penalty: 1 }], 10)).toBe(39_995_000 + 50_000 + 1_360_000 + 300_000);
  const same = { part, penalty: 2 };
  expect(numbersHeld([{ part, penalty: 1 }, same], 10)).toBe(39_995_000 + 50_000 + 2_720_000 + 600_000);
  // The second part is ready too, but only one at a time is standardised.
  const other = { part: sized(4000, 3999), penalty: 1 };
  expect(numbersHeld([{ part, penalty: 1 }, other], 10)).toBe(55_995_000 + 90_000 + 2_720_000 + 600_000);
  // Logits are computed 2²² at a time.
  const many = { part: sized(1e6, 99_999), penalty: 1 };
  expect(numbersHeld([many], 10)).toBe(199_999e6 + 10_000_000 + 34_000_000 + 6 * 2 ** 22);
});

test("batches hold what the limit allows beside their first fit", () => {
  const fits = (parts: readonly Labelled[]): Fit[] =>
    parts.flatMap((part) => [1, 0.1, 0.01].map((penalty) => ({ part, penalty })));
  const lengths = (batches: readonly Fit[][]) => batches.map(({ length }) => length);
  const small = [sized(100, 63), sized(100, 63)];
  expect(lengths(batchesOf(fits(small), 5))).toEqual([6]);
  // Two sets of 60,000 × 1,024 are fitted one after the other; strengths of the penalty share one.
  expect(lengths(batchesOf(fits([sized(60_000, 1024), sized(60_000, 1024)]), 10))).toEqual([3, 3]);
  expect(lengths(batchesOf(fits(small), 5, 0))).toEqual([1, 1, 1, 1, 1, 1]);
  expect(batchesOf(fits(small), 5, 0).flat()).toEqual(fits(small));
});

test("few rows of many features are fitted in the space that they span, with the same result", async () => {
  manualSeed(3);
  const features = randn([24, 80]);
  const labels = upTo(24).map((row) => row % 3);
  const often = (rows: readonly number[]) => upTo(5).flatMap(() => rows); // the same loss, from more rows than features
  const sizes = [upTo(24), upTo(20)];
  const fitsOf = (rowsOf: (rows: readonly number[]) => readonly number[]) =>
    sizes.flatMap((rows) => {
      const part = { features, rows: rowsOf(rows), labels };
      return [1, 0.1].map((penalty) => ({ part, penalty }));
    });
  const options = { classes: 3, maxIterations: 500, tolerance: 1e-6 };
  const [reduced, whole] = [
    await fitLogistic(
      fitsOf((rows) => rows),
      options,
    ),
    await fitLogistic(fitsOf(often), options),
  ];
  for (const [i, { weight, bias, mean }] of whole.entries()) {
    const got = reduced[i] as LinearModel;
    expect([got.weight.shape, got.mean.toArray()]).toEqual([
      weight.shape,
      mean.toArray().map((value) => expect.closeTo(value, 5)),
    ]);
    for (const [a, b] of [
      [weight, got.weight],
      [bias, got.bias],
    ] as const)
      for (const [k, value] of a.toArray().entries()) expect(b.toArray()[k]).toBeCloseTo(value, 3);
  }
  for (const model of [...reduced, ...whole]) disposeModel(model);
  features.dispose();
});

test("axes are held beside the coordinates, and features where rows are fewer", () => {
  // 1000 × 100 ready, 1000 × 10 one-hot, axes; 1000 × 99 and 1000 × 100 on the way, 8 matrices of 99 axes; 24 copies; logits
  expect(numbersHeld([{ part: sized(1000, 99), penalty: 1 }], 10)).toBe(
    100_000 + 10_000 + 10 * 99 ** 2 + 199_000 + 24_000 + 60_000,
  );
  // 100 rows of 999 numbers have 100 axes: 100 × 999 are kept, once more on the way and twice in f64.
  expect(numbersHeld([{ part: sized(100, 999), penalty: 1 }], 10)).toBe(
    10_100 + 1000 + 10 * 100 ** 2 + 4 * 99_900 + 10_100 + 24_240 + 6000,
  );
});

test("axes are looked for where that is quick, or pays", () => {
  const axes = (rows: number, width: number, classes: number) =>
    axesOf([{ part: sized(rows, width), penalty: 1 }], classes);
  expect([axes(250, 1024, 2), axes(1000, 1024, 2), axes(60_000, 1024, 2)]).toEqual([250, 1024, 1024]);
  expect([axes(2000, 9000, 2), axes(2000, 9000, 10), axes(5000, 3072, 10)]).toEqual([undefined, 2000, undefined]);
});

test("too many features for axes are fitted as they are, to the optimum too", async () => {
  manualSeed(5);
  const [count, width, penalty] = [1200, 1200, 0.1];
  const features = randn([count, width]);
  const labels = upTo(count).map((row) => row % 2);
  const part = { features, rows: upTo(count), labels };
  expect(axesOf([{ part, penalty }], 2)).toBeUndefined();
  const [model] = await fitLogistic([{ part, penalty }], { classes: 2, maxIterations: 200 });
  const { mean, deviation, weight } = model as LinearModel;
  scope(() => {
    const error = logits(model as LinearModel, features)
      .softmax(1)
      .sub(tensor(labels.map((label) => [1 - label, label])));
    const gradient = error
      .transpose(0, 1)
      .matmul(features.sub(mean).div(deviation))
      .div(count)
      .add(weight.mul(penalty));
    expect(gradient.abs().amax([]).item()).toBeLessThan(5e-4);
    expect(weight.abs().amax([]).item()).toBeGreaterThan(0.01);
  });
  disposeModel(model as LinearModel);
  features.dispose();
});

test("a feature that is constant but for rounding has no weight, and does not count in new images", async () => {
  manualSeed(6);
  const [varied, constant] = [randn([60, 1]), tensor(upTo(60).map(() => [37.3]))];
  const features = scope(() => keep(cat([varied, constant], 1)));
  const labels = varied.toArray().map((value) => Number(value > 0));
  const [model] = await fitLogistic([{ part: { features, rows: upTo(60), labels }, penalty: 0.01 }], {
    ...{ classes: 2, maxIterations: 100 },
  });
  const { deviation, weight } = model as LinearModel;
  expect(deviation.toArray()[1]).toBe(1);
  expect(Math.abs(weight.toArray()[1] as number)).toBeLessThan(0.05);
  disposeModel(model as LinearModel);
  dispose(varied, constant, features);
});

test("forty iterations are enough for features of which some hardly vary but with the others", async () => {
  manualSeed(4);
  const own = tensor(upTo(30).map((k) => 10 ** (-k / 15)));
  const [features, truth] = scope(() => {
    const noise = randn([300, 30]);
    return [keep(randn([300, 1]).add(noise.mul(own))), keep(noise.sum(1))];
  }) as [Tensor, Tensor];
  const labels = truth.toArray().map((value) => Number(value > 0));
  const fit = { part: { features, rows: upTo(300), labels }, penalty: 1e-4 };
  const [short, long] = [
    await fitLogistic([fit], { classes: 2, maxIterations: 40 }),
    await fitLogistic([fit], { classes: 2, maxIterations: 5000, tolerance: 1e-7 }),
  ];
  const [a, b] = [short[0]?.weight.toArray() ?? [], long[0]?.weight.toArray() ?? []];
  const size = Math.max(...b.map(Math.abs));
  const worst = Math.max(...b.map((value, k) => Math.abs((a[k] as number) - value) / size));
  expect(worst).toBeLessThan(0.03);
  for (const model of [...short, ...long]) disposeModel(model);
  dispose(features, truth, own);
});

test("fits whose rows are cut into terms find what they find uncut", async () => {
  manualSeed(1);
  const features = randn([90, 6]);
  const labels = upTo(90).map((row) => row % 3);
  const parts = [upTo(90), upTo(50)].map((rows) => ({ features, rows, labels }));
  const fits = parts.flatMap((part) => [1, 0.01].map((penalty) => ({ part, penalty })));
  const options = { classes: 3, maxIterations: 50 };
  const uncut = await fitLogistic(fits, options);
  const cut = await fitLogistic(fits, { ...options, logitsAtOnce: 100 }); // 16 rows of two fits
  for (const [i, { weight, bias }] of uncut.entries()) {
    const expected = [...weight.toArray(), ...bias.toArray()];
    const got = [...(cut[i]?.weight.toArray() ?? []), ...(cut[i]?.bias.toArray() ?? [])];
    for (const [k, value] of expected.entries()) expect(got[k]).toBeCloseTo(value, 3);
  }
  for (const model of [...uncut, ...cut]) disposeModel(model);
  features.dispose();
});

test.each([
  ["while axes are looked for", 20],
  ["between two evaluations", 1200],
])("an interruption %s ends a fit, and frees what it held", async (_, width) => {
  manualSeed(2);
  const features = randn([width * 2, width]);
  const rows = upTo(width * 2);
  const on = { features, truths: rows.map((i) => i % 4), rows, classes: 4, seed: 0 };
  const stop = new AbortController();
  const fit = linear.fit(
    { ...on, compute: { device: "cpu", precision: "f32" }, signal: stop.signal },
    { penalties: [1e-4], maxIterations: 1_000_000 },
  );
  setImmediate(() => stop.abort());
  await expect(fit).rejects.toThrow(InterruptedError);
  dispose(features);
});
