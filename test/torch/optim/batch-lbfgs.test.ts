import { expect, test } from "vitest";
import { integers, tensor, zeros } from "../../../src/torch/ops.ts";
import { type BatchValue, minimiseBatch } from "../../../src/torch/optim/batch-lbfgs.ts";
import { scope } from "../../../src/torch/scope.ts";
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

test("each problem reaches its own lowest point, and ends by itself", () => {
  scope(() => {
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
    const found = minimiseBatch(bowls(targets, steepness, counts), zeros([3, 3]), options);
    for (const [i, value] of found.toArray().entries()) expect(value).toBeCloseTo(targets.toArray()[i] as number, 3);
    expect(counts[2]).toBe(1); // it began at its lowest point
    expect(counts[1]).toBeLessThan(counts[0] as number);
  });
});

test("a problem's answer does not depend on the others in its batch", () => {
  scope(() => {
    const targets = tensor([
      [1, -2],
      [30, 5],
    ]);
    const steepness = tensor([
      [1, 40],
      [3, 0.5],
    ]);
    const both = minimiseBatch(bowls(targets, steepness, []), zeros([2, 2]), options);
    const alone = minimiseBatch(bowls(targets, steepness, []), zeros([1, 2]), options);
    expect(both.select(0, 0).toArray()).toEqual(alone.select(0, 0).toArray());
  });
});

test("the loss never rises, where a full step would overshoot", () => {
  scope(() => {
    const losses: number[] = [];
    const found = minimiseBatch(
      (x) => {
        const loss = x.pow(4).sum(1).add(x.exp().sum(1));
        losses.push(loss.item());
        return { loss, gradient: x.pow(3).mul(4).add(x.exp()) };
      },
      tensor([[9]]),
      options,
    );
    expect(found.item()).toBeCloseTo(-0.5282, 3); // where 4 x³ + eˣ = 0
    expect(losses.at(-1)).toBeLessThan(losses[0] as number);
  });
});
