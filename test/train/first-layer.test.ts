import { describe, expect, test } from "vitest";
import { createEncoder } from "../../src/models/index.ts";
import { randomAt } from "../../src/random.ts";
import type { Parameter } from "../../src/torch/nn/module.ts";
import { conv2d, full, normalize, rand, randn, resize } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { firstLayer, startFromPatches } from "../../src/train/first-layer.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

/** Images (n, 3, 32, 32) of stripes that vary from left to right only, at many widths. */
function stripes(count: number): Tensor {
  const lines = randn([count, 3, 1, 32]);
  return lines.expand(-1, -1, 32, -1).contiguous();
}

describe("first kernels from patches", () => {
  test.each([
    ["resnet10", "cifar"],
    ["vit-tiny-8", undefined],
    ["alexnet", undefined],
  ] as const)("%s: outputs on the images have the deviation 1, and the kernels no mean", (model, stem) => {
    const encoder = createEncoder({ model, width: 0.25, stem });
    scope(() => {
      manualSeed(0);
      const sample = resize(randn([32, 3, 12, 12]), 32, 32);
      startFromPatches(encoder, sample, 32, randomAt(0, 7));
      const [kernels] = firstLayer(encoder) as [Parameter, ...Parameter[]];
      expect(kernels.shape[1]).toBe(3);
      const outputs = conv2d(sample, kernels, null, 1, 0).permute(1, 0, 2, 3).flatten(1);
      for (const deviation of outputs.std(1).toArray()) expect(Math.abs(deviation - 1)).toBeLessThan(0.25);
      for (const mean of kernels.flatten(1).mean(1).toArray()) expect(Math.abs(mean)).toBeLessThan(1e-5);
    });
    encoder.dispose();
  });

  test("they look for what the images have: with vertical stripes, no kernel varies from top to bottom", () => {
    const encoder = createEncoder({ model: "resnet10", width: 0.25, stem: "cifar" });
    scope(() => {
      manualSeed(0);
      const change = (kernels: Tensor, dim: number) =>
        kernels
          .narrow(dim, 1, 2)
          .sub(kernels.narrow(dim, 0, 2))
          .pow(2)
          .mean()
          .item();
      const [kernels] = firstLayer(encoder) as [Parameter, ...Parameter[]];
      expect(change(kernels, 2) / change(kernels, 3)).toBeGreaterThan(0.5); // random kernels do
      startFromPatches(encoder, stripes(64), 32, randomAt(0, 7));
      expect(change(kernels, 2) / change(kernels, 3)).toBeLessThan(1e-3);
    });
    encoder.dispose();
  });

  test("the same seed gives the same kernels, another seed or other images others", () => {
    const encoder = createEncoder({ model: "resnet10", width: 0.25, stem: "cifar" });
    const made = (sample: Tensor, seed: number) =>
      scope(() => {
        startFromPatches(encoder, sample, 32, randomAt(seed, 7));
        return (firstLayer(encoder)[0] as Tensor).toArray().join();
      });
    scope(() => {
      manualSeed(0);
      const [one, other] = [rand([16, 3, 32, 32]), rand([16, 3, 32, 32])];
      expect(made(one, 0)).toBe(made(one, 0));
      expect(made(one, 0)).not.toBe(made(one, 1));
      expect(made(one, 0)).not.toBe(made(other, 0));
    });
    encoder.dispose();
  });

  test("images of one colour give finite kernels", () => {
    const encoder = createEncoder({ model: "resnet10", width: 0.25, stem: "cifar" });
    scope(() => {
      startFromPatches(encoder, randn([1, 3, 1, 1]).expand(8, -1, 32, 32).contiguous(), 32, randomAt(0, 7));
      expect((firstLayer(encoder)[0] as Tensor).toArray().every(Number.isFinite)).toBe(true);
    });
    encoder.dispose();
  });

  test("images that are mostly blank give kernels that all differ", () => {
    const encoder = createEncoder({ model: "resnet10", width: 0.5, stem: "cifar" });
    scope(() => {
      manualSeed(0);
      const sample = full([64, 3, 32, 32], 2);
      sample
        .narrow(2, 12, 8)
        .narrow(3, 12, 8)
        .copy_(randn([64, 3, 8, 8]));
      startFromPatches(encoder, sample, 32, randomAt(0, 7));
      const kernels = normalize((firstLayer(encoder)[0] as Tensor).flatten(1));
      const alike = kernels.matmul(kernels.transpose(0, 1)).abs().toArray();
      const twins = alike.filter((value, i) => i % (kernels.size(0) + 1) !== 0 && value > 0.99);
      expect(twins).toEqual([]);
    });
    encoder.dispose();
  });

  test("images smaller than the kernels are enlarged", () => {
    const encoder = createEncoder({ model: "nin4", width: 0.25 });
    scope(() => startFromPatches(encoder, rand([8, 3, 4, 4]), 4, randomAt(0, 7)));
    expect((firstLayer(encoder)[0] as Tensor).toArray().every(Number.isFinite)).toBe(true);
    encoder.dispose();
  });
});

const resnet = ["conv1.weight", "bn1.weight", "bn1.bias"];
const patches = ["patch_embed.proj.weight", "patch_embed.proj.bias"];
test.each([
  ["resnet10", resnet],
  ["resnet50", resnet],
  ["resnet10v2", ["stem.conv.weight"]],
  ["resnet50v2", ["stem.conv.weight"]],
  ["revnet26", ["conv1.weight"]],
  ["vgg11", ["features.0.weight", "features.0.bias", "features.1.weight", "features.1.bias"]],
  ["vit-tiny-8", patches],
])("the first layer of %s", (model, names) => {
  const encoder = createEncoder({ model, width: 0.125 });
  const found = new Set(firstLayer(encoder));
  expect(encoder.namedParameters().flatMap(([name, one]) => (found.has(one) ? [name] : []))).toEqual(names);
  encoder.dispose();
});
