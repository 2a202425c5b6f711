/** Which channels of the patches the encoder sees, and at which resolution. */
import { expect, test } from "vitest";
import { relativePatch } from "../../src/tasks/relative-patch.ts";
import { linalgEigh, randn } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { shownBy } from "../batch.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const SIZE = 64;

/** Standard deviations of the channels of each patch, largest first. */
const spreads = (patches: Tensor) => patches.std([2, 3], { correction: 0 }).topk(3)[0].contiguous().toArray();

/** Smallest eigenvalue of the covariance of the three normalised channels of each patch: 0 if two determine the third. */
const beyondTwo = (patches: Tensor) =>
  Array.from({ length: patches.size(0) }, (_, i) => {
    const rows = patches.select(0, i).flatten(1);
    const [values] = linalgEigh(rows.matmul(rows.transpose(0, 1)).div(rows.size(1)));
    return values.toArray()[0] ?? Number.NaN;
  });

test("colour=keep shows three independent channels, colour=project only two", () => {
  scope(() => {
    const images = randn([2, 3, SIZE, SIZE]);
    for (const [colour, least, most] of [
      ["keep", 0.3, 1],
      ["project", -1e-4, 1e-4],
    ] as const) {
      const shown = shownBy(relativePatch, { colour }, images);
      expect(shown.shape).toEqual([18, 3, 15, 15]);
      for (const spread of spreads(shown)) expect(spread).toBeCloseTo(1, 3);
      expect(Math.min(...beyondTwo(shown))).toBeGreaterThan(least);
      expect(Math.max(...beyondTwo(shown))).toBeLessThan(most);
    }
  });
});

test("colour=drop, the default, keeps one channel of each patch, not always the same one", () => {
  scope(() => {
    const shown = shownBy(relativePatch, {}, randn([4, 3, SIZE, SIZE]));
    for (const [i, spread] of spreads(shown).entries()) {
      if (i % 3 === 0) expect(spread).toBeCloseTo(1, 3);
      else expect(spread).toBeLessThan(0.02);
    }
    const kept = shown.std([2, 3]).argmax(1).toArray();
    expect(new Set(kept).size).toBe(3);
  });
});

test("pixelated patches are smoother", () => {
  scope(() => {
    const images = randn([2, 3, SIZE, SIZE]);
    /** Mean difference of neighbouring pixels, patch by patch. */
    const roughness = (pixelate: number, place: number) => {
      const shown = shownBy(relativePatch, { colour: "keep", pixelate }, images, place);
      return shown
        .narrow(3, 1, 14)
        .sub(shown.narrow(3, 0, 14))
        .abs()
        .mean([1, 2, 3])
        .toArray();
    };
    const places = [0, 1, 2, 3, 4, 5];
    const sharp = places.flatMap((place) => roughness(0, place));
    const coarse = places.flatMap((place) => roughness(1, place));
    expect(Math.min(...sharp)).toBeGreaterThan(1);
    expect(Math.max(...coarse)).toBeLessThan(Math.min(...sharp));
    expect(coarse.reduce((sum, value) => sum + value, 0) / coarse.length).toBeLessThan(0.5);
    const some = places.flatMap((place) => roughness(0.33, place));
    const changed = some.filter((value) => value < 0.9).length / some.length;
    expect(changed).toBeGreaterThan(0.1);
    expect(changed).toBeLessThan(0.6);
  });
});
