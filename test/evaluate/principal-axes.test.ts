import { expect, test } from "vitest";
import { principalAxes } from "../../src/evaluate/principal-axes.ts";
import { randn } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { dispose, keep, scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

test.each([
  ["more rows than features", 40, 6, 6],
  ["as many", 12, 12, 12],
  ["fewer rows than features", 8, 50, 8],
] as const)("%s: coordinates are orthogonal, and scores stay what they are", async (_, rows, columns, count) => {
  manualSeed(0);
  const x = randn([rows, columns]);
  const { axes, coordinates } = await principalAxes(x, undefined);
  expect(coordinates.shape).toEqual([rows, count]);
  expect(axes.rows).toBe(rows < columns ? x : undefined);
  const products = scope(() => keep(coordinates.transpose(0, 1).matmul(coordinates)));
  const list = products.toArray();
  for (let i = 0; i < count; i++)
    for (let j = 0; j < count; j++) if (i !== j) expect(Math.abs(list[i * count + j] as number)).toBeLessThan(1e-3);
  scope(() => {
    const weights = randn([3, count]);
    const features = axes.weightsOf(weights);
    expect(features.shape).toEqual([3, columns]);
    expectNear(x.matmul(features.transpose(0, 1)), coordinates.matmul(weights.transpose(0, 1)));
    expectNear(features.pow(2).sum(1), weights.pow(2).sum(1)); // orthonormal: a penalty stays what it is
  });
  axes.dispose();
  dispose(x, coordinates, products);
});

test("rows that depend on each other have fewer axes, and none that is not a number", async () => {
  manualSeed(1);
  const x = scope(() => {
    const rows = randn([6, 40]);
    return keep(rows.sub(rows.mean(0))); // centred: one axis less
  });
  const { axes, coordinates } = await principalAxes(x, undefined);
  expect(coordinates.shape).toEqual([6, 5]);
  scope(() => {
    for (const value of axes.weightsOf(randn([2, 5])).toArray()) expect(Number.isFinite(value)).toBe(true);
  });
  axes.dispose();
  dispose(x, coordinates);
});

function expectNear(got: Tensor, expected: Tensor): void {
  const list = got.toArray();
  for (const [i, value] of expected.toArray().entries()) expect(list[i]).toBeCloseTo(value, 3);
}
