import { expect, test } from "vitest";
import { InterruptedError, UsageError } from "../../../src/errors.ts";
import { integers, tensor, where, zeros } from "../../../src/torch/ops.ts";
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
  const start = tensor([[9]], { dtype: "f64" });
  const height = (x: number) => Math.sqrt(1 + x ** 2); // bends so little at 9 that the second step goes far beyond 0
  let tried: number[] = [];
  const objective = (x: Tensor): BatchValue => {
    tried.push(...x.toArray().map(height));
    const loss = x.pow(2).add(1).pow(0.5);
    return { loss: loss.sum(1), gradient: x.mul(loss.pow(-1)) };
  };
  const reached = [height(9)];
  for (let maxIterations = 1; maxIterations <= 10; maxIterations++) {
    tried = [];
    const found = await minimiseBatch(objective, start, { ...options, maxIterations });
    reached.push(height(found.item()));
    found.dispose();
  }
  for (const [i, loss] of reached.slice(1).entries()) expect(loss).toBeLessThanOrEqual(reached[i] as number);
  expect(reached.at(-1)).toBeCloseTo(1, 6);
  expect(tried.some((loss, i) => i > 0 && loss > (tried[i - 1] as number))).toBe(true); // it did overshoot
  start.dispose();
});

test("backs out of steps whose loss is not finite, and leaves the other problem alone", async () => {
  const counts: number[] = [];
  const losses: number[] = [];
  // x − log x, which is no number below zero, where the second step from 5 leads; and a bowl
  const [targets, steepness] = [tensor([[0], [3]], { dtype: "f64" }), tensor([[0], [1]], { dtype: "f64" })];
  const bowl = bowls(targets, steepness, counts);
  const objective = (x: Tensor, problems: readonly number[]): BatchValue => {
    const own = integers(problems).eq(0);
    const { loss, gradient } = bowl(x, problems);
    const value = {
      loss: where(own, x.sub(x.log()).sum(1), loss),
      gradient: where(own.unsqueeze(1), x.pow(-1).neg().add(1), gradient),
    };
    losses.push(...value.loss.toArray());
    return value;
  };
  const starts = tensor([[5], [2]], { dtype: "f64" });
  const both = await minimiseBatch(objective, starts, options);
  expect(losses.filter(Number.isNaN).length).toBeGreaterThan(0);
  expect(both.toArray()).toEqual([expect.closeTo(1, 4), expect.closeTo(3, 4)]);
  expect(counts[1]).toBe(2); // its own step is right at once
  expect(counts[0]).toBeGreaterThan(5);
  dispose(targets, steepness, starts, both);
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

test("a problem ends by the change of its loss below zero, too", async () => {
  const start = tensor([[3]], { dtype: "f64" });
  let evaluations = 0;
  const objective = (x: Tensor): BatchValue => {
    evaluations++;
    return { loss: x.pow(4).sum(1).sub(1000), gradient: x.pow(3).mul(4) };
  };
  const ends = { maxIterations: 100, gradientTolerance: 0, changeTolerance: 1e-3 };
  const found = await minimiseBatch(objective, start, ends);
  expect(Math.abs(found.item())).toBeLessThan(1.1); // where x⁴ is about a thousandth of 1000
  expect(evaluations).toBeLessThan(20);
  dispose(start, found);
});

test("a history without a move is refused", async () => {
  const start = zeros([1, 1]);
  const objective = (x: Tensor): BatchValue => ({ loss: x.pow(2).sum(1), gradient: x.mul(2) });
  for (const history of [0, Number.NaN])
    await expect(minimiseBatch(objective, start, { ...options, history })).rejects.toThrow(UsageError);
  start.dispose();
});
