import { describe, expect, test } from "vitest";
import {
  annealedMean,
  binLoss,
  colourPlane,
  frequencies,
  rebalance,
  softEncode,
} from "../../src/augment/colour-bins.ts";
import { gamutBins } from "../../src/augment/gamut.ts";
import { rgbToLab } from "../../src/augment/lab.ts";
import { lightness } from "../../src/augment/lightness.ts";
import { fromUnit, toUnit } from "../../src/augment/normalise.ts";
import { createEncoder } from "../../src/models/index.ts";
import { colorization } from "../../src/tasks/colorization.ts";
import type { TaskInstance } from "../../src/tasks/task.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { cat, rand, randn, resize, tensor } from "../../src/torch/ops.ts";
import { decayGroups } from "../../src/torch/optim/groups.ts";
import { SGD } from "../../src/torch/optim/sgd.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import {
  contextOf,
  createWith,
  disposeOf,
  fixedBatch,
  modulesOf,
  noiseImages,
  RecordingEncoder,
  shownBy,
} from "../batch.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

/** The rows of a tensor of `width` columns. */
function pairs(x: Tensor, width = 2): number[][] {
  const flat = x.contiguous().toArray();
  return Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width));
}

const largest = (x: Tensor) => x.abs().amax([0, 1, 2, 3]).item();

describe("bins of colours", () => {
  test("for a grid of 10 they are the authors' 313", () => {
    // From resources/pts_in_hull.npy: the smallest and largest b for a = -90, -80, ... 100.
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
  ])("for a grid of %i a colour is spread over the %i nearest of all bins", (grid, neighbours) => {
    scope(() => {
      const plane = colourPlane(grid, neighbours);
      const centres = gamutBins(grid);
      const rgb = cat([rand([1, 3, 30, 30]), rand([1, 3, 30, 30]).round()], 3); // with the corners of the gamut
      const lab = rgbToLab(rgb).narrow(1, 1, 2);
      const between = resize(lab, 20, 40); // means can also lie in the gamut's concave parts
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
          // Compare distances: of two equally distant bins, either may be chosen.
          worst = Math.max(worst, Math.abs((squared[found[i]?.[k] ?? -1] ?? Number.NaN) - d) / (1 + d));
          worst = Math.max(worst, Math.abs((share[i]?.[k] ?? Number.NaN) - (gauss[k] ?? 0) / (sum || 1)));
        }
      }
      expect(worst).toBeLessThan(1e-3);
    });
  });

  test("rare bins get larger weights, and the mean weight of a pixel is 1", () => {
    scope(() => {
      const centres = tensor([
        [0, 0],
        [100, 0],
        [0, 100],
      ]); // so far apart that smoothing has no effect
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

  test("is grey: three equal channels with the image's lightness", () => {
    scope(() => {
      const images = noiseImages(32).sample;
      const shown = shownBy(colorization, {}, images);
      expect(largest(shown.sub(lightness(images)))).toBeLessThan(1e-4);
      const rgb = toUnit(shown);
      expect(largest(rgb.sub(rgb.mean([1], true)))).toBeLessThan(1e-5);
    });
  });

  test("trains kernels that are then used on RGB: colours that do not change the channel mean have no effect", () => {
    manualSeed(1);
    const encoder = createEncoder({ model: "resnet10", width: 0.125, stem: "cifar" });
    scope(() => {
      const light = rand([8, 1, 6, 6]).mul(0.6).add(0.2);
      const images = fromUnit(resize(light.add(rand([8, 3, 6, 6]).sub(0.5).mul(0.1)), 32, 32)); // as pale as in photos
      const kernels = encoder.parameters()[0] as Tensor; // (outputs, 3, k, k)
      const length = (x: Tensor) => x.pow(2).sum().sqrt().item();
      const apart = () => length(kernels.sub(kernels.mean([1], true))) / length(kernels);
      /** Distance between the features of the images and of `others`, relative to the spread of the latter. */
      const from = (others: Tensor) => {
        encoder.eval();
        const [ours, theirs] = noGrad(() => [encoder.forward(images), encoder.forward(others)] as const);
        encoder.train();
        return length(ours.sub(theirs)) / length(theirs.sub(theirs.mean([0], true)));
      };
      const [grey, means] = [lightness(images), images.mean([1], true).expand(...images.shape)];
      const untouched = { grey: from(grey), means: from(means) };
      expect(apart()).toBeGreaterThan(0.5);
      expect(untouched.means).toBeGreaterThan(0.5);

      const task = createWith(colorization, {}, encoder, 32);
      expect(apart()).toBeLessThan(1e-6);
      expect(from(means)).toBeLessThan(1e-3);
      expect(from(grey)).toBeLessThan(0.6 * untouched.grey); // lightness is not the mean of the channels
      const modules = [encoder, ...Object.values(task.trained)];
      const parameters = modules.flatMap((module) => module.namedParameters());
      const optimizer = new SGD(decayGroups(parameters, 1e-4), { momentum: 0.9, nesterov: false });
      const before = kernels.clone();
      for (let step = 0; step < 5; step++) {
        scope(() => task.step([images], fixedBatch(8, step)).loss.backward());
        optimizer.step(0.05);
        optimizer.zeroGrad();
      }
      expect(length(kernels.sub(before)) / length(before)).toBeGreaterThan(1e-3);
      expect(apart()).toBeLessThan(0.02);
      expect(from(means)).toBeLessThan(0.1 * untouched.means);
      optimizer.dispose();
      disposeOf(task);
    });
    encoder.dispose();
  });

  test.each([
    [0, 0, true],
    [0.5, 4, false],
    [1, 8, false],
  ])(
    "keepColour=%s leaves %i of the 8 first kernels sensitive to colour, and warns if that is none",
    (keepColour, kept, warns) => {
      manualSeed(1);
      const encoder = createEncoder({ model: "resnet10", width: 0.125, stem: "cifar" });
      scope(() => {
        const kernels = encoder.parameters()[0] as Tensor; // (8, 3, k, k)
        const task = createWith(colorization, { keepColour }, encoder, 32);
        const apart = kernels
          .sub(kernels.mean([1], true))
          .abs()
          .amax([1, 2, 3])
          .toArray();
        expect(apart.map((most) => most > 0.05)).toEqual(Array.from({ length: 8 }, (_, i) => i >= 8 - kept));
        const caveat = colorization.caveat?.(colorization.options.parse({ keepColour }));
        expect(caveat).toEqual(warns ? expect.stringMatching(/hardly sees colour.*keepColour=/) : undefined);
        disposeOf(task);
      });
      encoder.dispose();
    },
  );
});

describe("a step", () => {
  const SIZE = 16;
  const [PLACES, SIDE] = [16, 4];

  /** A task on an encoder without parameters. Its head outputs its bias everywhere. */
  function withBias(options: object, bias: (outputs: number) => Tensor) {
    const images = noiseImages(SIZE);
    const chosen = colorization.options.parse(options);
    const context = { ...contextOf(new RecordingEncoder(), SIZE), images };
    const task: TaskInstance = colorization.create(context, chosen);
    const [weight, free] = task.trained["head"]?.parameters().slice(-2) ?? [];
    noGrad(() => {
      weight?.zero_();
      free?.copy_(bias(free.numel));
    });
    const dispose = () => disposeOf(task);
    return { task, sample: images.sample, dispose };
  }

  /** (B · 16, 2): a and b at each place of the images. */
  const coloursOf = (images: Tensor) =>
    resize(rgbToLab(toUnit(images)).narrow(1, 1, 2).contiguous(), SIDE, SIDE)
      .permute(0, 2, 3, 1)
      .reshape(-1, 2);

  test("loss=regression is the squared error of a and b, in units of 20", () => {
    scope(() => {
      const { task, dispose } = withBias({ loss: "regression" }, () => tensor([0.5, -1]));
      const images = noiseImages(SIZE).sample;
      const { loss, metrics } = task.step([images], fixedBatch(16));
      const wrong = coloursOf(images).sub(tensor([10, -20]));
      expect(loss.item()).toBeCloseTo(wrong.div(20).pow(2).sum(1).mean().item(), 3);
      const some = wrong.narrow(0, 0, wrong.size(0) / 4); // the first quarter of the images
      expect(metrics["error"]?.item()).toBeCloseTo(some.pow(2).sum(1).sqrt().mean().item(), 2);
      expect(Object.keys(modulesOf(task))).toEqual(["head"]);
      dispose();
    });
  });

  test("loss=classes uses the given number of neighbours, and weights rare colours more", () => {
    scope(() => {
      const images = noiseImages(SIZE).sample;
      const losses = [5, 10].map((neighbours) => {
        let logits: Tensor | undefined;
        const { task, sample, dispose } = withBias({ neighbours }, (outputs) => {
          manualSeed(2);
          logits = randn([outputs]);
          return logits;
        });
        const got = task.step([images], fixedBatch(16)).loss.item();
        const plane = colourPlane(10, neighbours);
        const known = softEncode(coloursOf(sample), plane);
        const weights = rebalance(frequencies(known, plane.centres.size(0)), plane.centres, 0.5);
        const all = (logits as Tensor).logSoftmax(0).expand(16 * PLACES, plane.centres.size(0));
        expect(got).toBeCloseTo(
          binLoss(all, softEncode(coloursOf(images), plane), weights)
            .mean()
            .item(),
          3,
        );
        dispose();
        return got;
      });
      expect(Math.abs((losses[0] ?? 0) - (losses[1] ?? 0))).toBeGreaterThan(0.01);
    });
  });

  test.each(["classes", "regression"])("loss=%s: with leastColour=5, paler images give no gradient", (loss) => {
    scope(() => {
      const pale = (a: number) =>
        fromUnit(
          rand([1, 1, SIZE, SIZE])
            .mul(0.2)
            .add(0.4)
            .add(tensor([[[a]], [[0]], [[0]]])),
        );
      const colourful = noiseImages(SIZE).sample.narrow(0, 0, 1);
      const [one, other] = [pale(0.01), pale(0.02)];
      expect(
        coloursOf(cat([one, other]))
          .abs()
          .amax([0, 1])
          .item(),
      ).toBeLessThan(5);
      const gradient = (leastColour: number, images: Tensor) => {
        manualSeed(3);
        const encoder = new RecordingEncoder();
        const task = createWith(colorization, { loss, leastColour, grid: 20 }, encoder, SIZE);
        const head = task.trained["head"]?.eval(); // in training, batch norm would let images affect each other
        task.step([images], fixedBatch(images.size(0))).loss.backward();
        const gradients = (head?.parameters() ?? []).map(({ grad }) => (grad as Tensor).flatten().clone());
        disposeOf(task);
        return cat(gradients);
      };
      const apart = (a: Tensor, b: Tensor) => a.sub(b).pow(2).sum().sqrt().item();
      const alone = gradient(5, colourful);
      expect(apart(alone, alone.mul(0))).toBeGreaterThan(1e-2);
      const half = gradient(5, cat([colourful, one]));
      expect(apart(half.mul(2), alone)).toBeLessThan(1e-4);
      expect(apart(half, gradient(5, cat([colourful, other])))).toBeLessThan(1e-4);
      expect(apart(gradient(0, cat([colourful, one])), gradient(0, cat([colourful, other])))).toBeGreaterThan(1e-3);
      expect(apart(gradient(5, cat([one, other])), alone.mul(0))).toBe(0);
    });
  });
});

test("grey images are refused before training", () => {
  const encoder = createEncoder({ model: "resnet10", width: 0.125 });
  scope(() => {
    const images = noiseImages(32);
    const grey = { ...images, sample: lightness(images.sample) };
    const context = { ...contextOf(encoder, 32), images: grey };
    expect(() => colorization.create(context, colorization.options.parse({}))).toThrow(/These images are grey/);
  });
  encoder.dispose();
});
