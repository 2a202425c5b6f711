import { describe, expect, test } from "vitest";
import { rgbToLab } from "../../src/augment/lab.ts";
import { fromUnit, toUnit } from "../../src/augment/normalise.ts";
import { createEncoder } from "../../src/models/index.ts";
import { colorization, lightness } from "../../src/tasks/colorization.ts";
import { annealedMean, colourPlane, rebalance, softEncode } from "../../src/tasks/colour-bins.ts";
import { gamutBins } from "../../src/tasks/gamut.ts";
import { cat, rand, resize, tensor } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { noiseImages } from "../batch.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

/** The rows of a tensor of `width` columns. */
function pairs(x: Tensor, width = 2): number[][] {
  const flat = x.contiguous().toArray();
  return Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width));
}

const largest = (x: Tensor) => x.abs().amax([0, 1, 2, 3]).item();

describe("bins of colours", () => {
  test("at a grid of 10 they are the authors' 313", () => {
    // Of resources/pts_in_hull.npy: for a = -90, -80, ... 100, the least and the greatest b.
    const spans = [
      [50, 90], [20, 90], [0, 90], [-20, 90], [-30, 100], [-40, 100], [-50, 100], [-50, 100], [-60, 100], [-70, 100],
      [-80, 90], [-80, 90], [-90, 90], [-100, 90], [-100, 80], [-110, 80], [-110, 80], [-110, 70], [-110, 70], [-90, 0],
    ]; // biome-ignore format: one line for each sign of a
    const theirs = spans.flatMap(([low = 0, high = 0], i) =>
      Array.from({ length: (high - low) / 10 + 1 }, (_, k) => [-90 + 10 * i, low + 10 * k]),
    );
    expect(theirs).toHaveLength(313);
    expect(gamutBins(10)).toEqual(theirs);
  });

  test.each([
    [5, 5],
    [10, 5],
    [10, 10],
    [10, 1],
    [40, 5],
  ])("at a grid of %i a colour is spread over its %i nearest of all bins", (grid, neighbours) => {
    scope(() => {
      const plane = colourPlane(grid, neighbours);
      const centres = gamutBins(grid);
      const rgb = cat([rand([1, 3, 30, 30]), rand([1, 3, 30, 30]).round()], 3); // with the corners of the gamut
      const lab = rgbToLab(rgb).narrow(1, 1, 2);
      const between = resize(lab, 20, 40); // means lie in hollows of the gamut, too
      const colours = [lab, between].flatMap((image) => pairs(image.permute(0, 2, 3, 1)));
      const { bins, parts } = softEncode(tensor(colours), plane);
      const [found, share] = [pairs(bins, neighbours), pairs(parts, neighbours)];
      let worst = 0;
      for (const [i, [a = 0, b = 0]] of colours.entries()) {
        const squared = centres.map(([x, y]) => (x - a) ** 2 + (y - b) ** 2);
        const least = [...squared].sort((x, y) => x - y).slice(0, neighbours);
        const gauss = least.map((d) => Math.exp(-d / 50));
        const sum = gauss.reduce((total, value) => total + value, 0);
        for (const [k, d] of least.entries()) {
          // By distance: of two bins equally far, either may be taken.
          worst = Math.max(worst, Math.abs((squared[found[i]?.[k] ?? -1] ?? Number.NaN) - d) / (1 + d));
          worst = Math.max(worst, Math.abs((share[i]?.[k] ?? Number.NaN) - (gauss[k] ?? 0) / (sum || 1)));
        }
      }
      expect(worst).toBeLessThan(1e-3);
    });
  });

  test("rare bins weigh more, and a pixel weighs 1 on average", () => {
    scope(() => {
      const centres = tensor([
        [0, 0],
        [100, 0],
        [0, 100],
      ]); // so far apart that smoothing does nothing
      const prior = tensor([0.7, 0.2, 0.1]);
      const weights = rebalance(prior, centres, 0.5).toArray();
      const raw = [0.7, 0.2, 0.1].map((p) => 1 / (0.5 * p + 0.5 / 3));
      const mean = raw.reduce((sum, w, i) => sum + w * ([0.7, 0.2, 0.1][i] ?? 0), 0);
      for (const [i, w] of raw.entries()) expect(weights[i]).toBeCloseTo(w / mean, 4);
      expect(
        rebalance(prior, centres, 1)
          .toArray()
          .map((w) => w.toFixed(3)),
      ).toEqual(["1.000", "1.000", "1.000"]);
    });
  });

  test("the annealed mean lies between mean and mode", () => {
    scope(() => {
      const centres = tensor([
        [0, 0],
        [10, 0],
      ]);
      const logits = tensor([[Math.log(0.25), Math.log(0.75)]]);
      const at = (temperature: number) => annealedMean(logits, centres, temperature).toArray()[0] ?? 0;
      expect(at(1)).toBeCloseTo(7.5, 4);
      expect(at(0.38)).toBeGreaterThan(7.5);
      expect(at(0.01)).toBeCloseTo(10, 4);
    });
  });
});

describe("what the encoder sees", () => {
  test("has the image's lightness and no colour", () => {
    scope(() => {
      const rgb = rand([2, 3, 8, 8]);
      const [seen, true_] = [rgbToLab(toUnit(lightness(fromUnit(rgb)))), rgbToLab(rgb)];
      expect(largest(seen.narrow(1, 0, 1).sub(true_.narrow(1, 0, 1)))).toBeLessThan(1e-2);
      expect(largest(seen.narrow(1, 1, 2))).toBeLessThan(1e-2);
    });
  });

  test("is a grey image as any other: afterwards the encoder takes RGB as it is", () => {
    const encoder = createEncoder({ model: "resnet10", width: 0.125 }).eval();
    scope(() => {
      const grey = fromUnit(rand([2, 1, 32, 32]).expand(2, 3, 32, 32));
      expect(largest(encoder.forward(lightness(grey)).sub(encoder.forward(grey)).reshape(2, -1, 1, 1))).toBeLessThan(
        1e-3,
      );
    });
    encoder.dispose();
  });
});

test("grey images are refused before training", () => {
  const encoder = createEncoder({ model: "resnet10", width: 0.125 });
  scope(() => {
    const images = noiseImages(32);
    const grey = { ...images, sample: lightness(images.sample) };
    expect(() => colorization.create(encoder, colorization.options.parse({}), grey)).toThrow(/These images are grey/);
  });
  encoder.dispose();
});
