/** Attention weights of transformers: what is shown is what was computed with. */
import { expect, test } from "vitest";
import { createEncoder } from "../../src/models/index.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { randn, scaledDotProductAttention } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const gap = (a: Tensor, b: Tensor) => a.sub(b).abs().amax([]).item() / b.abs().amax([]).item();

test("asking for them changes an encoder's output by 1e-5 at most", () => {
  manualSeed(3);
  const encoder = createEncoder({ model: "vit-tiny-4", width: 2 / 3 }); // two heads
  encoder.eval();
  scope(() =>
    noGrad(() => {
      // Initial weights attend nearly evenly: larger ones tell the paths apart.
      for (const parameter of encoder.parameters()) if (parameter.dim === 2) parameter.mul_(4);
      const images = randn([2, 3, 24, 16]);
      const plain = encoder.encode(images);
      const asked = encoder.encode(images, { attention: true });
      expect(gap(asked.vector, plain.vector)).toBeLessThan(1e-5);
      for (const [name, map] of Object.entries(plain.maps))
        expect(gap(asked.maps[name] as Tensor, map), name).toBeLessThan(1e-5);
      expect(plain.attention).toBeUndefined();
      const weights = Object.values(asked.attention ?? {});
      expect(weights).toHaveLength(12);
      for (const one of weights) {
        expect(one.shape).toEqual([2, 2, 25, 25]);
        for (const total of one.sum(3).toArray()) expect(total).toBeCloseTo(1, 5);
      }
      const [first] = weights as [Tensor];
      expect(first.amax([]).item()).toBeGreaterThan(2 / 25);
    }),
  );
  encoder.dispose();
});

test("fused attention is the softmax of scaled products, times the values", () => {
  scope(() => {
    const [q, k, v] = [randn([2, 3, 7, 5]), randn([2, 3, 7, 5]), randn([2, 3, 7, 5])];
    const weights = q.matmul(k.transpose(2, 3)).div(Math.sqrt(5)).softmax(3);
    expect(gap(scaledDotProductAttention(q, k, v), weights.matmul(v))).toBeLessThan(1e-5);
  });
});
