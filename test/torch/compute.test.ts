import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { autocast } from "../../src/torch/autograd.ts";
import { addsBf16InF32, chooseCompute } from "../../src/torch/compute.ts";
import { Linear } from "../../src/torch/nn/layers.ts";
import { ones } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";

/** The gradient of a weight over so many rows of ones, under autocast: their number, if it is right. */
function gradient(rows: number): number[] {
  return scope(() => {
    const layer = new Linear(4, 2);
    autocast("cpu", "bf16", () => layer.forward(ones([rows, 4])).sum()).backward();
    return (layer.weight.grad as NonNullable<typeof layer.weight.grad>).toArray();
  });
}

test("bf16 is refused on the CPU where gradients would be wrong, and allowed where they are right", async () => {
  const right = gradient(4096).every((value) => value === 4096);
  expect(addsBf16InF32()).toBe(right);
  const chosen = chooseCompute({ device: "cpu", precision: "bf16" });
  if (right) expect(await chosen).toEqual({ device: "cpu", precision: "bf16" });
  else await expect(chosen).rejects.toThrow(UsageError);
});

test("the choice of its own is one whose gradients are right", async () => {
  const { precision } = await chooseCompute({ device: "cpu", precision: "auto" });
  if (precision === "bf16") expect(gradient(4096)).toEqual(Array(8).fill(4096));
  else expect(precision).toBe("f32");
});
