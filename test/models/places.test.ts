/** Where the places of feature maps lie: told by networks that turn with their image. */
import { expect, test } from "vitest";
import { attentionMaps } from "../../src/inspect/attention/activation.ts";
import { equivariance } from "../../src/inspect/attention/equivariance.ts";
import { createEncoder, models } from "../../src/models/index.ts";
import type { Stem } from "../../src/models/model.ts";
import { symmetricSide } from "../../src/models/places.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { randn } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { scope } from "../../src/torch/scope.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const cases = Object.entries({ resnet10: 64, resnet10v2: 64, revnet26: 64, vgg11: 64, alexnet: 96, nin3: 32 }).flatMap(
  ([model, side]) =>
    (models[model as "resnet10"].stems as Stem[]).map((stem): [string, Stem, number] => [model, stem, side]),
);

/** A convolutional network all of whose kernels are the mean of their four turns. */
function turning(model: string, stem: Stem) {
  manualSeed(0);
  const encoder = createEncoder({ model, width: 0.125, stem });
  scope(() =>
    noGrad(() => {
      for (const weight of encoder.parameters().filter(({ dim }) => dim === 4)) {
        const turns = [0, 1, 2, 3].map((k) => weight.rot90(k, [2, 3]));
        weight.copy_(turns.reduce((sum, one) => sum.add(one)).div(4));
      }
    }),
  );
  return encoder;
}

test.each(cases)(
  "%s with stem %s: at the symmetric side next to %i, its maps turn with the image",
  (model, stem, size) => {
    const encoder = turning(model, stem);
    scope(() =>
      noGrad(() => {
        const side = symmetricSide(encoder, size);
        expect(Math.abs(side - size)).toBeLessThan(4);
        const images = randn([1, 3, side, side]);
        const mapsOf = (some: typeof images) => attentionMaps(encoder, some);
        const maps = mapsOf(images);
        expect(Object.keys(encoder.places)).toEqual(Object.keys(maps));
        for (const [layer, map] of Object.entries(maps)) {
          const { start, stride } = encoder.places[layer] as { start: number; stride: number };
          expect(start + (map.size(2) - 1) * stride).toBe(side - 1 - start); // as far from the end as from the beginning
        }
        for (const turns of Object.values(equivariance(mapsOf, images, maps)))
          for (const value of turns.flat().filter((one) => !Number.isNaN(one))) expect(value).toBeGreaterThan(0.999);
      }),
    );
    encoder.dispose();
  },
);

test("a transformer's patches fill the image: its own sides are symmetric", () => {
  const encoder = createEncoder({ model: "vit-tiny-8", width: 1 / 3 });
  expect([64, 96].map((side) => symmetricSide(encoder, side))).toEqual([64, 96]);
  expect(encoder.places["block12"]).toEqual({ start: 3.5, stride: 8 });
  encoder.dispose();
});
