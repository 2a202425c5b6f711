/** The contract of every task, on every family of architectures: a loop over the registries. */
import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { createEncoder, families } from "../../src/models/index.ts";
import type { ModelEntry, Stem } from "../../src/models/model.ts";
import { loadState, prefixed, saveState } from "../../src/run/checkpoint.ts";
import { tasks } from "../../src/tasks/index.ts";
import type { Task, TaskInstance, Views } from "../../src/tasks/task.ts";
import { autocast, noGrad } from "../../src/torch/autograd.ts";
import { randn } from "../../src/torch/ops.ts";
import { AdamW } from "../../src/torch/optim/adamw.ts";
import { decayGroups } from "../../src/torch/optim/groups.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { memory, scope } from "../../src/torch/scope.ts";
import { contextOf, fixedBatch, modulesOf, noiseViews } from "../batch.ts";
import { scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";

const folder = scratch();
/** The smallest member of each family, because the others only differ in depth, with the stem for the smallest images. */
const stems = Object.fromEntries(
  Object.values(families).map((family) => {
    const [model = "", { stems }] = Object.entries(family)[0] as [string, ModelEntry];
    const sizes = stems.map((stem): [Stem, number] => {
      const encoder = createEncoder({ model, stem, width: 0.125 });
      encoder.dispose();
      return [stem, encoder.minImageSize];
    });
    return [model, sizes.reduce((best, next) => (next[1] <= best[1] ? next : best))[0]];
  }),
);
const representatives = Object.keys(stems);
const pairs = Object.keys(tasks).flatMap((task) => representatives.map((model): [string, string] => [task, model]));

expectNoLeak();

function build(task: string, model: string, seed = 1) {
  manualSeed(seed);
  const encoder = createEncoder({ model, width: 0.125, stem: stems[model] });
  const entry = tasks[task as keyof typeof tasks] as unknown as Task;
  const create = (size: number): TaskInstance =>
    scope(() => entry.create(contextOf(encoder, size), entry.options.parse({})));
  let size = Math.max(32, encoder.minImageSize);
  let instance: TaskInstance;
  try {
    instance = create(size);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    size = 4 * encoder.minImageSize; // a patch, a quarter of the image, must be large enough for the encoder
    instance = create(size);
  }
  const modules = { encoder, ...modulesOf(instance) };
  const trained = [encoder, ...Object.values(instance.trained)];
  const parameters = trained.flatMap((module) => module.namedParameters());
  const dispose = () => {
    for (const module of Object.values(modules)) module.dispose();
  };
  return { encoder, size, instance, modules, parameters, dispose };
}

describe.each(pairs)("%s on %s", (task, model) => {
  test("starts with a finite loss near chance, and has a gradient for every parameter", () => {
    const { instance, size, parameters, dispose } = build(task, model);
    scope(() => {
      const { loss, metrics } = instance.step(noiseViews(instance, size, 4), fixedBatch(4));
      loss.backward();
      expect(Number.isFinite(loss.item())).toBe(true);
      expect(loss.item()).toBeLessThan(3 * instance.guess.loss + 1);
      expect(Object.keys(metrics)).toContain(instance.metric.name);
      const steepest = parameters.map(([name, { grad }]) => {
        expect(grad, `gradient of ${name}`).not.toBeNull();
        return grad?.abs().flatten().amax(0).item() ?? Number.NaN;
      });
      expect(steepest.every(Number.isFinite)).toBe(true);
      const rounding = 1e-6 * Math.max(...steepest);
      const flat = parameters.filter((_, i) => (steepest[i] ?? 0) <= rounding);
      const lossNow = () => {
        manualSeed(2);
        return noGrad(() => instance.step(noiseViews(instance, size, 4), fixedBatch(4)).loss.item());
      };
      const before = lossNow();
      // A batch norm removes whatever such a bias adds.
      for (const [name, parameter] of flat) {
        expect(name).toMatch(/bias$/);
        noGrad(() => parameter.add_(randn(parameter.shape)));
      }
      expect(Math.abs(lossNow() / before - 1), `effect of ${flat.map(([name]) => name)}`).toBeLessThan(1e-4);
    });
    dispose();
  });

  test("gives the same loss for the same seed, and leaves no tensors behind", () => {
    const losses = [0, 0].map(() => {
      const { instance, size, dispose } = build(task, model);
      const before = memory().tensors;
      const loss = scope(() => instance.step(noiseViews(instance, size, 4), fixedBatch(4)).loss.item());
      expect(memory().tensors).toBe(before);
      dispose();
      return loss;
    });
    expect(losses[0]).toBe(losses[1]);
  });

  test("is restored from a file bit for bit", () => {
    const first = build(task, model, 1);
    const second = build(task, model, 2);
    const file = `${folder}/${task}-${model}.safetensors`;
    saveState(file, prefixed(first.modules));
    loadState(file, prefixed(second.modules));
    const loss = ({ instance, size }: typeof first) =>
      scope(() => {
        manualSeed(3);
        return instance.step(noiseViews(instance, size, 4), fixedBatch(4)).loss.item();
      });
    expect(loss(second)).toBe(loss(first));
    first.dispose();
    second.dispose();
  });

  test("runs in bf16, channels-last", () => {
    const { instance, size, modules, dispose } = build(task, model);
    for (const module of Object.values(modules)) module.to({ memoryFormat: "channels_last" });
    scope(() => {
      const images = noiseViews(instance, size, 4).map((view) => view.contiguous("channels_last")) as unknown as Views;
      const { loss } = autocast("cpu", "bf16", () => instance.step(images, fixedBatch(4)));
      loss.backward();
      expect(loss.dtype).toBe("f32");
      expect(Number.isFinite(loss.item())).toBe(true);
    });
    dispose();
  });

  /** Takes seconds: each task on one family, and one task on each. */
  const memorised = model === representatives[0] || task === "relative-patch";
  test.runIf(memorised)("memorises 16 images: the loss falls below a third of chance", () => {
    const { instance, size, parameters, dispose } = build(task, model);
    const optimizer = new AdamW(decayGroups(parameters, 0));
    const images = scope(() => noiseViews(instance, size, 16));
    let loss = Number.POSITIVE_INFINITY;
    for (let step = 0; step < 200 && loss >= instance.guess.loss / 3; step++) {
      loss = scope(() => {
        const { loss } = instance.step(images, fixedBatch(16));
        loss.backward();
        optimizer.step(0.003 * Math.min(1, (step + 1) / 20)); // some processors' rounding leads transformers astray without a warm-up
        optimizer.zeroGrad();
        return loss.item();
      });
    }
    expect(loss).toBeLessThan(instance.guess.loss / 3);
    optimizer.dispose();
    for (const view of images) view.dispose();
    dispose();
  });

  test("previews what the network sees: a picture, the answer and a guess for each image", () => {
    const { instance, size, modules, dispose } = build(task, model);
    for (const module of Object.values(modules)) module.eval();
    scope(() => {
      const cells = noGrad(() => instance.preview(noiseViews(instance, size, 3), fixedBatch(3)));
      expect(cells).toHaveLength(3);
      for (const { image, answer, guess } of cells) {
        expect(image.dim).toBe(3);
        expect(image.size(0)).toBe(3);
        expect([answer.length > 0, guess !== ""]).toEqual([true, true]);
      }
      expect(new Set(cells.map(({ panels }) => panels?.length)).size).toBe(1);
      for (const { image, caption, outlines = [] } of cells.flatMap(({ panels = [] }) => panels)) {
        expect([image.dim, image.size(0), caption.length > 0]).toEqual([3, 3, true]);
        for (const { x, y, width, height } of outlines) {
          expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
          expect([x + width <= image.size(2), y + height <= image.size(1)]).toEqual([true, true]);
        }
      }
    });
    dispose();
  });
});
