/** Where activations are large. */
import { expect, test } from "vitest";
import { UsageError } from "../../../src/errors.ts";
import { activationAttention, attentionMaps, powerOf, toMass } from "../../../src/inspect/attention/activation.ts";
import { createEncoder, families } from "../../../src/models/index.ts";
import { noGrad } from "../../../src/torch/autograd.ts";
import { randn, tensor, zeros } from "../../../src/torch/ops.ts";
import { manualSeed } from "../../../src/torch/random.ts";
import { scope } from "../../../src/torch/scope.ts";
import type { Tensor } from "../../../src/torch/tensor.ts";
import { expectNoLeak } from "../../live.ts";

expectNoLeak();

function expectNear(tensor: Tensor, expected: readonly number[]): void {
  const found = tensor.toArray();
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of found.entries()) expect(value).toBeCloseTo(expected[i] as number, 6);
}

test("sums |activation|^p over the channels, and divides by the image's sum", () => {
  scope(() => {
    const map = tensor([[[[1, -2]], [[3, 0]]]]); // (1, 2, 1, 2)
    expectNear(activationAttention(map, 1), [4 / 6, 2 / 6]);
    expectNear(activationAttention(map, 2), [10 / 14, 4 / 14]);
    expectNear(activationAttention(map, 3), [28 / 36, 8 / 36]);
    expectNear(activationAttention(map, 4), [82 / 98, 16 / 98]);
  });
});

test("does not depend on the activations' scale, however large or small", () => {
  scope(() => {
    const map = tensor([[[[1, 2, 4]]]]);
    const expected = activationAttention(map, 4).toArray();
    for (const factor of [1e-25, 1e20]) expectNear(activationAttention(map.mul(factor), 4), expected);
    expect(activationAttention(zeros([1, 3, 2, 2]), 2).toArray()).toEqual([0.25, 0.25, 0.25, 0.25]);
    expect(toMass(zeros([1, 1, 2])).toArray()).toEqual([0.5, 0.5]);
  });
});

test("powers are spread over the layers, shallow to deep", () => {
  const of = (layers: number, powers?: number[]) =>
    Array.from({ length: layers }, (_, place) => powerOf(place, layers, powers));
  expect([of(3), of(5), of(1)]).toEqual([[1, 2, 4], [1, 1, 2, 2, 4], [1]]);
  expect(of(4, [3])).toEqual([3, 3, 3, 3]);
});

const firsts = Object.values(families).map((family) => Object.keys(family)[0] as string);

test.each(firsts)("%s: a map of mass 1 for each layer and image", (model) => {
  manualSeed(1);
  const encoder = createEncoder({ model, width: 0.125 });
  encoder.train();
  scope(() => {
    const maps = attentionMaps(encoder, randn([2, 3, 64, 64]));
    expect(Object.keys(maps)).toEqual(Object.keys(encoder.featureDims));
    for (const map of Object.values(maps)) {
      expect([map.dim, map.size(0), map.dtype]).toEqual([3, 2, "f32"]);
      for (const total of map.sum([1, 2]).toArray()) expect(total).toBeCloseTo(1, 5);
    }
    expect(encoder.training).toBe(true);
    const [first = ""] = Object.keys(maps);
    expect(Object.keys(attentionMaps(encoder, randn([1, 3, 64, 64]), { layers: [first] }))).toEqual([first]);
  });
  encoder.dispose();
});

test("unknown layers and images that are too small are refused", () => {
  const encoder = createEncoder({ model: "vit-tiny-8", width: 0.25 });
  scope(() => {
    expect(() => attentionMaps(encoder, randn([1, 3, 16, 16]), { layers: ["blok12"] })).toThrow(
      /Did you mean "block12"/,
    );
    expect(() => attentionMaps(encoder, randn([1, 3, 8, 8]))).toThrow(UsageError);
    expect(() => attentionMaps(encoder, randn([1, 3, 20, 16]))).toThrow(
      "The images are 20×16 pixels; this encoder needs sides of 16 at least, and multiples of 8.",
    );
  });
  encoder.dispose();
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])("activations of %d are refused", (value) => {
  const encoder = createEncoder({ model: "resnet10", width: 0.125 });
  scope(() => {
    noGrad(() => encoder.parameters().at(-1)?.fill_(value));
    expect(() => attentionMaps(encoder, randn([1, 3, 64, 64]))).toThrow(/layer4 gives values that are not finite/);
  });
  encoder.dispose();
});
