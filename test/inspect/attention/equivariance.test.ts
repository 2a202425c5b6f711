import { describe, expect, it } from "vitest";
import { correlation, equivariance } from "../../../src/inspect/attention/equivariance.ts";
import { fromTypedArray, randn, tensor } from "../../../src/torch/ops.ts";
import { manualSeed } from "../../../src/torch/random.ts";
import { scope } from "../../../src/torch/scope.ts";
import type { Tensor } from "../../../src/torch/tensor.ts";
import { expectNoLeak } from "../../live.ts";

expectNoLeak();

/** Pearson's correlation as the textbook has it. */
function pearson(a: readonly number[], b: readonly number[]): number {
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
  const [ma, mb] = [mean(a), mean(b)];
  const product = mean(a.map((value, i) => (value - ma) * ((b[i] as number) - mb)));
  const spread = (list: readonly number[], m: number) => Math.sqrt(mean(list.map((value) => (value - m) ** 2)));
  return product / spread(a, ma) / spread(b, mb);
}

describe("correlation", () => {
  it("is Pearson's, image by image, also of small values", () => {
    manualSeed(0);
    scope(() => {
      const [a, b] = [randn([4, 3, 5]), randn([4, 3, 5])];
      const [rowsA, rowsB] = [a, b].map((maps) => maps.toArray()) as [number[], number[]];
      for (const scale of [1, 1e-20]) {
        const found = correlation(a.mul(scale), b.mul(scale));
        for (let i = 0; i < 4; i++) {
          const [own, other] = [rowsA, rowsB].map((rows) => rows.slice(15 * i, 15 * (i + 1))) as [number[], number[]];
          expect(found[i]).toBeCloseTo(pearson(own, other), 5);
        }
      }
      expect(correlation(a, a.mul(-2).add(1))[0]).toBeCloseTo(-1, 5);
    });
  });

  it("is what NumPy gives", () => {
    // k = arange(30); m = ((k * 37) % 101 + 1).reshape(2, 15); n = ((k * 53) % 97 + 1).reshape(2, 15); corrcoef(m[i], n[i])[0, 1]
    const made = (by: number, modulo: number) =>
      fromTypedArray(
        Float32Array.from({ length: 30 }, (_, k) => ((k * by) % modulo) + 1),
        [2, 3, 5],
      );
    const [first, second] = scope(() => correlation(made(37, 101), made(53, 97)));
    expect(first).toBeCloseTo(0.08486191643544008, 6);
    expect(second).toBeCloseTo(0.23255306352613014, 6);
  });

  it("is not defined for a map of one value, whatever rounding does to it", () => {
    scope(() => {
      const [flat, other] = [
        tensor([
          [
            [0.1, 0.1],
            [0.1, 0.1 + 1e-8],
          ],
        ]),
        tensor([
          [
            [0.1, 0.4],
            [0.2, 0.3],
          ],
        ]),
      ];
      expect(correlation(flat, other)).toEqual([Number.NaN]);
      expect(correlation(other, flat)).toEqual([Number.NaN]);
      expect(correlation(tensor([[[1]]]), tensor([[[1]]]))).toEqual([Number.NaN]);
    });
  });
});

describe("equivariance", () => {
  const brightness = (images: Tensor) => ({ layer: images.mean(1), deep: images.pow(2).mean(1) });

  it("is 1 at every angle for maps that turn with the image", () => {
    manualSeed(1);
    scope(() => {
      const images = randn([3, 3, 6, 6]);
      const found = equivariance(brightness, images, brightness(images));
      expect(Object.keys(found)).toEqual(["layer", "deep"]);
      for (const turns of Object.values(found)) {
        expect(turns.map(({ length }) => length)).toEqual([3, 3, 3]);
        for (const value of turns.flat()) expect(value).toBeCloseTo(1, 5);
      }
    });
  });

  it("is low for maps of a fixed place, and exact where one angle leaves them as they are", () => {
    scope(() => {
      const corner = tensor([
        [
          [1, 0],
          [0, 0],
        ],
        [
          [0, 1],
          [1, 0],
        ],
      ]);
      const fixed = () => ({ layer: corner });
      const images = randn([2, 3, 4, 4]);
      const [quarter, half, three] = equivariance(fixed, images, fixed())["layer"] as number[][];
      for (const turn of [quarter, half, three]) expect(turn?.[0]).toBeCloseTo(-1 / 3, 5);
      expect([quarter?.[1], half?.[1], three?.[1]].map((value) => Math.round(value ?? 0))).toEqual([-1, 1, -1]);
    });
  });

  it("tells the directions apart: a map that turns the wrong way is found at 90° and 270°", () => {
    scope(() => {
      const images = tensor([
        [1, 2, 3].map(() => [
          [0, 0, 5],
          [0, 1, 0],
          [0, 0, 0],
        ]),
      ]);
      const wrong = (turned: Tensor) => {
        const map = turned.mean(1);
        const first = map.narrow(1, 0, 1).narrow(2, 2, 1).reshape(1).item() === 5; // as it is
        return { layer: first ? map : map.flip(2) };
      };
      const [quarter, half, three] = equivariance(wrong, images, wrong(images))["layer"] as number[][];
      for (const turn of [quarter, half, three]) expect(turn?.[0]).toBeLessThan(0.5);
    });
  });
});
