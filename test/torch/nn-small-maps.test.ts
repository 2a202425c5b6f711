import { expect, test } from "vitest";
import { Conv2d } from "../../src/torch/nn/layers.ts";
import { convolveSmallMap, isSmallMap } from "../../src/torch/nn/small-maps.ts";
import { conv2d, randn } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const worst = (a: Tensor, b: Tensor) => a.to("f32").sub(b.to("f32")).abs().amax([0, 1, 2, 3]).item();

test.each([
  [2, 2],
  [2, 1],
  [1, 2],
  [1, 1],
])("a map of %i×%i gives what the convolution gives, forward and backward", (height, width) => {
  scope(() => {
    manualSeed(0);
    const [x, kernels] = [randn([3, 5, height, width]), randn([7, 5, 3, 3])];
    const gradient = randn([3, 7, height, width]);
    const bias = randn([7]);
    const run = (convolve: (x: Tensor, kernels: Tensor) => Tensor) => {
      const leaves = [x, kernels].map((leaf) => leaf.clone().requiresGrad_());
      const [a, b] = leaves as [Tensor, Tensor];
      const out = convolve(a, b);
      out.backward(gradient);
      return [out, ...leaves.map((leaf) => leaf.grad as Tensor)];
    };
    const expected = run((a, b) => conv2d(a, b, bias, 1, 1));
    const got = run((a, b) => convolveSmallMap(a, b, bias));
    for (const [i, tensor] of got.entries()) expect(worst(tensor, expected[i] as Tensor)).toBeLessThan(1e-5);
  });
});

test("the layer uses the matrix product only in bf16, for small maps and a large batch", () => {
  scope(() => {
    expect(isSmallMap(randn([32, 4, 2, 2]).to("bf16"))).toBe(true);
    expect(isSmallMap(randn([31, 4, 2, 2]).to("bf16"))).toBe(false);
    expect(isSmallMap(randn([32, 4, 2, 3]).to("bf16"))).toBe(false);
    expect(isSmallMap(randn([32, 4, 2, 2]))).toBe(false);
  });
  const layer = new Conv2d(16, 8, 3, { padding: 1 });
  scope(() => {
    const x = randn([64, 16, 2, 2]).to("bf16").contiguous("channels_last");
    const out = layer.forward(x);
    expect(out.dtype).toBe("bf16");
    expect(worst(out, conv2d(x.to("f32"), layer.weight, null, 1, 1))).toBeLessThan(0.05);
    expect(out.isChannelsLast).toBe(true);
  });
  layer.dispose();
});
