import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { BatchNorm2d } from "../../src/torch/nn/layers.ts";
import { randn } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

test("batch norm rejects training on one value per channel, which would corrupt its running variance", () => {
  const norm = new BatchNorm2d(3);
  scope(() => {
    for (const shape of [
      [1, 3, 1, 1],
      [1, 3],
    ])
      expect(() => norm.forward(randn(shape))).toThrow(UsageError);
    expect(norm.running_var.toArray()).toEqual([1, 1, 1]);
    for (const shape of [
      [2, 3],
      [1, 3, 2, 1],
    ])
      expect(norm.forward(randn(shape)).shape).toEqual(shape);
    expect(norm.eval().forward(randn([1, 3, 1, 1])).shape).toEqual([1, 3, 1, 1]);
  });
  norm.dispose();
});
