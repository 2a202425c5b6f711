/** Masks, outlines, overlays and colours of single pictures. */
import { expect, test } from "vitest";
import { massMask, outlineOf } from "../../../src/inspect/attention/outline.ts";
import { coloursOver, heatOver, withOutline } from "../../../src/inspect/attention/overlay.ts";
import { layersShown } from "../../../src/inspect/attention/pictures.ts";
import { principalColours } from "../../../src/inspect/attention/principal-components.ts";
import { ones, randn, tensor } from "../../../src/torch/ops.ts";
import { scope } from "../../../src/torch/scope.ts";
import { expectNoLeak } from "../../live.ts";

expectNoLeak();

test("a mask holds the largest places, of 60 % of the mass in all", () => {
  expect([...massMask([1, 5, 2, 2])]).toEqual([0, 1, 0, 1]); // 5 of 10 are too few, 7 are enough
  expect([...massMask([1, 5, 1, 2], 0.5)]).toEqual([0, 1, 0, 0]);
  expect([...massMask([3, 0, 0])]).toEqual([1, 0, 0]);
});

test("an outline runs along the inside of a mask, not along the picture's border", () => {
  const mask = Uint8Array.of(1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0);
  expect([...outlineOf(mask, 4)]).toEqual([0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0]);
});

test("heat is brightest at the largest value, whatever the range", () => {
  const image = new Uint8Array(12).fill(200);
  const heat = heatOver(
    image,
    Float32Array.of(1, 3, 2, 1).map((value) => value / 2 ** 40),
  );
  expect(heat).toEqual(heatOver(image, Float32Array.of(-10, 10, 0, -10)));
  const brightness = [0, 1, 2].map((i) => heat.subarray(3 * i, 3 * i + 3).reduce((sum, value) => sum + value, 0));
  expect(brightness[1]).toBeGreaterThan(brightness[2] as number);
  expect(brightness[2]).toBeGreaterThan(0);
  expect(heat.subarray(0, 3)).toEqual(heat.subarray(9, 12));
  const even = heatOver(image, new Float32Array(4));
  expect([...even]).not.toContain(Number.NaN);
  expect(heatOver(image, Float32Array.of(1, 1 + 2e-7, 1, 1))).toEqual(even); // up to rounding
});

test("colours cover the image by their opacity", () => {
  const image = new Uint8Array(6).fill(100);
  const picture = coloursOver(image, Float32Array.of(1, 0, 0, 0, 0.5, 0), Float32Array.of(1, 0));
  expect([...picture]).toEqual([255, 0, 128, 55, 55, 55]);
});

test("a drawn outline lightens its pixels alone", () => {
  const picture = new Uint8Array(12);
  expect([...withOutline(picture, Uint8Array.of(1, 0, 0, 0), 2)]).toEqual([204, 204, 204, ...Array(9).fill(0)]);
});

test("all of up to six layers are shown, or four of more", () => {
  const names = (count: number) => Array.from({ length: count }, (_, i) => `block${i + 1}`);
  expect(layersShown(names(6))).toEqual(names(6));
  expect(layersShown(names(12))).toEqual(["block3", "block6", "block9", "block12"]);
  expect(layersShown(names(7))).toEqual(["block2", "block4", "block5", "block7"]);
});

test("colours exist for maps with next to nothing in them", () => {
  scope(() => {
    for (const map of [
      ones([2, 4, 3, 3]),
      randn([1, 4, 1, 1]),
      randn([2, 1, 3, 2]),
      randn([1, 2, 1, 2]),
      tensor([[[[1, 2, 3]]]]),
    ]) {
      const { colours, foreground } = principalColours(map);
      const [batch, , height, width] = map.shape;
      expect([colours.shape, foreground.shape]).toEqual([
        [batch, 3, height, width],
        [batch, height, width],
      ]);
      for (const value of colours.toArray()) expect(value).toSatisfy((x: number) => x >= 0 && x <= 1);
    }
    expect(principalColours(ones([1, 4, 2, 2])).colours.toArray()).toEqual(Array(12).fill(0.5));
  });
});

test("an object in the middle is the foreground, whichever way its features point", () => {
  scope(() => {
    const bump = tensor([
      [
        [
          [0, 0, 0, 0],
          [0, 1, 1, 0],
          [0, 1, 1, 0],
          [0, 0, 0, 0],
        ],
      ],
    ]); // (1, 1, 4, 4)
    for (const sign of [1, -1]) {
      const map = bump.mul(5 * sign).add(randn([2, 6, 4, 4]).mul(0.1));
      const expected = bump.flatten().toArray();
      expect(principalColours(map).foreground.toArray()).toEqual([...expected, ...expected]);
    }
  });
});
