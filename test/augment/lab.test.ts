import { expect, test } from "vitest";
import { labToRgb, lightnessToGrey, rgbToLab } from "../../src/augment/lab.ts";
import { greyOf, toLab } from "../../src/augment/lightness.ts";
import { fromUnit, toUnit } from "../../src/augment/normalise.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { rand, tensor, zeros } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { scope } from "../../src/torch/scope.ts";
import { call, type Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const lab = (rgb: readonly number[]) =>
  scope(() => rgbToLab(tensor(rgb.map((value) => [[value]])).unsqueeze(0)).toArray());

test.each([
  // Bruce Lindbloom's calculator, sRGB, D65
  ["white", [1, 1, 1], [100, 0, 0]],
  ["black", [0, 0, 0], [0, 0, 0]],
  ["red", [1, 0, 0], [53.2408, 80.0925, 67.2032]],
  ["green", [0, 1, 0], [87.7347, -86.1827, 83.1793]],
  ["blue", [0, 0, 1], [32.297, 79.1875, -107.8602]],
])("%s", (_, rgb, expected) => {
  for (const [i, value] of lab(rgb).entries()) expect(Math.abs(value - (expected[i] ?? 0))).toBeLessThan(2e-2);
});

/** One pixel by the formulas of CIE 15, in double precision and another order: X, Y, Z are divided by white first. */
function slowLab([r, g, b]: readonly number[]): number[] {
  const linear = [r, g, b].map((v = 0) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  const [lr = 0, lg = 0, lb = 0] = linear;
  const x = (0.4124564 * lr + 0.3575761 * lg + 0.1804375 * lb) / 0.95047;
  const y = 0.2126729 * lr + 0.7151522 * lg + 0.072175 * lb;
  const z = (0.0193339 * lr + 0.119192 * lg + 0.9503041 * lb) / 1.08883;
  const [fx = 0, fy = 0, fz = 0] = [x, y, z].map((t) =>
    t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116,
  );
  return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)];
}

test("random colours agree with a slow implementation to 1e-3, and convert back", () => {
  scope(() => {
    manualSeed(0);
    const rgb = rand([2, 3, 8, 8]);
    const converted = rgbToLab(rgb);
    const [inputs, outputs] = [rgb, converted].map((image) => image.permute(0, 2, 3, 1).contiguous().toArray());
    for (let i = 0; i < 2 * 64; i++) {
      const expected = slowLab((inputs ?? []).slice(3 * i, 3 * i + 3));
      for (const [k, value] of expected.entries()) {
        expect(Math.abs((outputs?.[3 * i + k] ?? Number.NaN) - value)).toBeLessThan(1e-3);
      }
    }
    expect(labToRgb(converted).sub(rgb).abs().amax([0, 1, 2, 3]).item()).toBeLessThan(1e-4);
  });
});

test.each(["contiguous_format", "channels_last"] as const)(
  "on the CPU, one pass over the pixels gives what the operators give: images in %s",
  (memoryFormat) => {
    scope(() => {
      manualSeed(1);
      const rgb = rand([3, 3, 9, 7]);
      rgb.narrow(0, 0, 1).mul_(0.05); // where a line replaces the powers
      const images = fromUnit(rgb).contiguous(memoryFormat);
      const lab = toLab(images);
      const far = (a: Tensor, b: Tensor) => a.sub(b).abs().amax([0, 1, 2, 3]).item();
      expect(far(lab, rgbToLab(toUnit(images)))).toBeLessThan(1e-3);
      expect(far(greyOf(lab), fromUnit(lightnessToGrey(lab.narrow(1, 0, 1))))).toBeLessThan(1e-4);
      expect(() => toLab(rand([2, 1, 4, 4]))).toThrow("expected images (B, 3, H, W)");
      expect(() => greyOf(rand([2, 1, 4, 4]))).toThrow("expected images (B, 3, H, W)");
    });
  },
);

test("gradients go through Lab and grey, and the passes over pixels, which have none, refuse them", () => {
  scope(() => {
    manualSeed(2);
    const images = fromUnit(rand([1, 3, 2, 2])).requiresGrad_();
    const sum = (x: Tensor) => greyOf(toLab(x)).sum();
    sum(images).backward();
    for (const channel of [0, 1, 2]) {
      const moved = (by: number) => {
        const x = images.detach().clone();
        x.select(1, channel).add_(by);
        return sum(x).item();
      };
      const rise = (moved(0.01) - moved(-0.01)) / 0.02;
      expect((images.grad as Tensor).select(1, channel).sum().item() / rise).toBeCloseTo(1, 2);
    }
    const three = [1, 1, 1];
    const passes = [
      () => call("selfsight::to_lab", images, three, three, [...three, ...three, ...three]),
      () => call("selfsight::grey_of_lab", images),
      () => call("selfsight::change_colours", images, zeros([1, 16]), three, three, three),
      () => call("selfsight::change_colours", images.detach(), zeros([1, 16]).requiresGrad_(), three, three, three),
    ];
    for (const pass of passes) {
      expect(pass).toThrow(
        /expected a tensor that needs no gradient, .*: give detach\(\), or call it within noGrad\(\)/,
      );
      noGrad(pass);
    }
  });
});
