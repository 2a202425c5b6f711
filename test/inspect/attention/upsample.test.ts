/** Maps at the size of their image. */
import { expect, test } from "vitest";
import { upsample } from "../../../src/inspect/attention/upsample.ts";
import { evenPlaces } from "../../../src/models/places.ts";
import { full, randn, resize, tensor } from "../../../src/torch/ops.ts";
import { manualSeed } from "../../../src/torch/random.ts";
import { scope } from "../../../src/torch/scope.ts";
import { expectNoLeak } from "../../live.ts";

expectNoLeak();

test("of places that are spread evenly is PyTorch's bilinear resize", () => {
  manualSeed(0);
  scope(() => {
    const maps = randn([2, 5, 5]);
    for (const [side, size] of [
      [40, 40],
      [64, 112],
    ] as const) {
      const expected = resize(maps.unsqueeze(1), size, size)
        .squeeze(1)
        .sub(upsample(maps, evenPlaces(5, side), side, size));
      expect(expected.abs().amax([]).item()).toBeLessThan(1e-5);
    }
  });
});

test("of places that begin and end at the border has each of them at its pixel", () => {
  scope(() => {
    const map = tensor([
      [
        [1, 5],
        [9, 13],
      ],
    ]);
    expect(upsample(map, { start: 0, stride: 4 }, 5).toArray().slice(0, 10)).toEqual([1, 2, 3, 4, 5, 3, 4, 5, 6, 7]);
    expect(upsample(map, { start: 1, stride: 2 }, 5).toArray().slice(0, 5)).toEqual([1, 1, 3, 5, 5]);
  });
});

test("of an even map is even", () => {
  scope(() => expect(new Set(upsample(full([1, 7, 7], 1 / 49), evenPlaces(7, 65), 65, 112).toArray()).size).toBe(1));
});
