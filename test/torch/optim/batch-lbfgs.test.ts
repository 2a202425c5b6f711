import { expect, test } from "vitest";
import { InterruptedError } from "../../../src/errors.ts";
import { integers, tensor, zeros } from "../../../src/torch/ops.ts";
import { type BatchValue, minimiseBatch } from "../../../src/torch/optim/batch-lbfgs.ts";
import { dispose, scope } from "../../../src/torch/scope.ts";
import type { Tensor } from "../../../src/torch/tensor.ts";
import { expectNoLeak } from "../../live.ts";

expectNoLeak();

const options = { maxIterations: 200, gradientTolerance: 1e-5, changeTolerance: 1e-12 };

/** Bowls of different steepness with their lowest points at `targets`. Counts how often each is evaluated. */
function bowls(targets: Tensor, steepness: Tensor, counts: number[]) {
  return (points: Tensor, problems: readonly number[]): BatchValue => {
    for (const problem of problems) counts[problem] = (counts[problem] ?? 0) + 1;
    const rows = integers(problems);
    const away = points.sub(targets.indexSelect(0, rows));
    const pull = away.mul(steepness.indexSelect(0, rows));
    return { loss: away.mul(pull).sum(1).div(2), gradient: pull };
  };
}

test("each problem reaches its own lowest point, and ends by itself", async () => {
  const targets = tensor([
    [1, 2, 3],
    [4, 5, 6],
    [0, 0, 0],
  ]);
  const steepness = tensor([
    [1, 30, 900],
    [1, 1, 1],
    [5, 5, 5],
  ]);
  const counts: number[] = [];
  const start = zeros([3, 3]);
  const found = await minimiseBatch(bowls(targets, steepness, counts), start, options);
  for (const [i, value] of found.toArray().entries()) expect(value).toBeCloseTo(targets.toArray()[i] as number, 3);
  expect(counts[2]).toBe(1); // it began at its lowest point
  expect(counts[1]).toBeLessThan(counts[0] as number);
  dispose(targets, steepness, start, found);
});

test("a problem's answer does not depend on the others in its batch", async () => {
  const targets = tensor([
    [1, -2],
    [30, 5],
  ]);
  const steepness = tensor([
    [1, 40],
    [3, 0.5],
  ]);
  const [two, one] = [zeros([2, 2]), zeros([1, 2])];
  const both = await minimiseBatch(bowls(targets, steepness, []), two, options);
  const alone = await minimiseBatch(bowls(targets, steepness, []), one, options);
  expect(scope(() => both.select(0, 0).toArray())).toEqual(scope(() => alone.select(0, 0).toArray()));
  dispose(targets, steepness, two, one, both, alone);
});

test("a known curvature spares iterations, each problem its own", async () => {
  const steepness = tensor([
    [1, 100, 10_000],
    [0.01, 1, 1000],
  ]);
  const targets = tensor([
    [1, 2, 3],
    [-3, 2, -1],
  ]);
  const start = zeros([2, 3]);
  const evaluations = async (curvature?: (points: Tensor, problems: readonly number[]) => Tensor) => {
    const counts: number[] = [];
    const found = await minimiseBatch(bowls(targets, steepness, counts), start, {
      ...options,
      ...(curvature && { curvature: [curvature] }),
    });
    for (const [i, value] of found.toArray().entries()) expect(value).toBeCloseTo(targets.toArray()[i] as number, 2);
    found.dispose();
    return counts;
  };
  expect(await evaluations((_, problems) => steepness.indexSelect(0, integers(problems)))).toEqual([2, 2]); // Newton's step
  for (const count of await evaluations()) expect(count).toBeGreaterThan(4);
  dispose(targets, steepness, start);
});

test("curvature helps beyond the first step, where it changes on the way", async () => {
  const scales = tensor([[1, 30, 900]]);
  const start = tensor([[3, -2, 4]]);
  const iterations = async (known: boolean) => {
    let count = 0;
    // Σ scale · (x⁴ / 4 + x² / 20), whose curvature falls as x does
    const objective = (x: Tensor): BatchValue => {
      count++;
      const loss = x.pow(4).div(4).add(x.pow(2).div(20)).mul(scales).sum(1);
      return { loss, gradient: x.pow(3).add(x.div(10)).mul(scales) };
    };
    const curvature = [(x: Tensor) => x.pow(2).mul(3).mul(scales), (x: Tensor) => x.mul(0).add(0.1).mul(scales)];
    const found = await minimiseBatch(objective, start, { ...options, ...(known && { curvature }) });
    for (const value of found.toArray()) expect(value).toBeCloseTo(0, 3);
    found.dispose();
    return count;
  };
  const known = await iterations(true);
  expect(known).toBeGreaterThan(12); // so that it was asked for anew
  expect(await iterations(false)).toBeGreaterThan(known);
  dispose(scales, start);
});

test("only the problems whose step was too long are evaluated again", async () => {
  const counts: number[] = [];
  const [targets, steepness, start] = [tensor([[1], [1]]), tensor([[1], [1]]), zeros([2, 1])];
  const curvature = (_: Tensor, problems: readonly number[]) =>
    tensor(problems.map((problem) => [problem === 0 ? 1 : 1 / 16])); // the second goes sixteen times too far
  const found = await minimiseBatch(bowls(targets, steepness, counts), start, { ...options, curvature: [curvature] });
  expect(counts[0]).toBe(2);
  expect(counts[1]).toBeGreaterThan(4);
  for (const value of found.toArray()) expect(value).toBeCloseTo(1, 4);
  dispose(targets, steepness, start, found);
});

test("the loss never rises, where a full step would overshoot", async () => {
  const losses: number[] = [];
  const start = tensor([[9]]);
  const objective = (x: Tensor): BatchValue => {
    const loss = x.pow(4).sum(1).add(x.exp().sum(1));
    losses.push(loss.item());
    return { loss, gradient: x.pow(3).mul(4).add(x.exp()) };
  };
  const found = await minimiseBatch(objective, start, options);
  expect(found.item()).toBeCloseTo(-0.5282, 3); // where 4 x³ + eˣ = 0
  expect(losses.at(-1)).toBeLessThan(losses[0] as number);
  dispose(start, found);
});

test("several terms are summed, and an abort between two of them frees everything", async () => {
  const power =
    (exponent: number) =>
    (x: Tensor): BatchValue => ({
      loss: x.sub(1).pow(exponent).sum(1),
      gradient: x
        .sub(1)
        .pow(exponent - 1)
        .mul(exponent),
    });
  const pull = (x: Tensor): BatchValue => ({ loss: x.mul(-2).sum(1), gradient: x.mul(0).sub(2) });
  const start = tensor([[5, -3]], { dtype: "f64" });
  const found = await minimiseBatch([power(2), pull], start, options);
  for (const value of found.toArray()) expect(value).toBeCloseTo(2, 5); // where 2 (x − 1) = 2
  found.dispose();

  const stop = new AbortController();
  let calls = 0;
  const counted = (x: Tensor) => {
    if (++calls === 3) setImmediate(() => stop.abort());
    return power(4)(x);
  };
  await expect(minimiseBatch([counted, power(2)], start, { ...options, signal: stop.signal })).rejects.toThrow(
    InterruptedError,
  );
  expect(calls).toBeLessThan(6);
  start.dispose();
});
