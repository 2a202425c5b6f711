/** The SVM against scikit-learn's LinearSVC: `scripts/golden-probes.py` writes the fixture. */
import { describe, expect, test } from "vitest";
import { fitOneVsRest } from "../../src/evaluate/one-vs-rest.ts";
import { squaredHinge } from "../../src/evaluate/squared-hinge.ts";
import { svm } from "../../src/evaluate/svm.ts";
import { cat, fromTypedArray, normalize, ones } from "../../src/torch/ops.ts";
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
  test("each cost's decision values", () => {
    scope(() => {
      const { features, labels } = part(golden, "train", golden.train);
      const inputs = withOnes(features);
      const tested = withOnes(part(golden, "test", golden.test).features);
      const solver = squaredHinge(inputs);
      for (const [label, { decisions }] of golden.byClass.entries()) {
        const member = Float32Array.from(labels, (one) => Number(one === label));
        const signs = member.map((one) => 2 * one - 1);
        const all = costs.map((cost) =>
          fromTypedArray(
            member.map((one) => cost * (1 + one)),
            [1, golden.train],
          ),
        );
        const shape = [costs.length, golden.train];
        const weights = solver.solve(
          fromTypedArray(signs, [1, golden.train]).expand(...(shape as [number, number])),
          cat(all),
          {
            tolerance: 1e-5,
            maxIterations: 500,
          },
        );
        for (const [i, expected] of decisions.entries()) {
          expect(relative(tested.matmul(weights.select(0, i)).toArray(), expected), `cost ${costs[i]}`).toBeLessThan(
            1e-3,
          );
        }
      }
      solver.dispose();
    });
  });

  test("costs by cross-validation, and decision values at these", () => {
    scope(() => {
      const { features, labels } = part(golden, "train", golden.train);
      const x = withOnes(features);
      const solver = squaredHinge(x);
      const members = golden.byClass.map((_, label) => Uint8Array.from(labels, (one) => Number(one === label)));
      const { choices, weights } = fitOneVsRest({ x, solver, members, costs, maxIterations: 500 });
      solver.dispose();
      const tested = withOnes(part(golden, "test", golden.test).features);
      for (const [label, { cost, crossValidated, decisions }] of golden.byClass.entries()) {
        expect(choices[label]?.cost).toBe(cost);
        expect(choices[label]?.precision).toBeCloseTo(Math.max(...crossValidated), 4);
        const expected = decisions[costs.indexOf(cost)] as number[];
        expect(relative(tested.matmul(weights.select(0, label)).toArray(), expected)).toBeLessThan(1e-3);
      }
    });
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
