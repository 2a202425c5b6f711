/** The convolutional probe: what it learns, what it leaves alone, which layer it chooses. */
import { expect, test } from "vitest";
import type { PixelStore } from "../../src/data/pixels.ts";
import { InterruptedError, UsageError } from "../../src/errors.ts";
import { convProbe } from "../../src/evaluate/conv-probe.ts";
import { variantsOf } from "../../src/evaluate/measure.ts";
import type { Protocol } from "../../src/evaluate/protocol.ts";
import { ConvEncoder, type Encoder } from "../../src/models/model.ts";
import { Conv2d } from "../../src/torch/nn/layers.ts";
import { memory } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";
import { coloured, trainingOf, valuesOf } from "./coloured.ts";

expectNoLeak();

const tested = coloured(30, 2);
const options = (given: object = {}) =>
  convProbe.options.parse({ steps: 40, batchSize: 16, layers: ["layer1"], classifiers: ["nin"], ...given });
const accuracyOf = (predictions: readonly number[]) =>
  predictions.filter((label, i) => label === tested.truths[i]).length / predictions.length;

test.each(["nin", "mlp"] as const)("%s learns colours, and the maps stay frozen", async (kind) => {
  const { training, made } = trainingOf(coloured(30, 1));
  const fitted = await convProbe.fit(training, options({ classifiers: [kind] }));
  expect(accuracyOf(await fitted.predict({ store: tested.store }))).toBeGreaterThan(0.9);
  expect(fitted.heldOut).toBeGreaterThan(0.8);
  const untouched = (training.encoder as () => Encoder)();
  expect(valuesOf(made[0] as Encoder)).toEqual(valuesOf(untouched)); // running statistics included
  untouched.dispose();
  fitted.dispose();
});

test("needs no held-out labels if each class has one image, and answers no class without labels", async () => {
  const single = trainingOf(coloured(30, 1), [0, 1, 2]).training;
  const fitted = await convProbe.fit(single, options());
  expect(fitted.heldOut).toBeNaN();
  expect(accuracyOf(await fitted.predict({ store: tested.store }))).toBeGreaterThan(0.9);
  fitted.dispose();
  const images = coloured(30, 1);
  const present = Array.from({ length: 30 }, (_, i) => i).filter((i) => images.truths[i] !== 1);
  const partly = await convProbe.fit(trainingOf(images, present).training, options());
  expect([...new Set(await partly.predict({ store: tested.store }))].sort()).toEqual([0, 2]);
  partly.dispose();
});

/** Its first map shows nothing, its second the image, its third nothing again. */
class Blind extends ConvEncoder {
  override readonly featureDims = { first: 3, second: 3, third: 3 };
  override readonly outDim = 3;
  override readonly minImageSize = 1;
  readonly conv = new Conv2d(3, 3, 1);

  override maps(images: Tensor) {
    const blank = images.mul(0);
    return { first: blank, second: images, third: blank };
  }
}

test("chooses the layer that is best on held-out labels", async () => {
  const { training } = trainingOf(coloured(30, 1));
  const probe = (layers: "all" | string[]) =>
    convProbe.fit({ ...training, encoder: () => new Blind() }, options({ layers, classifiers: ["mlp"] }));
  const [chosen, blank] = [await probe("all"), await probe(["first", "third"])];
  expect(accuracyOf(await chosen.predict({ store: tested.store }))).toBeGreaterThan(0.9);
  expect(chosen.heldOut).toBe(1);
  expect(accuracyOf(await blank.predict({ store: tested.store }))).toBeCloseTo(1 / 3);
  chosen.dispose();
  blank.dispose();
});

test("with nothing held out the deepest of the layers is taken, in whatever order they are named", async () => {
  const { training } = trainingOf(coloured(3, 1)); // one of each class
  const fitted = await convProbe.fit(
    { ...training, encoder: () => new Blind() },
    options({ layers: ["second", "first"], classifiers: ["mlp"] }),
  );
  expect(fitted.heldOut).toBeNaN();
  expect(accuracyOf(await fitted.predict({ store: tested.store }))).toBeGreaterThan(0.5); // the first is blank
  fitted.dispose();
});

test("an unknown layer is refused with the known ones, and everything is freed", async () => {
  const before = memory().tensors;
  const fit = convProbe.fit(trainingOf(coloured(6, 1)).training, options({ layers: ["layer9"] }));
  await expect(fit).rejects.toThrow(UsageError);
  await expect(fit).rejects.toThrow(/"layer9".*layer1, layer2/);
  expect(memory().tensors).toBe(before);
});

test("stops with InterruptedError, and frees everything", async () => {
  const { training } = trainingOf(coloured(30, 1));
  const before = memory().tensors;
  const controller = new AbortController();
  let turns = 0; // of the event loop: training takes one for each step
  const later = () => void (++turns > 3 ? controller.abort() : setImmediate(later));
  const store: PixelStore = {
    ...tested.store,
    get(rows) {
      later();
      return tested.store.get(rows);
    },
  };
  const fit = convProbe.fit({ ...training, store, signal: controller.signal }, options({ steps: 1e6 }));
  await expect(fit).rejects.toThrow(InterruptedError);
  expect(memory().tensors).toBe(before);
});

test("its classifiers are measured apart, under their own names", () => {
  const names = (given: object) =>
    variantsOf("conv-probe", convProbe as unknown as Protocol, convProbe.options.parse(given)).map(({ name }) => name);
  expect(names({})).toEqual(["conv-probe-nin", "conv-probe-mlp"]);
  expect(names({ classifiers: ["mlp"] })).toEqual(["conv-probe-mlp"]);
});
