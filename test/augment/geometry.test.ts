import { describe, expect, test } from "vitest";
import { randomPatches, randomResizedCrop, randomShift, rotateInCircle } from "../../src/augment/geometry.ts";
import { randomAt } from "../../src/random.ts";
import { autocast } from "../../src/torch/autograd.ts";
import { arange, ones, randn, zeros } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const SIZE = 32;
const TILT = (5 * Math.PI) / 180;

/** (count, 3, size, size): pixels with the value `right` · column + `down` · row. */
const slope = (count: number, size: number, right: number, down: number) => {
  const along = arange(size, { dtype: "f32" });
  return along.mul(right).add(along.mul(down).unsqueeze(1)).expand(count, 3, size, size).contiguous();
};

const largest = (x: Tensor) => x.abs().amax([0, 1, 2, 3]).item();

describe("rotations in a circle", () => {
  test.each([0, 90, 180, 270])("by %i° match rot90, up to half a pixel and 5°", (degrees) => {
    scope(() => {
      const images = slope(8, SIZE, 3, -5);
      const middle = (x: Tensor) => x.narrow(2, 6, 20).narrow(3, 6, 20); // inside the circle
      const apart = middle(rotateInCircle(images, degrees, randomAt(0))).sub(
        middle(images.rot90(degrees / 90, [2, 3])),
      );
      const tilted = Math.hypot(3, 5) * Math.hypot(9.5, 9.5) * 2 * Math.sin(TILT / 2);
      expect(largest(apart)).toBeLessThanOrEqual((3 + 5) / 2 + tilted + 1e-3);
      expect(largest(apart)).toBeGreaterThan(0.1);
    });
  });

  test.each([0, 45, 90, 135, 180, 225, 270, 315])("by %i° are counter-clockwise", (degrees) => {
    scope(() => {
      const images = zeros([4, 3, SIZE, SIZE]);
      images.narrow(2, 14, 4).narrow(3, 24, 4).fill_(1); // a spot, 10 pixels to the right of the centre
      const spots = rotateInCircle(images, degrees, randomAt(0)).select(1, 0);
      const offset = arange(SIZE, { dtype: "f32" }).sub((SIZE - 1) / 2);
      const mass = spots.sum([1, 2]);
      const right = spots.sum(1).mul(offset).sum(1).div(mass).toArray();
      const up = spots.sum(2).mul(offset.neg()).sum(1).div(mass).toArray();
      const radians = (degrees * Math.PI) / 180;
      for (const [i, x] of right.entries()) {
        const away = Math.hypot(x - 10 * Math.cos(radians), (up[i] ?? Number.NaN) - 10 * Math.sin(radians));
        expect(away).toBeLessThan(0.8 + 10 * TILT); // of 7.7 to the next of eight angles
      }
    });
  });

  test.each([0, 45])("by %i° blank everything outside the inscribed circle, and keep everything inside", (degrees) => {
    scope(() => {
      const turned = rotateInCircle(ones([2, 1, SIZE, SIZE]), degrees, randomAt(0))
        .select(0, 1)
        .flatten()
        .toArray();
      for (const [i, value] of turned.entries()) {
        const [y, x] = [Math.floor(i / SIZE) - 15.5, (i % SIZE) - 15.5];
        if (Math.hypot(x, y) > 16) expect(value).toBe(0);
        if (Math.hypot(x, y) < 15) expect(value).toBeCloseTo(1, 5);
      }
    });
  });
});

/** Mean square of each image (B, 3, S, S). */
const energy = (images: Tensor) => images.pow(2).mean([1, 2, 3]).toArray();

test("of noise that is rotated in a circle, the mean square hardly tells odd multiples of 45° from even ones", () => {
  scope(() => {
    manualSeed(1);
    const random = randomAt(0);
    const energies = (turns: readonly number[]) =>
      turns.flatMap((turn) => energy(rotateInCircle(randn([100, 3, SIZE, SIZE]), 45 * turn, random)));
    const odd = energies([1, 3, 5, 7]).sort((a, b) => a - b);
    const [low, high] = [odd[10] ?? 0, odd[389] ?? 0]; // 95 % of the odd ones
    const alike = energies([0, 2, 4, 6]).filter((one) => one >= low && one <= high).length / 400;
    expect(alike).toBeGreaterThan(0.8); // 0.2 to 0.3 if images are only shifted
  });
});

test("images are rotated and cut alike under autocast, bit for bit", () => {
  scope(() => {
    const images = randn([4, 3, 96, 96]);
    const all = () =>
      [
        rotateInCircle(images, 45, randomAt(0)),
        randomPatches(images, Array(4).fill([0.1, -0.2]), { part: 0.5, size: 96 }, randomAt(0)),
        randomResizedCrop(images, { size: 64, minArea: 0.3, flip: true }, randomAt(0)),
        randomShift(images, { size: 96, padding: 12, flip: true }, randomAt(0)),
      ].map((result) => result.contiguous().toArray());
    expect(autocast("cpu", "bf16", all)).toEqual(all());
  });
});

test.each([0.8, 0.95, 1])("resized crops never cover less than a minArea of %d", (minArea) => {
  scope(() => {
    const options = { size: 16, minArea, flip: false };
    /** Of the crops, as fractions of the image's. */
    const sides = (right: number, down: number) => {
      const crops = randomResizedCrop(slope(300, 64, right, down), options, randomAt(0)).select(1, 0);
      const at = (i: number) => crops.narrow(right ? 2 : 1, i, 1).mean([1, 2]);
      return at(11)
        .sub(at(4))
        .mul(16 / 7 / 64)
        .toArray();
    };
    const [widths, heights] = [sides(1, 0), sides(0, 1)];
    const areas = widths.map((width, i) => width * (heights[i] ?? Number.NaN));
    expect(Math.min(...areas)).toBeGreaterThan(minArea - 1e-4);
    expect(Math.max(...areas)).toBeLessThan(1 + 1e-4);
  });
});

test("resized crops cover minArea to 1, at most 4:3, anywhere inside the image; half of them are mirrored", () => {
  scope(() => {
    const count = 300;
    /** Sides and centres of the crops, across or down, as fractions of the image's side. */
    const extents = (down: boolean, flip: boolean) => {
      const images = down ? slope(count, 64, 0, 1) : slope(count, 64, 1, 0);
      const crops = randomResizedCrop(images, { size: 16, minArea: 0.25, flip }, randomAt(0)).select(1, 0);
      const at = (i: number) =>
        crops
          .narrow(down ? 1 : 2, i, 1)
          .mean([1, 2])
          .add(0.5)
          .div(64); // the centre of pixel i
      const [low, high] = [at(4), at(11)]; // too far inside to mix in pixels beyond the edges
      return {
        sides: high
          .sub(low)
          .mul(16 / 7)
          .toArray(),
        middles: low.add(high).div(2).toArray(),
      };
    };
    const [across, downwards] = [extents(false, true), extents(true, true)];
    const mirrored = across.sides.filter((side) => side < 0).length / count;
    expect(Math.abs(mirrored - 1 / 2)).toBeLessThan(0.1);
    expect(extents(false, false).sides.every((side) => side > 0)).toBe(true);
    const widths = across.sides.map(Math.abs);
    const areas = widths.map((width, i) => width * (downwards.sides[i] ?? Number.NaN));
    expect(Math.min(...areas)).toBeGreaterThan(0.25 - 1e-3);
    expect(Math.min(...areas)).toBeLessThan(0.28);
    expect(Math.max(...areas)).toBeGreaterThan(0.9);
    const ratios = widths.map((width, i) => width / (downwards.sides[i] ?? Number.NaN));
    expect(Math.max(...ratios)).toBeLessThan(4 / 3 + 1e-3);
    expect(Math.min(...ratios)).toBeGreaterThan(3 / 4 - 1e-3);
    for (const [sides, middles] of [
      [widths, across.middles],
      [downwards.sides, downwards.middles],
    ] as const) {
      const starts = middles.map((middle, i) => middle - (sides[i] ?? 0) / 2);
      const ends = middles.map((middle, i) => middle + (sides[i] ?? 0) / 2);
      expect(Math.min(...starts)).toBeGreaterThan(-1e-3);
      expect(Math.max(...ends)).toBeLessThan(1 + 1e-3);
      expect(Math.max(...starts)).toBeGreaterThan(0.3);
      expect(Math.min(...ends)).toBeLessThan(0.7);
    }
  });
});

test("shifted crops are the images' own pixels at every possible shift, and 0 beyond the edges", () => {
  scope(() => {
    const images = slope(200, 8, 1, 8).add(1); // 1 to 64: a pixel's value encodes its place
    const options = { size: 8, padding: 2, flip: false };
    const shifted = randomShift(images, options, randomAt(0)).select(1, 0);
    const starts = Array.from({ length: 200 }, (_, i) => {
      const crop = shifted.select(0, i);
      const at = Math.round(crop.select(0, 4).select(0, 4).item()) - 1;
      const [dy, dx] = [Math.floor(at / 8) - 4, (at % 8) - 4];
      for (const [k, value] of crop.contiguous().toArray().entries()) {
        const [y, x] = [Math.floor(k / 8) + dy, (k % 8) + dx];
        const inside = Math.min(x, y) >= 0 && Math.max(x, y) < 8;
        expect(value).toBeCloseTo(inside ? 1 + x + 8 * y : 0, 2);
      }
      return `${dy} ${dx}`;
    });
    expect(new Set(starts).size).toBe(25); // -2 to 2 in each direction
    const flipped = randomShift(images, { ...options, padding: 0, flip: true }, randomAt(0)).select(1, 0);
    const mirrored = flipped.select(1, 0).select(1, 0).toArray().map(Math.round); // top left: 1 or 8
    expect(new Set(mirrored)).toEqual(new Set([1, 8]));
  });
});
