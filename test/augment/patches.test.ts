import { describe, expect, test } from "vitest";
import {
  cutPatches,
  gridPlaces,
  normalisePatches,
  patchGrid,
  patchSide,
  requirePatchSide,
  wholeSteps,
} from "../../src/augment/patches.ts";
import { createEncoder } from "../../src/models/index.ts";
import { randomAt } from "../../src/random.ts";
import { jigsaw } from "../../src/tasks/jigsaw.ts";
import { relativePatch } from "../../src/tasks/relative-patch.ts";
import { arange, randn } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import { contextOf, createWith, disposeOf, noiseViews, shownBy } from "../batch.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

test("patches are the images' own pixels, image by image", () => {
  scope(() => {
    const images = arange(2 * 3 * 6 * 7, { dtype: "f32" }).reshape(2, 3, 6, 7);
    const places = [
      [0, 0],
      [1, 4],
      [3, 2],
      [2, 1],
    ] as const;
    const cut = cutPatches(images, places, 3);
    expect(cut.shape).toEqual([4, 3, 3, 3]);
    for (const [i, [y, x]] of places.entries()) {
      const expected = images
        .select(0, i < 2 ? 0 : 1)
        .narrow(1, y, 3)
        .narrow(2, x, 3);
      expect(cut.select(0, i).contiguous().toArray()).toEqual(expected.contiguous().toArray());
    }
  });
});

test("a normalised patch has no brightness or tint, and a flat one stays finite", () => {
  scope(() => {
    const patches = randn([4, 3, 8, 8]).mul(3).add(5);
    const normal = normalisePatches(patches);
    expect(normal.mean([2, 3]).abs().amax([0, 1]).item()).toBeLessThan(1e-5);
    expect(normal.std([2, 3], { correction: 0 }).sub(1).abs().amax([0, 1]).item()).toBeLessThan(1e-4);
    expect(normalisePatches(patches.mul(0).add(7)).abs().amax([0, 1, 2, 3]).item()).toBe(0);
  });
});

describe("the grid", () => {
  test("has the paper's proportions", () => {
    const encoder = createEncoder({ model: "resnet10", width: 0.125, stem: "patch" });
    const grid = (size: number) => patchGrid(size, patchSide(size, encoder));
    for (const size of [398, 400]) expect(grid(size)).toEqual({ side: 96, gap: 48, jitter: 7 });
    expect(grid(64)).toEqual({ side: 15, gap: 7, jitter: 1 });
    expect(patchSide(32, encoder)).toBe(8); // 7 would be too small for the encoder
    encoder.dispose();
    const transformer = createEncoder({ model: "vit-tiny-8", width: 0.125 });
    expect([64, 96, 100].map((size) => patchSide(size, transformer))).toEqual([16, 24, 24]);
    transformer.dispose();
  });

  test.each([32, 64, 96, 225])("stays inside images of %i pixels, and keeps its patches apart", (size) => {
    const grid = patchGrid(size, Math.floor(size / 4));
    const random = randomAt(0);
    for (let i = 0; i < 200; i++) {
      const places = gridPlaces(grid, size, random);
      for (const [y, x] of places) {
        expect(Math.min(y, x)).toBeGreaterThanOrEqual(0);
        expect(Math.max(y, x) + grid.side).toBeLessThanOrEqual(size);
      }
      const [left, right] = [places[3] as [number, number], places[4] as [number, number]];
      const gap = right[1] - left[1] - grid.side;
      expect(gap).toBeGreaterThanOrEqual(grid.gap - 2 * grid.jitter);
      expect(gap).toBeLessThanOrEqual(grid.gap + 2 * grid.jitter);
    }
  });

  test("is refused with the sizes if it does not fit", () => {
    expect(() => patchGrid(64, 20, 10, 0)).toThrow(/need 80 pixels; the images have 64/);
  });

  test("keeps a gap that no jitter closes, whatever the patch", () => {
    expect(patchGrid(32, 8)).toEqual({ side: 8, gap: 3, jitter: 1 });
    expect(patchGrid(64, 16)).toEqual({ side: 16, gap: 7, jitter: 1 });
    expect(patchGrid(28, 7)).toEqual({ side: 7, gap: 3, jitter: 0 });
    for (const [size, side] of [
      [64, 20],
      [96, 30],
    ] as const) {
      expect(() => patchGrid(size, side)).toThrow(/2 gaps of \d+ .* Lower patch, gap or jitter/);
    }
    for (let size = 6; size < 200; size++) {
      for (let side = 1; side <= size / 4; side++) {
        const { gap, jitter } = patchGrid(size, side);
        expect(gap).toBeGreaterThan(2 * jitter);
      }
    }
  });

  test("has less jitter with a small gap, and a larger gap with much jitter, unless both are given", () => {
    expect(patchGrid(400, 96, 10)).toEqual({ side: 96, gap: 10, jitter: 4 });
    expect(patchGrid(64, 15, 0)).toEqual({ side: 15, gap: 0, jitter: 0 });
    expect(patchGrid(96, 15, undefined, 6)).toEqual({ side: 15, gap: 13, jitter: 6 });
    expect(patchGrid(64, 15, 2, 3)).toEqual({ side: 15, gap: 2, jitter: 3 });
  });
});

test("tiles too large for a third of the image are refused", () => {
  const encoder = createEncoder({ model: "resnet10", width: 0.125, stem: "cifar" });
  const create = (options: object) => scope(() => jigsaw.create(contextOf(encoder, 48), jigsaw.options.parse(options)));
  expect(() => create({ tile: 17 })).toThrow(/has room for tiles of 16; tile is 17/);
  expect(() => create({ tile: 16, channelShift: 1 })).toThrow(
    /room for tiles of 15 with that channelShift; tile is 16/,
  );
  expect(() => create({ channelShift: 30 })).toThrow(/room for tiles of 0 with that channelShift. Lower that/);
  encoder.dispose();
});

test("patch sides are a multiple of the encoder's patch size by default, and refused otherwise", () => {
  const encoder = createEncoder({ model: "vit-tiny-8", width: 0.125 });
  expect([25, 24, 7].map((side) => wholeSteps(side, encoder))).toEqual([24, 24, 7]);
  expect(() => requirePatchSide(25, encoder, 100)).toThrow(/multiple of 8 pixels, 24 for one; they have 25/);
  const seen = scope(() => shownBy(jigsaw, {}, noiseViews({}, 64, 2)[0], 0, 8).shape);
  expect(seen).toEqual([2 * 9, 3, 16, 16]); // otherwise tiles would have 17
  encoder.dispose();
});

test("chosen patches too small for the encoder are refused, naming a side that works", () => {
  const encoder = createEncoder({ model: "resnet10", width: 0.125 });
  expect(() => requirePatchSide(16, encoder, 64)).toThrow(/needs 32\. Ask for 32 or more, .* another --stem if it has/);
  expect(() => requirePatchSide(32, encoder, 128)).not.toThrow();
  encoder.dispose();
});

test.each([
  ["jigsaw", "vgg11", 60, 114],
  ["jigsaw", "resnet10", 64, 114],
  ["jigsaw", "vit-tiny-16", 48, 128],
  ["relative-patch", "vgg11", 60, 128],
  ["relative-patch", "vit-tiny-8", 56, 64],
] as const)(
  "%s on %s in images of %i pixels: the size that is named is the smallest that works",
  (task, model, size, works) => {
    const encoder = createEncoder({ model, width: 0.05 });
    const [made, options] = task === "jigsaw" ? [jigsaw, { permutations: 2 }] : [relativePatch, {}];
    const create = (size: number) => scope(() => disposeOf(createWith(made, options, encoder, size)));
    expect(() => create(size)).toThrow(`Use --image-size ${works} or more, or take an encoder for smaller images`);
    expect(() => create(works)).not.toThrow();
    for (let smaller = size; smaller < works; smaller += encoder.patchSize) expect(() => create(smaller)).toThrow();
    encoder.dispose();
  },
);
