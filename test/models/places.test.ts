/** Where the places of feature maps lie: told by networks that turn with their image. */
import { expect, test } from "vitest";
import { attentionMaps } from "../../src/inspect/attention/activation.ts";
import { equivariance } from "../../src/inspect/attention/equivariance.ts";
import { createEncoder, families } from "../../src/models/index.ts";
import { ConvEncoder, type ModelEntry, type Stem } from "../../src/models/model.ts";
import { type Places, symmetricSide } from "../../src/models/places.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { randn } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { scope } from "../../src/torch/scope.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

/** The first network of each family, in each form of its first layers. */
const cases = Object.values(families).flatMap((family) => {
  const [[model, { stems }]] = Object.entries(family as Record<string, ModelEntry>) as [[string, ModelEntry]];
  return stems.map((stem): [string, Stem] => [model, stem]);
});
const SIDE = 64;

/** A network all of whose kernels are the mean of their four turns. */
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
  "%s, stem %s: at its symmetric side, places lie the same from both ends, and maps turn",
  (model, stem) => {
    const encoder = turning(model, stem);
    scope(() =>
      noGrad(() => {
        const side = symmetricSide(encoder, SIDE);
        expect(Math.abs(side - SIDE)).toBeLessThan(4);
        const images = randn([1, 3, side, side]);
        const mapsOf = (some: typeof images) => attentionMaps(encoder, some);
        const maps = mapsOf(images);
        expect(Object.keys(encoder.places)).toEqual(Object.keys(maps));
        for (const [layer, map] of Object.entries(maps)) {
          const { start, stride } = encoder.places[layer] as Places;
          expect(start + (map.size(2) - 1) * stride).toBe(side - 1 - start);
        }
        if (!(encoder instanceof ConvEncoder)) return; // what a transformer attends to has no turns to average
        for (const turns of Object.values(equivariance(mapsOf, images, maps)))
          for (const value of turns.flat().filter((one) => !Number.isNaN(one))) expect(value).toBeGreaterThan(0.999);
      }),
    );
    encoder.dispose();
  },
);

test("the symmetric side of a ResNet is one pixel more, that of a transformer or a VGG its own", () => {
  for (const [model, sides] of Object.entries({
    resnet10: [65, 97, 129],
    vgg11: [64, 96, 128],
    "vit-tiny-8": [64, 96, 128],
  })) {
    const encoder = createEncoder({ model, width: 0.125 });
    expect([64, 96, 128].map((side) => symmetricSide(encoder, side))).toEqual(sides);
    encoder.dispose();
  }
});
