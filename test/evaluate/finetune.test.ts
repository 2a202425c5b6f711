/** Fine-tuning, its layer-wise learning rates, and the training of classifiers on labelled images. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { PixelStore } from "../../src/data/pixels.ts";
import { InterruptedError, SelfsightError } from "../../src/errors.ts";
import { finetune, stepsFor } from "../../src/evaluate/finetune.ts";
import { depths, layerDecayGroups } from "../../src/evaluate/layer-decay.ts";
import { type Representation, representationsOf } from "../../src/evaluate/representations.ts";
import { type Classifier, isBetter, type Recipe, trainClassifier } from "../../src/evaluate/train-classifier.ts";
import { createEncoder } from "../../src/models/index.ts";
import type { Encoder } from "../../src/models/model.ts";
import { runFiles } from "../../src/run/folder.ts";
import { Linear } from "../../src/torch/nn/layers.ts";
import { tensor } from "../../src/torch/ops.ts";
import { constant } from "../../src/torch/optim/schedule.ts";
import { SGD } from "../../src/torch/optim/sgd.ts";
import { dispose, memory, scope } from "../../src/torch/scope.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";
import { coloured, trainingOf, valuesOf } from "./coloured.ts";

expectNoLeak();

const options = (given: object = {}) => finetune.options.parse({ steps: 12, batchSize: 16, checkEvery: 4, ...given });

describe("fine-tuning", () => {
  const tested = coloured(30, 2);
  const accuracyOf = (predictions: readonly number[]) =>
    predictions.filter((label, i) => label === tested.truths[i]).length / predictions.length;

  test("learns colours", async () => {
    const { training } = trainingOf(coloured(30, 1));
    const fitted = await finetune.fit(training, options());
    expect(accuracyOf(await fitted.predict({ store: tested.store }))).toBeGreaterThan(0.9);
    expect(fitted.heldOut).toBeGreaterThan(0.8);
    fitted.dispose();
  });

  test("changes the encoder it is given, and not the run it came from", async () => {
    const folder = scratch();
    const images = join(folder, "pictures");
    await makePictures(images, { count: 10, classes: ["blue", "red"] });
    const run = join(folder, "run");
    await pretrain({ ...smallRun, images, epochs: 0.5, out: run });
    const [{ encoder }] = representationsOf(run, []) as [Representation];
    const file = () => readFileSync(runFiles(run).encoder);
    const before = file();
    const weightsOf = (own: Encoder) => {
      const values = valuesOf(own);
      own.dispose();
      return values;
    };
    const saved = weightsOf((encoder as () => Encoder)());
    let changed: unknown;
    const own = () => {
      const made = (encoder as () => Encoder)();
      made.dispose = () => {
        changed = valuesOf(made);
        dispose(...made.state().values());
      };
      return made;
    };
    const fitted = await finetune.fit({ ...trainingOf(coloured(30, 1)).training, encoder: own }, options());
    fitted.dispose();
    expect(changed).not.toEqual(saved);
    expect(file().equals(before)).toBe(true);
    expect(weightsOf((encoder as () => Encoder)())).toEqual(saved);
  });

  test("learns from every label, and keeps the last weights, where nothing is held out", async () => {
    const { training } = trainingOf(coloured(30, 1));
    const fitted = await finetune.fit(training, options({ holdOut: 0 }));
    expect(fitted.heldOut).toBeNaN();
    expect(accuracyOf(await fitted.predict({ store: tested.store }))).toBeGreaterThan(0.9);
    fitted.dispose();
    const idle = finetune.fit(training, options({ holdOut: 0, patience: 2 }));
    await expect(idle).rejects.toThrow(/^patience has no effect with holdOut=0/);
    const plan = options({ steps: 100, checkEvery: 25 });
    // Three passes for each image of a step, and four looks at the held-out fifth.
    expect(finetune.passes?.(50, plan)).toBe(3 * 100 * 16 + 4 * 10);
    expect(finetune.passes?.(50, { ...plan, holdOut: 0 })).toBe(3 * 100 * 16);
  });

  test("takes all steps without holding out, if each class has one image", async () => {
    const { training } = trainingOf(coloured(30, 1), [0, 1, 2]);
    const fitted = await finetune.fit(training, options());
    expect(fitted.heldOut).toBeNaN();
    expect(accuracyOf(await fitted.predict({ store: tested.store }))).toBeGreaterThan(0.9);
    fitted.dispose();
  });

  test("never answers a class that has no labels, if the images are far apart", async () => {
    const images = coloured(30, 1);
    const present = Array.from({ length: 30 }, (_, i) => i).filter((i) => images.truths[i] !== 1);
    const { training } = trainingOf(images, present);
    const fitted = await finetune.fit(training, options());
    const answers = await fitted.predict({ store: tested.store });
    expect([...new Set(answers)].sort()).toEqual([0, 2]);
    expect(accuracyOf(answers)).toBeCloseTo(2 / 3);
    fitted.dispose();
  });

  test("stops with InterruptedError, and frees everything", async () => {
    const { training } = trainingOf(coloured(30, 1));
    const before = memory().tensors;
    const controller = new AbortController();
    let steps = 0;
    const store: PixelStore = {
      ...tested.store,
      get(rows) {
        if (++steps === 3) controller.abort();
        return tested.store.get(rows);
      },
    };
    const fit = finetune.fit({ ...training, store, signal: controller.signal }, options({ steps: 1e6 }));
    await expect(fit).rejects.toThrow(InterruptedError);
    expect(steps).toBe(3);
    expect(memory().tensors).toBe(before);
  });

  test("says what to do if the loss is not finite, and frees everything", async () => {
    const { training } = trainingOf(coloured(30, 1));
    const before = memory().tensors;
    const fit = finetune.fit(training, options({ learningRate: 1e30 }));
    await expect(fit).rejects.toThrow(SelfsightError);
    await expect(fit).rejects.toThrow(/(The loss .* is|not finite).*\. Give a lower (one|learning rate)/);
    expect(memory().tensors).toBe(before);
  });
});

describe("the best weights are kept", () => {
  /** One weight a class, for inputs of 1 and −1, with a loss that rises: the learning rate is so high that it jumps about. */
  async function jump(recipe: Partial<Recipe>, choose = [0, 1]) {
    const head = new Linear(1, 2, { bias: false });
    scope(() => head.weight.replace(tensor([[1], [-1]])));
    const looks: number[][] = [];
    const classifier: Classifier<readonly number[]> = {
      modules: [head],
      load: (rows) => rows,
      logits(rows) {
        if (!head.training) looks.push(head.weight.toArray());
        // Trained on swapped inputs, so each step makes the answers about the held-out ones worse.
        return head.forward(tensor(rows.map((row) => [(row === 0 ? 1 : -1) * (head.training ? -1 : 1)])));
      },
    };
    const optimizer = new SGD([{ parameters: head.parameters() }]);
    const found = await trainClassifier(
      classifier,
      { fit: [0, 1], choose },
      { optimizer, learningRate: 1, schedule: constant, steps: 8, batchSize: 2, checkEvery: 1, ...recipe },
      { truths: [0, 1], seed: 0, compute: { device: "cpu", precision: "f32" } },
    );
    const weight = head.weight.toArray();
    head.dispose();
    return { found, weight, looks };
  }

  test("of the first look, if all others are worse", async () => {
    const { found, weight, looks } = await jump({});
    expect(looks).toHaveLength(8);
    expect(looks.at(-1)).not.toEqual(looks[0]);
    expect(weight).toEqual(looks[0]);
    expect(found.accuracy).toBe(1);
  });

  test("and patience ends the training early", async () => {
    const { looks, weight } = await jump({ patience: 2 });
    expect(looks).toHaveLength(3);
    expect(weight).toEqual(looks[0]);
  });

  test("without held-out images, the last", async () => {
    const { found, weight, looks } = await jump({}, []);
    expect(looks).toHaveLength(0);
    expect(found.accuracy).toBeNaN();
    expect(weight[0]).toBeLessThan(-1); // as the swapped inputs teach
  });

  test("by accuracy, then by loss", () => {
    expect(isBetter({ accuracy: 0.5, loss: 9 }, undefined)).toBe(true);
    expect(isBetter({ accuracy: 0.6, loss: 9 }, { accuracy: 0.5, loss: 1 })).toBe(true);
    expect(isBetter({ accuracy: 0.5, loss: 1 }, { accuracy: 0.5, loss: 2 })).toBe(true);
    expect(isBetter({ accuracy: 0.5, loss: 2 }, { accuracy: 0.5, loss: 2 })).toBe(false);
  });
});

describe("learning rates by depth", () => {
  test("of a ResNet: the head, then its stages from the last to the stem", () => {
    const encoder = createEncoder({ model: "resnet10", width: 0.05, stem: "cifar" });
    const head = new Linear(encoder.outDim, 3);
    const names = new Map([...encoder.namedParameters()].map(([name, one]) => [one as unknown, name]));
    const groups = layerDecayGroups(encoder, head, { weightDecay: 0.1, layerDecay: 0.5 });
    const levels = new Map<number, Set<string>>();
    for (const { parameters, rateScale = 1 } of groups) {
      const level = levels.get(rateScale) ?? new Set();
      for (const one of parameters) level.add((names.get(one) ?? "head").split(".")[0] as string);
      levels.set(rateScale, level);
    }
    expect([...levels].map(([scale, level]) => [scale, [...level].sort()])).toEqual([
      [1, ["head"]],
      [1 / 2, ["layer4"]],
      [1 / 4, ["layer3"]],
      [1 / 8, ["layer2"]],
      [1 / 16, ["layer1"]],
      [1 / 32, ["bn1", "conv1"]],
    ]);
    expect(groups.flatMap(({ parameters }) => parameters)).toHaveLength(names.size + 2);
    for (const { parameters, weightDecay } of groups)
      for (const { dim } of parameters) expect(weightDecay).toBe(dim > 1 ? 0.1 : 0);
    const off = layerDecayGroups(encoder, head, { weightDecay: 0.1, layerDecay: 1 });
    expect(off.map(({ rateScale }) => rateScale)).toEqual([1, 1]);
    encoder.dispose();
    head.dispose();
  });

  /** One of each family. */
  const some = ["resnet10", "resnet10v2", "revnet26", "nin4", "alexnet", "vgg11", "vit-tiny-4"];

  test.each(some)("of %s: all depths, in the order of its maps, and nothing else changes", (model) => {
    const encoder = createEncoder({ model, width: 0.05 });
    const state = () => [...encoder.state()].map(([name, one]) => [name, one.shape.length < 3 ? one.toArray() : 0]);
    const before = state();
    const found = depths(encoder);
    const inOrder = [...new Set(found.values())].sort((a, b) => a - b);
    expect(inOrder[0]).toBe(0);
    expect(found.size).toBe(encoder.parameters().length);
    expect(inOrder.length).toBeGreaterThan(2);
    expect(encoder.training).toBe(true);
    expect(encoder.parameters().every(({ grad }) => grad === null)).toBe(true);
    expect(state()).toEqual(before);
    encoder.dispose();
  });
});

test("few labels get the steps asked for, many get so many epochs, up to a limit", () => {
  const budget = { steps: 200, epochs: 20, mostSteps: 2000, batchSize: 64 };
  expect(stepsFor(10, budget)).toBe(200);
  expect(stepsFor(3200, budget)).toBe(1000);
  expect(stepsFor(50_000, budget)).toBe(2000);
  expect(stepsFor(50_000, { ...budget, steps: 5000 })).toBe(5000);
});
