/** Triplet losses compared with slow code, and patches where images have visible structure. */
import { describe, expect, test } from "vitest";
import { randomPatches } from "../../src/augment/geometry.ts";
import { toUnit } from "../../src/augment/normalise.ts";
import { seedPlaces } from "../../src/augment/seeds.ts";
import { semiHardTriplets, squaredDistances } from "../../src/heads/triplets.ts";
import { createEncoder } from "../../src/models/index.ts";
import { randomAt } from "../../src/random.ts";
import { exemplar } from "../../src/tasks/exemplar.ts";
import { arange, cat, randn, zeros } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { scope } from "../../src/torch/scope.ts";
import { refuseIdleCrops } from "../../src/train/prepare.ts";
import { contextOf, disposeOf, fixedBatch, noiseImages, shownBy } from "../batch.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

/** By definition, triplet by triplet. */
function slowTriplets(distances: number[][], copies: number, margin: number) {
  const images = distances.length / copies;
  const strange = (a: number, n: number) => a % images !== n % images;
  let [loss, pairs, right, triplets] = [0, 0, 0, 0];
  for (const [anchor, row] of distances.entries()) {
    const negatives = row.filter((_, n) => strange(anchor, n));
    for (const [other, positive] of row.entries()) {
      if (other === anchor || strange(anchor, other)) continue;
      const farther = negatives.filter((distance) => distance > positive);
      const negative = farther.length ? Math.min(...farther) : Math.max(...negatives);
      loss += Math.max(0, margin + positive - negative);
      pairs++;
      right += farther.length;
      triplets += negatives.length;
    }
  }
  return { loss: loss / pairs, accuracy: right / triplets };
}

describe("semi-hard triplets", () => {
  test.each([
    [2, 3],
    [4, 5],
    [8, 2],
  ])("%i copies of %i images: loss and accuracy match slow code", (copies, images) => {
    scope(() => {
      manualSeed(copies);
      const distances = squaredDistances(randn([copies * images, 6]));
      const count = copies * images;
      const flat = distances.toArray();
      const rows = Array.from({ length: count }, (_, i) => flat.slice(i * count, (i + 1) * count));
      const { loss, accuracy } = semiHardTriplets(distances, { copies, margin: 0.5 });
      const slow = slowTriplets(rows, copies, 0.5);
      expect(loss.item()).toBeCloseTo(slow.loss, 5);
      expect(accuracy.item()).toBeCloseTo(slow.accuracy, 5);
    });
  });

  test("have the margin as loss if all embeddings are equal, and 0 if the images are far apart", () => {
    scope(() => {
      const alike = semiHardTriplets(zeros([6, 6]), { copies: 2, margin: 0.5 });
      expect(alike.loss.item()).toBeCloseTo(0.5, 6);
      const apart = squaredDistances(
        cat([arange(3), arange(3)])
          .unsqueeze(1)
          .eq(arange(3).unsqueeze(0))
          .to("f32"),
      );
      const { loss, accuracy } = semiHardTriplets(apart, { copies: 2, margin: 0.5 });
      expect([loss.item(), accuracy.item()]).toEqual([0, 1]);
    });
  });

  test("use squared distances on the unit sphere", () => {
    scope(() => {
      const [same, opposite, right] = [
        [2, 0],
        [-1, 0],
        [0, 3],
      ] as const;
      const x = cat(
        [same, opposite, right].map((row) =>
          arange(2).eq(0).to("f32").mul(row[0]).add(arange(2).eq(1).to("f32").mul(row[1])).unsqueeze(0),
        ),
      );
      expect(squaredDistances(x).toArray().map(Math.round)).toEqual([0, 4, 2, 4, 0, 2, 2, 2, 0]);
    });
  });
});

describe("seed patches", () => {
  /** Grey images with noise in one quarter. */
  const noisy = (quarter: [row: number, column: number], count: number) => {
    const images = zeros([count, 3, 32, 32]);
    images
      .narrow(2, 16 * quarter[0], 16)
      .narrow(3, 16 * quarter[1], 16)
      .copy_(randn([count, 3, 16, 16]));
    return images;
  };

  test("lie where gradients are large, and are the same for the same image", () => {
    scope(() => {
      const indices = Array.from({ length: 40 }, (_, i) => i);
      const images = noisy([1, 0], 40);
      const places = seedPlaces(images, 0.25, indices, 0);
      expect(places).toEqual(seedPlaces(images, 0.25, indices, 0));
      expect(places).not.toEqual(seedPlaces(images, 0.25, indices, 1));
      const [x, y] = [0, 1].map((axis) => places.reduce((sum, place) => sum + (place[axis] ?? 0), 0) / 40) as [
        number,
        number,
      ];
      expect(x).toBeLessThan(-0.2);
      expect(y).toBeGreaterThan(0.2);
      expect(new Set(places.map(String)).size).toBeGreaterThan(3);
      for (const place of places.flat()) expect(Math.abs(place)).toBeLessThanOrEqual(1 - 0.25 + 0.05);
    });
  });

  test("lie anywhere in blank images, and in the middle if they cover the whole image", () => {
    scope(() => {
      const indices = Array.from({ length: 40 }, (_, i) => i);
      const places = seedPlaces(zeros([40, 3, 32, 32]), 0.25, indices, 0);
      for (const axis of [0, 1] as const) {
        const along = places.map((place) => place[axis]);
        expect(new Set(along).size).toBeGreaterThan(4);
        expect(Math.min(...along)).toBeLessThan(-0.4);
        expect(Math.max(...along)).toBeGreaterThan(0.4);
      }
      for (const place of places.flat()) expect(Math.abs(place)).toBeLessThanOrEqual(1 - 0.25);
      for (const place of seedPlaces(noisy([0, 0], 2), 1, [0, 1], 0).flat()) expect(Math.abs(place)).toBeLessThan(0.1);
    });
  });

  test("are cut around their centre: the mean of many copies is the value there", () => {
    scope(() => {
      const ramp = arange(64).to("f32").reshape(1, 1, 1, 64).expand(200, 3, 64, 64).contiguous();
      const centres = Array.from({ length: 200 }, (): [number, number] => [0.25, 0]);
      const patches = randomPatches(ramp, centres, { part: 0.25, size: 16 }, randomAt(1));
      expect(patches.shape).toEqual([200, 3, 16, 16]);
      expect(patches.mean().item()).toBeCloseTo(39.5, 0); // x = 0.25 of -1 to 1 over 64 pixels
      const spread = patches.select(1, 0).mean([1, 2]);
      expect(spread.sub(39.5).abs().amax(0).item()).toBeLessThan(0.2 * 16 + 0.5);
    });
  });
});

test("triplets: with grey=1 the patches have no colour, although colours were changed before", () => {
  scope(() => {
    const crops = randn([1, 3, 16, 16]).expand(8, 3, 16, 16).contiguous(); // 2 copies of 4 images, all equal
    const colour = (grey: number) => {
      const rgb = toUnit(shownBy(exemplar, { copies: 2, grey, contrast: true }, crops));
      const deviation = rgb
        .sub(rgb.mean([1], true))
        .abs()
        .amax([1, 2, 3])
        .toArray();
      return { least: Math.min(...deviation), most: Math.max(...deviation), rgb };
    };
    expect(colour(0).least).toBeGreaterThan(0.1);
    const { most, rgb } = colour(1);
    expect(most).toBeLessThan(1e-5);
    expect(rgb.std([0], { correction: 0 }).mean().item()).toBeGreaterThan(0.02); // each patch changed differently
  });
});

test("too few images are refused", () => {
  const encoder = createEncoder({ model: "resnet10", width: 0.125, stem: "cifar" });
  const create = (options: object, count: number) =>
    scope(() => {
      const context = { ...contextOf(encoder, 32), images: noiseImages(32, count) };
      return exemplar.create(context, exemplar.options.parse(options));
    });
  expect(() => create({}, 1)).toThrow(/1 is too few/);
  const task = create({ copies: 2 }, 4);
  scope(() => expect(() => task.step([randn([2, 3, 32, 32])], fixedBatch(1))).toThrow(/two images in a batch/));
  disposeOf(task);
  const softmax = create({ loss: "softmax", classes: 3 }, 64);
  expect(softmax).toMatchObject({ instances: 3, views: "whole", guess: { value: 1 / 3 } });
  expect(() => refuseIdleCrops({ crop: "auto", minArea: 0.5 }, softmax)).toThrow(
    /^--min-area has no effect here: the task cuts/,
  );
  expect(() => refuseIdleCrops({ flip: false }, softmax)).toThrow(/^--flip has no effect/);
  refuseIdleCrops({ crop: "auto" }, softmax);
  refuseIdleCrops({ minArea: 0.5 }, task);
  disposeOf(softmax);
  encoder.dispose();
});
