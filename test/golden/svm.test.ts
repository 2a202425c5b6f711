/** The SVM against scikit-learn's LinearSVC: `scripts/golden-probes.py` writes the fixture. */
import { describe, expect, test } from "vitest";
import { fitOneVsRest } from "../../src/evaluate/one-vs-rest.ts";
import { squaredHinge } from "../../src/evaluate/squared-hinge.ts";
import { svm } from "../../src/evaluate/svm.ts";
import { cat, fromTypedArray, normalize, ones, tensor } from "../../src/torch/ops.ts";
import { dispose, scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { goldenValues } from "../fixtures/golden/formula.ts";
import { expectNoLeak } from "../live.ts";
import { goldenJson } from "./store.ts";

expectNoLeak();

interface Case {
  name: string;
  train: number;
  test: number;
  dims: number;
  classes: number;
  mAP: number;
  byClass: { crossValidated: number[]; cost: number; averagePrecision: number; decisions: number[][] }[];
}
const { costs, cases } = goldenJson<{ costs: number[]; cases: Case[] }>("svm");

/** As in the script: features around a centre for each class; image i has class i mod classes. */
function part({ name, dims, classes }: Case, which: "train" | "test", count: number) {
  const labels = Array.from({ length: count }, (_, i) => i % classes);
  const centres = goldenValues(`${name} centres`, [classes, dims], -0.7, 0.7);
  const values = goldenValues(`${name} ${which}`, [count, dims]);
  const features = values.map(
    (value, i) => value + (centres[(Math.floor(i / dims) % classes) * dims + (i % dims)] ?? 0),
  );
  return { labels, features: fromTypedArray(features, [count, dims]) };
}

const withOnes = (features: Tensor) => cat([normalize(features), ones([features.size(0), 1])], 1);

/** The largest difference, as a fraction of the largest expected value. */
function relative(got: ArrayLike<number>, expected: readonly number[]): number {
  expect(got.length).toBe(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs((got[i] as number) - value))) / largest;
}

describe.each(cases)("$name", (golden) => {
  test("each cost's decision values", async () => {
    const [inputs, tested] = scope(() => [
      withOnes(part(golden, "train", golden.train).features),
      withOnes(part(golden, "test", golden.test).features),
    ]) as [Tensor, Tensor];
    const solver = await squaredHinge(inputs);
    for (const [label, { decisions }] of golden.byClass.entries()) {
      const member = Array.from({ length: golden.train }, (_, i) => Number(i % golden.classes === label));
      const signs = tensor(costs.map(() => member.map((one) => 2 * one - 1)));
      const weighted = tensor(costs.map((cost) => member.map((one) => cost * (1 + one))));
      const weights = await solver.solve(signs, weighted, { tolerance: 1e-5, maxIterations: 500 });
      for (const [i, expected] of decisions.entries()) {
        const got = scope(() => tested.matmul(weights.select(0, i)).toArray());
        expect(relative(got, expected), `cost ${costs[i]}`).toBeLessThan(1e-3);
      }
      dispose(signs, weighted, weights);
    }
    solver.dispose();
    dispose(inputs, tested);
  });

  test("costs by cross-validation, and decision values at these", async () => {
    const [x, tested] = scope(() => [
      withOnes(part(golden, "train", golden.train).features),
      withOnes(part(golden, "test", golden.test).features),
    ]) as [Tensor, Tensor];
    const { labels, features } = part(golden, "train", golden.train);
    const solver = await squaredHinge(x);
    const members = golden.byClass.map((_, label) => Uint8Array.from(labels, (one) => Number(one === label)));
    const { choices, weights } = await fitOneVsRest({ x, solver, members, costs, maxIterations: 500 });
    for (const [label, { cost, crossValidated, decisions }] of golden.byClass.entries()) {
      expect(choices[label]?.cost).toBe(cost);
      expect(choices[label]?.precision).toBeCloseTo(Math.max(...crossValidated), 4);
      const expected = decisions[costs.indexOf(cost)] as number[];
      const got = scope(() => tested.matmul(weights.select(0, label)).toArray());
      expect(relative(got, expected)).toBeLessThan(1e-3);
    }
    solver.dispose();
    dispose(x, tested, weights, features);
  });

  test("the protocol's mAP, and each class's average precision", async () => {
    const [train, tested] = [part(golden, "train", golden.train), part(golden, "test", golden.test)];
    const fitted = await svm.fit(
      {
        ...{ features: train.features, truths: train.labels, rows: [...train.labels.keys()], classes: golden.classes },
        ...{ seed: 0, compute: { device: "cpu", precision: "f32" } },
      },
      { costs, maxIterations: 500 },
    );
    const predictions = await fitted.predict({ features: tested.features });
    fitted.dispose();
    dispose(train.features, tested.features);
    const scores = predictions.map((ranks, i) => svm.score(ranks, tested.labels[i] as number));
    expect(Math.abs(svm.reduce(scores) - golden.mAP)).toBeLessThan(0.003);
    for (const [label, { averagePrecision }] of golden.byClass.entries()) {
      const own = predictions.map((ranks, i) =>
        svm.score(ranks.slice(label, label + 1), tested.labels[i] === label ? 0 : []),
      );
      expect(svm.reduce(own)).toBeCloseTo(averagePrecision, 4);
    }
  });
});
