import { expect, test } from "vitest";
import { dropColours, projectColours, sometimes, toGrey } from "../../src/augment/colour.ts";
import { denormalise, fromUnit, mixChannels, normalise, pixelTensor, toUnit } from "../../src/augment/normalise.ts";
import { randomAt } from "../../src/random.ts";
import { rand, randn, tensor } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const largest = (x: Tensor) => x.abs().amax([0, 1, 2, 3]).item();

test("normalised to 0 to 1 and back", () => {
  scope(() => {
    const rgb = rand([2, 3, 4, 4]);
    expect(largest(toUnit(fromUnit(rgb)).sub(rgb))).toBeLessThan(1e-5);
  });
});

test("bytes of pixels become channels at the same places, with ImageNet's mean and spread, and come back", () => {
  scope(() => {
    const bytes = Uint8Array.of(255, 0, 128, 0, 255, 0, 0, 0, 0, 0, 0, 255); // a row of two pixels, then another
    const pixels = pixelTensor(bytes, 2);
    const images = normalise(pixels);
    expect([images.shape, images.dtype]).toEqual([[1, 3, 2, 2], "f32"]);
    const near = (values: number[]) => values.map((value) => expect.closeTo(value, 5));
    const [red, green, blue] = [0, 1, 2].map((channel) =>
      images.select(0, 0).select(0, channel).contiguous().toArray(),
    );
    const at = (row: number, column: number) => [red, green, blue].map((values) => values?.[2 * row + column]);
    expect(at(0, 0)).toEqual(near([(1 - 0.485) / 0.229, -0.456 / 0.224, (128 / 255 - 0.406) / 0.225]));
    expect(at(0, 1)).toEqual(near([-0.485 / 0.229, (1 - 0.456) / 0.224, -0.406 / 0.225]));
    expect(at(1, 0)).toEqual(near([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]));
    expect(at(1, 1)).toEqual(near([-0.485 / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225]));
    const back = denormalise(images);
    expect([back.dtype, back.permute(0, 2, 3, 1).contiguous().toArray()]).toEqual(["u8", [...bytes]]);
  });
});

test("a matrix mixes the channels of each pixel", () => {
  scope(() => {
    const pixel = tensor([1, 2, 3]).reshape(1, 3, 1, 1);
    const mixed = mixChannels(pixel, [
      [1, 0, 0],
      [1, 1, 1],
      [0, 0, -2],
    ]);
    expect(mixed.toArray()).toEqual([1, 6, -6]);
  });
});

test("toGrey gives three equal channels of luma, and leaves grey images unchanged", () => {
  scope(() => {
    const rgb = rand([2, 3, 4, 4]);
    const grey = toUnit(toGrey(fromUnit(rgb)));
    const luma = rgb.select(1, 0).mul(0.299).add(rgb.select(1, 1).mul(0.587)).add(rgb.select(1, 2).mul(0.114));
    expect(largest(grey.sub(luma.unsqueeze(1)))).toBeLessThan(1e-5);
    expect(largest(toUnit(toGrey(fromUnit(grey))).sub(grey))).toBeLessThan(1e-5);
  });
});

test("projected colours have no green-magenta component, and grey stays grey", () => {
  scope(() => {
    const rgb = toUnit(projectColours(fromUnit(rand([2, 3, 4, 4]))));
    const magenta = rgb.select(1, 0).sub(rgb.select(1, 1).mul(2)).add(rgb.select(1, 2));
    expect(magenta.abs().amax([0, 1, 2]).item()).toBeLessThan(1e-5);
    const grey = fromUnit(rand([1, 1, 4, 4]).expand(1, 3, 4, 4));
    expect(largest(projectColours(grey).sub(grey))).toBeLessThan(1e-5);
  });
});

test("the given fraction of images turns grey", () => {
  scope(() => {
    const images = randn([400, 3, 2, 2]);
    const changed = sometimes(toGrey, images, { probability: 0.3 }, randomAt(0)).sub(images).abs().amax([1, 2, 3]);
    const part = changed.ge(1e-4).mean().item();
    expect(part).toBeGreaterThan(0.22);
    expect(part).toBeLessThan(0.38);
    expect(sometimes(toGrey, images, { probability: 0 }, randomAt(0))).toBe(images);
  });
});

test("both views of an image turn grey, or neither", () => {
  scope(() => {
    const images = randn([12, 3, 2, 2]); // two views of six images
    const outcomes = Array.from({ length: 4 }, (_, place) => {
      const half = { probability: 0.5, views: 2 };
      const changed = sometimes(toGrey, images, half, randomAt(0, place)).sub(images).abs().amax([1, 2, 3]);
      const grey = changed.ge(1e-4).to("f32").toArray();
      expect(grey.slice(6)).toEqual(grey.slice(0, 6));
      return grey.slice(0, 6);
    });
    expect(new Set(outcomes.flat())).toEqual(new Set([0, 1]));
    expect(new Set(outcomes.map(String)).size).toBeGreaterThan(1); // nor are all images alike
  });
});

test("one channel of each image is kept, the others become faint noise", () => {
  scope(() => {
    const images = randn([300, 3, 8, 8]);
    const spread = dropColours(images, randomAt(0)).std([2, 3]); // (300, 3)
    const kept = spread.ge(0.3);
    expect(kept.to("f32").sum(1).sub(1).abs().amax(0).item()).toBe(0);
    expect(spread.mul(kept.to("f32").neg().add(1)).amax([0, 1]).item()).toBeLessThan(0.02);
    const each = kept.to("f32").sum(0).toArray();
    expect(Math.min(...each)).toBeGreaterThan(60);
  });
});
