import { expect, test } from "vitest";
import { InterruptedError } from "../../src/errors.ts";
import { linear } from "../../src/evaluate/linear.ts";
import { disposeModel, fitLogistic, type LinearModel } from "../../src/evaluate/logistic.ts";
import { batchesOf, type Fit, type Labelled, numbersHeld } from "../../src/evaluate/logistic-plan.ts";
import { randn, tensor } from "../../src/torch/ops.ts";
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
  // 5,000 × 4,000 before and ready, 5,000 × 10 one-hot; 34 copies of 10 × 4,000 weights; 6 of 5,000 × 10 logits
  expect(numbersHeld([{ part, penalty: 1 }], 10)).toBe(40_000_000 + 50_000 + 1_360_000 + 300_000);
  const same = { part, penalty: 2 };
  expect(numbersHeld([{ part, penalty: 1 }, same], 10)).toBe(40_000_000 + 50_000 + 2_720_000 + 600_000);
  // The second part is ready too, but only one at a time is standardised.
  const other = { part: sized(4000, 3999), penalty: 1 };
  expect(numbersHeld([{ part, penalty: 1 }, other], 10)).toBe(56_000_000 + 90_000 + 2_720_000 + 600_000);
  // Logits are computed 2²² at a time.
  const many = { part: sized(1e6, 99_999), penalty: 1 };
  expect(numbersHeld([many], 10)).toBe(2e11 + 10_000_000 + 34_000_000 + 6 * 2 ** 22);
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
  const often = (rows: readonly number[]) => upTo(3).flatMap(() => rows); // the same loss, from more rows than features
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
  // 1000 × 100 before, as coordinates and ready, 5 matrices of 99 axes, 1000 × 10 one-hot; 34 copies; logits
  expect(numbersHeld([{ part: sized(1000, 99), penalty: 1 }], 10)).toBe(
    300_000 + 5 * 99 ** 2 + 10_000 + 34_000 + 60_000,
  );
  // 100 rows of 1,000 numbers have 100 axes: 100 × 1,000 are kept, 100 × 101 twice.
  expect(numbersHeld([{ part: sized(100, 999), penalty: 1 }], 10)).toBe(
    200_000 + 20_200 + 5 * 100 ** 2 + 1000 + 34_340 + 6000,
  );
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

test("an interruption ends a fit between two evaluations, and frees what it held", async () => {
  manualSeed(2);
  const features = randn([400, 20]);
  const on = { features, truths: upTo(400).map((i) => i % 4), rows: upTo(400), classes: 4, seed: 0 };
  const stop = new AbortController();
  const fit = linear.fit(
    { ...on, compute: { device: "cpu", precision: "f32" }, signal: stop.signal },
    { penalties: [1e-4], maxIterations: 1_000_000 },
  );
  setImmediate(() => stop.abort());
  await expect(fit).rejects.toThrow(InterruptedError);
  dispose(features);
});
