/** The colour changes of exemplar, compared with a slow pixel-by-pixel reference. */
import { describe, expect, test } from "vitest";
import { ColourAxes, changeColours, changeHsv, drawChanges, scaleAxes } from "../../src/augment/contrast.ts";
import { hsvToRgb, rgbToHsv } from "../../src/augment/hsv.ts";
import { toUnit } from "../../src/augment/normalise.ts";
import { logUniform, randomAt } from "../../src/random.ts";
import { arange, cat, fromTypedArray, rand, randn } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { scope } from "../../src/torch/scope.ts";
import { tensorOperator } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

/** Foley, van Dam et al., "Computer Graphics", figure 13.33. The hue is a fraction of the full circle. */
function slowHsv(r: number, g: number, b: number): [number, number, number] {
  const [most, least] = [Math.max(r, g, b), Math.min(r, g, b)];
  const range = most - least;
  if (range === 0) return [0, 0, most];
  const sextant = most === r ? (g - b) / range : most === g ? 2 + (b - r) / range : 4 + (r - g) / range;
  return [(((sextant / 6) % 1) + 1) % 1, range / most, most];
}

const colours = [0, 0.2, 0.5, 1].flatMap((r) => [0, 0.3, 1].flatMap((g) => [0, 0.7, 1].map((b) => [r, g, b] as const)));

describe("hue, saturation and value", () => {
  const pixels = () => fromTypedArray(Float32Array.from(colours.flat()), [colours.length, 3, 1, 1]);

  test("match the slow reference", () => {
    const hsv = scope(() => cat(rgbToHsv(pixels()), 1).toArray());
    const expected = colours.flatMap(([r, g, b]) => slowHsv(r, g, b));
    for (const [i, value] of expected.entries()) expect(hsv[i]).toBeCloseTo(value, 5);
  });

  test("convert back to the colours, and a full circle of hue changes nothing", () => {
    for (const turn of [0, 1, -2]) {
      const rgb = scope(() => {
        const [hue, saturation, value] = rgbToHsv(pixels());
        return hsvToRgb(hue.add(turn), saturation, value).toArray();
      });
      for (const [i, value] of colours.flat().entries()) expect(rgb[i]).toBeCloseTo(value, 5);
    }
  });
});

describe("principal components", () => {
  test("are orthogonal, with the direction of largest variance last", () => {
    const { mean, axes } = scope(() => {
      manualSeed(1);
      const along = randn([4, 1, 16, 16]);
      const images = cat([along.mul(3), along.mul(3), along.mul(0).add(2)], 1).add(randn([4, 3, 16, 16]).mul(0.1));
      const found = new ColourAxes(images);
      const arrays = { mean: found.mean.toArray(), axes: found.axes.toArray() };
      // The first two coordinates of a colour vary little, the last one a lot.
      const parts = found.forward(images.transpose(0, 1).flatten(1).transpose(0, 1)).std(0);
      expect(parts.toArray().map((part) => part > 1)).toEqual([false, false, true]);
      found.dispose();
      return arrays;
    });
    expect(mean[2]).toBeCloseTo(2, 1);
    const column = (k: number) => [0, 1, 2].map((row) => axes[row * 3 + k] ?? 0);
    for (const [a, b] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const)
      expect(column(a).reduce((sum, value, i) => sum + value * (column(b)[i] ?? 0), 0)).toBeCloseTo(0, 5);
    expect(Math.abs(column(2)[0] ?? 0)).toBeCloseTo(Math.SQRT1_2, 2);
    expect(Math.abs(column(2)[2] ?? 1)).toBeCloseTo(0, 2);
  });

  test("that equal the channels scale each channel about its mean, by separate factors for each image", () => {
    const about = scope(() => new ColourAxes(rand([1, 3, 2, 2])));
    scope(() => {
      about.mean.copy_(arange(3).add(1));
      about.axes.copy_(arange(3).unsqueeze(0).eq(arange(3).unsqueeze(1)));
    });
    const [ratios, back] = scope(() => {
      const images = rand([5, 3, 4, 4]);
      const centre = about.mean.reshape(1, 3, 1, 1);
      const scaled = scaleAxes(images, about, drawChanges(5, about, randomAt(3)));
      return [scaled.sub(centre).div(images.sub(centre)).flatten(2).toArray(), scaled.shape];
    });
    about.dispose();
    expect(back).toEqual([5, 3, 4, 4]);
    const random = randomAt(3);
    for (let channel = 0; channel < 15; channel++) {
      const factor = logUniform(random, 0.5, 2);
      for (let pixel = 0; pixel < 16; pixel++) expect(ratios[channel * 16 + pixel]).toBeCloseTo(factor, 3);
    }
  });
});

test("contrast 2 follows the paper's formula, with one draw for all pixels of an image", () => {
  const [before, after] = scope(() => {
    manualSeed(2);
    const images = randn([3, 3, 4, 4]);
    const colours = new ColourAxes(images);
    const changes = drawChanges(3, colours, randomAt(5));
    colours.dispose();
    return [toUnit(images).clamp(0, 1).permute(0, 2, 3, 1), toUnit(changeHsv(images, changes)).permute(0, 2, 3, 1)].map(
      (x) => x.contiguous().toArray(),
    ) as [number[], number[]];
  });
  const random = randomAt(5);
  for (let i = 0; i < 9; i++) logUniform(random, 0.5, 2); // contrast 1 comes first
  const draw = (low: number, high: number) => Array.from({ length: 3 }, () => low + (high - low) * uniformOf(random));
  const logDraw = (low: number, high: number) => draw(Math.log(low), Math.log(high)).map(Math.exp);
  const turns = draw(-0.1, 0.1);
  const [saturations, values] = [0, 1].map(() => ({
    power: logDraw(0.25, 4),
    factor: logDraw(0.7, 1.4),
    shift: draw(-0.1, 0.1),
  }));
  const clamp = (x: number) => Math.min(1, Math.max(0, x));
  const change = (x: number, of: typeof saturations, i: number) =>
    clamp(Math.max(x, 1e-6) ** (of?.power[i] ?? 0) * (of?.factor[i] ?? 0) + (of?.shift[i] ?? 0));
  for (let pixel = 0; pixel < 48; pixel++) {
    const image = Math.floor(pixel / 16);
    const [h, s, v] = slowHsv(...(before.slice(pixel * 3, pixel * 3 + 3) as [number, number, number]));
    const [h2, s2, v2] = slowHsv(...(after.slice(pixel * 3, pixel * 3 + 3) as [number, number, number]));
    expect(v2).toBeCloseTo(change(v, values, image), 3);
    if (v2 < 0.05) continue; // black has no saturation
    expect(s2).toBeCloseTo(change(s, saturations, image), 2);
    if (s2 < 0.05) continue; // grey has no hue
    const off = Math.abs(h2 - (((h + (turns[image] ?? 0)) % 1) + 1)) % 1;
    expect(Math.min(off, 1 - off)).toBeLessThan(0.01);
  }
});

test.each(["contiguous_format", "channels_last"] as const)(
  "on the CPU, one pass over the pixels gives what the operators give: images in %s",
  (memoryFormat) => {
    scope(() => {
      manualSeed(4);
      const images = randn([5, 3, 7, 6]).mul(1.5);
      images.narrow(0, 0, 1).fill_(0.3); // grey has no hue
      const colours = new ColourAxes(images);
      const expected = changeHsv(
        scaleAxes(images, colours, drawChanges(5, colours, randomAt(6))),
        drawChanges(5, colours, randomAt(6)),
      );
      const found = changeColours(images.contiguous(memoryFormat), colours, randomAt(6));
      expect(found.sub(expected).abs().amax([0, 1, 2, 3]).item()).toBeLessThan(1e-4);
      expect(expected.sub(images).abs().mean().item()).toBeGreaterThan(0.1);
      colours.dispose();
    });
  },
);

test("one pass refuses what it cannot read", () => {
  const change = tensorOperator("selfsight::change_colours");
  const three = [0, 0, 0];
  scope(() => {
    const [images, changes] = [rand([2, 3, 4, 4]), rand([2, 16])];
    for (const wrong of [
      [images, rand([3, 16]), three, three, three],
      [images, rand([2, 15]), three, three, three],
      [images, changes.to("f64"), three, three, three],
      [rand([2, 1, 4, 4]), changes, three, three, three],
      [images.to("bf16"), changes, three, three, three],
      [images, changes, [0, 0], three, three],
    ])
      expect(() => change(...wrong)).toThrow(/expected|length/i);
  });
});

/** A number from 0 to 1. */
const uniformOf = (random: ReturnType<typeof randomAt>) => Math.log(logUniform(random, 1, Math.E));
