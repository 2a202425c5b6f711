/** Compares losses and gradients of the pretext tasks on fixed tensors with slow loops in Python. */
import { describe, expect, test } from "vitest";
import { colourPlane, frequencies, rebalance, softEncode } from "../../src/augment/colour-bins.ts";
import { labToRgb, rgbToLab } from "../../src/augment/lab.ts";
import { cutPatches, normalisePatches } from "../../src/augment/patches.ts";
import { distantPermutations } from "../../src/augment/permutations.ts";
import { colourClasses, colourRegression } from "../../src/heads/colour-targets.ts";
import { ConvEncoder, type Encoder, type Maps } from "../../src/models/model.ts";
import { prefixed } from "../../src/run/checkpoint.ts";
import { exemplar } from "../../src/tasks/exemplar.ts";
import { inpainting } from "../../src/tasks/inpainting.ts";
import { jigsaw } from "../../src/tasks/jigsaw.ts";
import { relativePatch } from "../../src/tasks/relative-patch.ts";
import { supervised } from "../../src/tasks/supervised.ts";
import type { TaskContext, TaskInstance } from "../../src/tasks/task.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { Parameter } from "../../src/torch/nn/module.ts";
import { cat, fromTypedArray, integers, zeros } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { CLASSES, contextOf, fixedBatch, modulesOf } from "../batch.ts";
import { goldenParameter, goldenPictures, goldenValues } from "../fixtures/golden/formula.ts";
import { expectNoLeak } from "../live.ts";
import { difference, goldenJson, goldenTensor, goldenTensors, pick } from "./store.ts";

type Numbers = Readonly<Record<string, number>>;
const golden = goldenJson<Record<string, Numbers>>("tasks");
const stored = goldenTensors("tasks");
const TOLERANCE = 1e-4;

expectNoLeak();

const fixed = (name: string, shape: number[], low = -2, high = 2) =>
  fromTypedArray(goldenValues(name, shape, low, high), shape);
const pictures = (name: string, count: number, size: number) =>
  fromTypedArray(goldenPictures(name, count, size), [count, 3, size, size]);
const kept = (name: string) => goldenTensor(pick(stored, name));
const expectStored = (got: Tensor | null, name: string) =>
  expect(got ? difference(got.contiguous(), pick(stored, name)) : Number.NaN, name).toBeLessThan(TOLERANCE);

function expectNumber(got: number | undefined, expected: number | undefined): void {
  expect(Math.abs((got ?? Number.NaN) - (expected ?? Number.NaN)) / (1 + Math.abs(expected ?? 0))).toBeLessThan(
    TOLERANCE,
  );
}

/** Returns the same feature map (N, C, h, w) for any input, and collects its gradient. */
class FixedEncoder extends ConvEncoder {
  readonly map: Parameter;
  override readonly featureDims: Readonly<Record<string, number>>;
  override readonly outDim: number;
  override readonly minImageSize = 1;

  constructor(map: Tensor) {
    super();
    this.map = new Parameter(map);
    this.outDim = map.size(1);
    this.featureDims = { map: this.outDim };
  }

  override maps(): Maps {
    return { map: this.map };
  }
}

/** Checks loss and all gradients of one step of a task. Its encoder returns fixed values; its modules are filled by the formula. */
function expectGoldenStep(
  name: string,
  shape: number[],
  create: (encoder: Encoder) => TaskInstance,
  images: Tensor,
  labels?: readonly number[],
): void {
  const { loss: expected, accuracy, batch = 0 } = golden[name] ?? {};
  const map = fixed(`${name}.${shape[2] ? "maps" : "embedded"}`, shape);
  const encoder = new FixedEncoder(shape[2] ? map : map.reshape(...shape, 1, 1));
  const task = create(encoder);
  const state = prefixed(modulesOf(task));
  noGrad(() => {
    for (const [key, tensor] of state) {
      if (tensor.dim) tensor.copy_(fromTypedArray(goldenParameter(key, tensor.shape), tensor.shape));
    }
  });
  const { loss, metrics } = task.step([images], { ...fixedBatch(batch), ...(labels && { labels: integers(labels) }) });
  loss.backward();
  expectNumber(loss.item(), expected);
  if (accuracy !== undefined) expectNumber(metrics["accuracy"]?.item(), accuracy);
  expectStored(encoder.map.grad?.reshape(...shape) ?? null, `${name}.gradient`);
  const prefix = `${name}.gradient.`;
  const weights = [...stored.keys()].filter((key) => key.startsWith(prefix));
  expect(weights.length).toBeGreaterThan(0);
  for (const key of weights) expectStored(state.get(key.slice(prefix.length))?.grad ?? null, key);
  for (const module of [encoder, ...Object.values(modulesOf(task))]) module.dispose();
}

const about = (encoder: Encoder, size: number, sample: Tensor, count = 9): TaskContext => ({
  ...contextOf(encoder, size),
  images: { size, count, classes: CLASSES, sample },
});

test("patches are cut and normalised, and pass gradients", () => {
  scope(() => {
    const { side, corners } = golden["patches"] as unknown as { side: number; corners: [number, number][] };
    const images = pictures("patches", 2, 16).requiresGrad_();
    const normal = normalisePatches(cutPatches(images, corners, side));
    expectStored(normal, "patches.normal");
    normal.mul(fixed("patches.cotangent", normal.shape)).sum().backward();
    expectStored(images.grad, "patches.gradient");
  });
});

describe("a step's loss and gradients", () => {
  test("relative-patch", () => {
    const { batch = 0, width = 0, hidden } = golden["relative-patch"] ?? {};
    scope(() => {
      const images = zeros([batch, 3, 32, 32]);
      const create = (encoder: Encoder) =>
        relativePatch.create(about(encoder, 32, images), relativePatch.options.parse({ hidden }));
      expectGoldenStep("relative-patch", [batch * 9, width], create, images);
    });
  });

  test("jigsaw, and the permutations themselves", () => {
    const { batch = 0, width = 0, hidden, embedding } = golden["jigsaw"] ?? {};
    const { permutations } = golden["jigsaw"] as unknown as { permutations: string[] };
    const chosen = distantPermutations(permutations.length, 0).map((order) => order.join(" "));
    expect(chosen).toEqual(permutations);
    scope(() => {
      const images = zeros([batch, 3, 32, 32]);
      const options = jigsaw.options.parse({ hidden, embedding, permutations: permutations.length, orders: 4 });
      const create = (encoder: Encoder) => jigsaw.create(about(encoder, 32, images), options);
      expectGoldenStep("jigsaw", [batch * 9, width], create, images);
    });
  });

  test("exemplar, triplet loss", () => {
    const { batch = 0, copies = 0, width = 0, embedding, margin } = golden["exemplar-triplet"] ?? {};
    scope(() => {
      const images = pictures("exemplar", copies * batch, 16);
      const options = exemplar.options.parse({ loss: "triplet", copies, embedding, margin });
      const create = (encoder: Encoder) => exemplar.create(about(encoder, 16, images), options);
      expectGoldenStep("exemplar-triplet", [copies * batch, width], create, images);
    });
  });

  test("exemplar, each image as a class", () => {
    const { batch = 0, copies = 0, width = 0, hidden, classes = 0 } = golden["exemplar-softmax"] ?? {};
    scope(() => {
      const images = pictures("exemplar", batch, 32);
      const options = exemplar.options.parse({ loss: "softmax", copies, hidden, classes });
      const create = (encoder: Encoder) => exemplar.create(about(encoder, 16, images, classes), options);
      expectGoldenStep("exemplar-softmax", [copies * batch, width], create, images);
    });
  });

  test("inpainting", () => {
    const { batch = 0, channels = 0, size = 0 } = golden["inpainting"] ?? {};
    scope(() => {
      const images = pictures("inpainting", batch, size);
      const create = (encoder: Encoder) => inpainting.create(about(encoder, size, images), { region: "centre" });
      expectGoldenStep("inpainting", [batch, channels, size / 4, size / 4], create, images);
    });
  });

  test("supervised, with label smoothing", () => {
    const { batch = 0, width = 0, labelSmoothing = 0 } = golden["supervised"] ?? {};
    const { labels } = golden["supervised"] as unknown as { labels: number[] };
    scope(() => {
      const images = zeros([batch, 3, 32, 32]);
      const create = (encoder: Encoder) => supervised.create(about(encoder, 32, images), { labelSmoothing });
      expectGoldenStep("supervised", [batch, width], create, images, labels);
    });
  });
});

describe("colorization", () => {
  test("sRGB to Lab and back", () => {
    scope(() => {
      expectStored(rgbToLab(fixed("lab.rgb", [1, 3, 6, 6], 0, 1)), "lab.lab");
      const wild = [fixed("lab.l", [1, 1, 6, 6], 0, 100), fixed("lab.ab", [1, 2, 6, 6], -110, 110)];
      expectStored(labToRgb(cat(wild, 1)), "lab.rgb");
    });
  });

  test("bins, soft encoding and weights", () => {
    scope(() => {
      const plane = colourPlane(10);
      expectStored(plane.centres, "colorization.centres");
      const { bins, parts } = softEncode(kept("colorization.truth"), plane);
      const wanted = pick(stored, "colorization.soft");
      expectStored(zeros(wanted.shape).scatterAdd(1, bins, parts), "colorization.soft");
      const prior = frequencies(softEncode(kept("colorization.known"), plane), plane.centres.size(0));
      expectStored(rebalance(prior, plane.centres, 0.5), "colorization.weights");
    });
  });

  test("as classification: loss, gradient, annealed mean, and the loss of always guessing the prior", () => {
    const { count = 0, bins = 0, loss, chance } = golden["colorization"] ?? {};
    scope(() => {
      const read = colourClasses(kept("colorization.known"), {
        grid: 10,
        neighbours: 5,
        lambda: 0.5,
        temperature: 0.38,
      });
      const logits = fixed("colorization.logits", [count, bins], -3, 3).requiresGrad_();
      const got = read.loss(logits, kept("colorization.truth")).mean();
      got.backward();
      expectNumber(got.item(), loss);
      expectStored(logits.grad, "colorization.gradient");
      expectStored(
        noGrad(() => read.colours(logits)),
        "colorization.colours",
      );
      expectNumber(read.guess, chance);
      read.module?.dispose();
    });
  });

  test("as regression: loss and gradient", () => {
    const { count = 0, regression, regressionChance } = golden["colorization"] ?? {};
    scope(() => {
      const read = colourRegression(kept("colorization.known"));
      const guess = fixed("colorization.guess", [count, 2]).requiresGrad_();
      const got = read.loss(guess, kept("colorization.truth")).mean();
      got.backward();
      expectNumber(got.item(), regression);
      expectStored(guess.grad, "colorization.gradient.regression");
      expectNumber(read.guess, regressionChance);
    });
  });
});
