/** Checks what every registered architecture promises. test/golden compares its values with PyTorch. */
import { describe, expect, test } from "vitest";
import { createEncoder, families, models } from "../../src/models/index.ts";
import { featureShapes } from "../../src/models/model.ts";
import { pretrainOptions } from "../../src/run/options.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { randn } from "../../src/torch/ops.ts";
import { decayGroups } from "../../src/torch/optim/groups.ts";
import { scope } from "../../src/torch/scope.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const rows = Object.entries(models).flatMap(([model, { stems }]) => stems.map((stem) => [model, stem] as const));

test("every model belongs to one family", () => {
  expect(Object.values(families).flatMap((family) => Object.keys(family))).toEqual(Object.keys(models));
});

test.each(["resnet10v2", "alexnet", "vgg11", "vit-tiny-8"])(
  "%s accepts a single image of its smallest size in training",
  (model) => {
    const encoder = createEncoder({ model, width: 0.1 });
    const { minImageSize: size } = encoder;
    scope(() => expect(encoder.forward(randn([1, 3, size, size])).shape).toEqual([1, encoder.outDim]));
    encoder.dispose();
  },
);

describe.each(rows)("%s, stem %s", (model, stem) => {
  const small = () => createEncoder({ model, stem, width: 0.1 });

  test("names its maps from shallow to deep, and returns a vector", () => {
    const encoder = small();
    const size = 4 * encoder.minImageSize;
    const shapes = Object.entries(featureShapes(encoder, size));
    expect(Object.fromEntries(shapes.map(([name, [channels]]) => [name, channels]))).toEqual(encoder.featureDims);
    expect(shapes.map(([name]) => name)).toEqual(Object.keys(encoder.featureDims));
    const sides = shapes.map(([, [, side]]) => side);
    expect(sides).toEqual([...sides].sort((a, b) => b - a));
    expect(sides).toEqual(shapes.map(([, [, , width]]) => width));
    scope(() => expect(encoder.forward(randn([2, 3, size, size])).shape).toEqual([2, encoder.outDim]));
    encoder.dispose();
  });

  test("trains on images of its smallest size", () => {
    const encoder = small();
    const { minImageSize: size } = encoder;
    scope(() => {
      const values = encoder.forward(randn([2, 3, size, size]));
      values.pow(2).sum().backward();
      const missing = encoder.namedParameters().filter(([, parameter]) => {
        const { grad } = parameter;
        return grad === null || !Number.isFinite(grad.sum().item());
      });
      expect(missing.map(([name]) => name)).toEqual([]);
      for (const [name, tensor] of encoder.state())
        expect(Number.isFinite(tensor.to("f32").sum().item()), name).toBe(true);
    });
    scope(() =>
      noGrad(() => {
        const image = randn([1, 3, size, size]);
        const { vector } = encoder.eval().encode(image);
        expect(vector.shape).toEqual([1, encoder.outDim]);
        expect(encoder.forward(image).toArray()).toEqual(vector.toArray());
      }),
    );
    encoder.dispose();
  });
});

test("a transformer takes only images of whole patches, also rectangular ones, and suggests valid sizes", () => {
  const encoder = createEncoder({ model: "vit-tiny-8", width: 0.1 });
  scope(() => {
    const maps = encoder.encode(randn([2, 3, 16, 24])).maps;
    expect(maps["block1"]?.shape).toEqual([2, 19, 2, 3]);
    expect(() => encoder.forward(randn([1, 3, 44, 44]))).toThrow(/44×44.*whole patches of 8.*40 or 48/);
  });
  encoder.dispose();
});

test("of a transformer, the class token and the position embeddings get no weight decay, as in DeiT", () => {
  const encoder = createEncoder({ model: "vit-tiny-16", width: 0.1 });
  const [decayed, free] = decayGroups(encoder.namedParameters(), 0.05);
  for (const parameter of [encoder.state().get("cls_token"), encoder.state().get("pos_embed")]) {
    expect(free?.parameters).toContain(parameter);
    expect(decayed?.parameters).not.toContain(parameter);
  }
  encoder.dispose();
});

test.each([
  [0.125, 24],
  [0.5, 128],
  [1, 192],
  [0.8, 128],
  [1.5, 320],
])("a transformer of width %d has heads of 64 channels, or a single narrower one", (width, channels) => {
  const encoder = createEncoder({ model: "vit-tiny-16", width });
  expect(encoder.outDim).toBe(channels);
  encoder.dispose();
});

test("the help says that a transformer's width is rounded", () => {
  expect(models["vit-tiny-16"].title).toMatch(/192 channels in whole heads of 64/);
  expect(pretrainOptions.shape.width.description).toMatch(/transformers are rounded to whole heads of 64 channels/);
});
