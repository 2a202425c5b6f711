import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { allFinite } from "../../src/torch/nn/finite.ts";
import { BatchNorm1d, BatchNorm2d, Conv2d } from "../../src/torch/nn/layers.ts";
import { ones, randn, tensor } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

test("batch norm rejects training on one value per channel, which would corrupt its running variance", () => {
  const norm = new BatchNorm2d(3);
  scope(() => {
    expect(() => norm.forward(randn([1, 3, 1, 1]))).toThrow(/needs more than one value a channel/);
    expect(() => norm.forward(randn([1, 3, 1, 1]))).toThrow(UsageError);
    expect(norm.running_var.toArray()).toEqual([1, 1, 1]);
    expect(norm.forward(randn([1, 3, 2, 1])).shape).toEqual([1, 3, 2, 1]);
    expect(norm.eval().forward(randn([1, 3, 1, 1])).shape).toEqual([1, 3, 1, 1]);
  });
  norm.dispose();
});

test("batch norms take inputs of the dimensions in their names, in training and after", () => {
  const [one, two] = [new BatchNorm1d(3), new BatchNorm2d(3)];
  scope(() => {
    for (const training of [true, false]) {
      one.train(training);
      two.train(training);
      for (const shape of [
        [2, 3],
        [2, 3, 5],
      ])
        expect(one.forward(randn(shape)).shape).toEqual(shape);
      for (const shape of [[2, 3, 4, 4], [3]])
        expect(() => one.forward(randn(shape))).toThrow(`BatchNorm1d takes (N, C) or (N, C, L), got [${shape}]`);
      for (const shape of [
        [2, 3],
        [2, 3, 5],
      ])
        expect(() => two.forward(randn(shape))).toThrow(`BatchNorm2d takes (N, C, H, W), got [${shape}]`);
    }
    expect(two.num_batches_tracked.item()).toBe(0);
  });
  one.dispose();
  two.dispose();
});

test("a module's gradients move with its parameters", () => {
  const layer = new Conv2d(2, 3, 2, { bias: true });
  scope(() => {
    layer
      .forward(randn([1, 2, 4, 4]))
      .sum()
      .backward();
    const before = layer.parameters().map(({ grad }) => grad?.toArray());
    layer.to({ memoryFormat: "channels_last" });
    expect([layer.weight.isChannelsLast, layer.weight.grad?.isChannelsLast]).toEqual([true, true]);
    expect(layer.parameters().map(({ grad }) => grad?.toArray())).toEqual(before);
    for (const parameter of layer.parameters()) parameter.grad = null;
  });
  layer.dispose();
});

test("finite numbers of every type are finite", () => {
  scope(() => {
    for (const dtype of ["f64", "f32", "bf16", "f16", "i64", "bool"] as const)
      expect(allFinite(ones([2], { dtype })), dtype).toBe(true);
    const wide = (...values: number[]) => tensor(values, { dtype: "f64" });
    expect([allFinite(wide(1, -1e300)), allFinite(wide(1, Number.NaN))]).toEqual([true, false]);
    for (const dtype of ["f64", "f32", "bf16", "f16"] as const)
      expect(allFinite(wide(1, -1 / 0).to(dtype)), dtype).toBe(false);
  });
});
