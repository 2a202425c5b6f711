/** Histograms of oriented gradients and of colours: against scikit-image, and on images whose histograms are known. */
import { expect, test } from "vitest";
import { handcraftedFeatures } from "../../src/evaluate/features.ts";
import { colourHistogram, handcrafted, hog } from "../../src/evaluate/hog.ts";
import { fromTypedArray, tensor } from "../../src/torch/ops.ts";
import { memory, scope } from "../../src/torch/scope.ts";
import { goldenJson } from "../golden/store.ts";
import { expectNoLeak } from "../live.ts";
import { memoryStore } from "../memory-store.ts";

expectNoLeak();

const { side, features } = goldenJson<{ side: number; features: number[][] }>("hog");

/** (count, 3, size, size) bytes as f32, from the value of a channel at a row and column. */
function images(count: number, size: number, value: (n: number, c: number, i: number, j: number) => number) {
  const plane = size * size;
  const at = (k: number) =>
    value(Math.floor(k / (3 * plane)), Math.floor(k / plane) % 3, Math.floor(k / size) % size, k % size);
  return fromTypedArray(
    Float32Array.from({ length: count * 3 * plane }, (_, k) => at(k)),
    [count, 3, size, size],
  );
}

/** The pictures of scripts/golden-hog.py. */
const golden = () =>
  images(2, side, (n, c, i, j) =>
    n === 0
      ? Math.floor((3 * (c + 1) * i * i + 5 * i * j + 14 * j + 11 * c * j * j) / 16) % 256
      : (Math.floor(i / 5) * 37 + Math.floor(j / 6) * 90) % 256,
  );

test("HOG is scikit-image's", () => {
  scope(() => {
    const got = hog(golden());
    expect(got.shape).toEqual([2, 5 * 5 * 36]);
    const orientations = features.map((one) => new Set(one.flatMap((value, k) => (value > 0.05 ? [k % 9] : []))).size);
    expect(orientations[0], "the coloured picture has edges of every orientation").toBe(9);
    expect(got.sub(tensor(features)).abs().amax([]).item()).toBeLessThan(2e-6);
  });
});

test("HOG does not depend on the direction or the strength of an edge, but on its angle", () => {
  scope(() => {
    const edge = (value: (i: number, j: number) => number) => hog(images(1, 16, (_n, _c, i, j) => value(i, j)));
    const far = (a: ReturnType<typeof edge>, b: ReturnType<typeof edge>) => a.sub(b).abs().amax([]).item();
    const upright = edge((_, j) => (j < 8 ? 0 : 200));
    expect(
      far(
        upright,
        edge((_, j) => (j < 8 ? 200 : 0)),
      ),
    ).toBeLessThan(1e-6);
    expect(
      far(
        upright,
        edge((_, j) => (j < 8 ? 10 : 60)),
      ),
    ).toBeLessThan(1e-6);
    expect(
      far(
        upright,
        edge((i) => (i < 8 ? 0 : 200)),
      ),
    ).toBeGreaterThan(0.3);
  });
});

test("each colour has its bin, and a histogram sums to 1", () => {
  const colours = [
    [[255, 0, 0], 2 * 4 + 3], // hue 0, full saturation, brightest
    [[255, 0, 4], 2 * 4 + 3], // nearly hue 1, which is red as well
    [[0, 255, 255], (4 * 3 + 2) * 4 + 3],
    [[128, 128, 128], 2],
    [[0, 0, 0], 0],
    [[255, 255, 255], 3],
  ] as const;
  scope(() => {
    const plain = images(colours.length, 8, (n, c) => colours[n]?.[0][c] as number);
    const found = colourHistogram(plain);
    expect(found.shape).toEqual([colours.length, 96]);
    expect(found.argmax(1).toArray()).toEqual(colours.map(([, bin]) => bin));
    for (const value of found.amax([1]).toArray()) expect(value).toBe(1);
    const half = colourHistogram(images(1, 8, (_n, c, i) => (c === 0 || i < 4 ? 255 : 0))).toArray();
    expect([half[3], half[11]]).toEqual([0.5, 0.5]); // white above red
  });
});

test("both histograms together weigh alike, whatever the images' size and the batch", async () => {
  const picture = (size: number, seed: number) =>
    Uint8Array.from({ length: size * size * 3 }, (_, k) => (k * (seed + 3) * 37 + Math.floor(k / size) * 11) % 256);
  const compute = { device: "cpu", precision: "f32" } as const;
  for (const size of [32, 64]) {
    const before = memory().tensors;
    const store = memoryStore(
      size,
      Array.from({ length: 130 }, (_, k) => picture(size, k)),
    );
    const { "hog+colour": found } = await handcraftedFeatures(store, compute);
    if (!found) throw new Error("expected features");
    scope(() => {
      expect(found.shape).toEqual([130, 996]);
      for (const part of [found.narrow(1, 0, 900), found.narrow(1, 900, 96)])
        for (const length of part.pow(2).sum([1]).toArray()) expect(length).toBeCloseTo(1, 4);
      const pixels = fromTypedArray(picture(size, 129), [1, size, size, 3]).permute(0, 3, 1, 2);
      expect(
        handcrafted(pixels)
          .sub(found.narrow(0, 129, 1))
          .abs()
          .amax([])
          .item(),
      ).toBeLessThan(1e-6);
    });
    found.dispose();
    expect(memory().tensors).toBe(before);
  }
});

test("an image of one colour has no gradients, and finite features", () => {
  scope(() => {
    const found = handcrafted(images(1, 32, (_n, c) => 50 * c));
    expect(found.narrow(1, 0, 900).abs().amax([]).item()).toBe(0);
    expect(found.pow(2).sum([]).item()).toBeCloseTo(1, 5);
  });
});
