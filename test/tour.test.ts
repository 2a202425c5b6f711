/** The public API in a hundred lines: from pictures to a verdict, as in a user's program. */
import { join } from "node:path";
import { expect, test } from "vitest";
import * as selfsight from "../src/index.ts";
import { makePictures, scratch } from "./images.ts";
import { expectNoLeak } from "./live.ts";

const { createEncoder, memory, nn, noGrad, optim, scope, tasks, tensor } = selfsight;
const folder = scratch();

expectNoLeak();

test("tensors are computed, differentiated and freed", () => {
  scope(() => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]).requiresGrad_();
    const y = x.mul(x).sum();
    y.backward();
    expect(y.item()).toBe(30);
    expect(x.grad?.toArray()).toEqual([2, 4, 6, 8]);
    expect(noGrad(() => x.matmul(x)).shape).toEqual([2, 2]);
  });
});

test("any operator of PyTorch can be called by name", () => {
  scope(() => {
    const values = selfsight.call(
      "aten::linalg_svdvals",
      tensor([
        [3, 0],
        [0, 4],
      ]),
    );
    const [first, second] = (values as selfsight.Tensor).toArray();
    expect(first).toBeCloseTo(4, 5);
    expect(second).toBeCloseTo(3, 5);
    expect(selfsight.schemas("aten::linalg_svdvals")[0]).toContain("Tensor A");
  });
});

test("a network is made of modules whose names are PyTorch's", () => {
  const encoder = createEncoder({ model: "resnet10", width: 0.125 });
  const head = new nn.Linear(encoder.outDim, 3);
  expect([...encoder.state().keys()].slice(0, 3)).toEqual(["conv1.weight", "bn1.weight", "bn1.bias"]);
  scope(() => {
    const maps = encoder.encode(selfsight.rand([2, 3, 64, 64])).maps;
    expect(Object.keys(maps)).toEqual(Object.keys(encoder.featureDims));
    expect(head.forward(encoder.forward(selfsight.rand([2, 3, 64, 64]))).shape).toEqual([2, 3]);
  });
  for (const module of [encoder, head]) module.dispose();
});

test("a task turns images into a loss, and an optimizer makes it smaller", () => {
  selfsight.manualSeed(0);
  const encoder = createEncoder({ model: "resnet10", width: 0.125, stem: "cifar" });
  const images = scope(() => selfsight.rand([8, 3, 16, 16]));
  const task = tasks.rotation.create(
    {
      encoder,
      copy: () => encoder,
      images: { size: 16, count: 8, classes: null, sample: images },
      world: selfsight.alone,
      seed: 0,
    },
    tasks.rotation.options.parse({}),
  );
  const modules = [encoder, ...Object.values(task.trained)];
  const optimizer = new optim.SGD(
    optim.decayGroups(
      modules.flatMap((module) => module.namedParameters()),
      5e-4,
    ),
    { momentum: 0.9 },
  );
  const losses = Array.from({ length: 10 }, () =>
    scope(() => {
      const { loss } = task.step([images], { indices: [], labels: null, random: selfsight.randomAt(0), progress: 0 });
      loss.backward();
      optimizer.step(0.02);
      optimizer.zeroGrad();
      return loss.item();
    }),
  );
  expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
  images.dispose();
  optimizer.dispose();
  for (const module of modules) module.dispose();
});

test("a folder of pictures becomes a trained encoder, a measurement and a verdict", async () => {
  const pictures = join(folder, "pictures");
  await makePictures(pictures, { count: 16, classes: ["left", "right"] });
  const collection = await selfsight.openImages(pictures);
  expect(collection.splits["all"]?.classes).toEqual(["left", "right"]);
  const out = join(folder, "run");
  await selfsight.pretrain({
    images: pictures,
    model: "resnet10",
    width: 0.125,
    stem: "cifar",
    imageSize: 16,
    batchSize: 8,
    epochs: 1,
    out,
  });
  const { rows, differences } = await selfsight.evaluate({
    runs: [out],
    images: pictures,
    protocol: ["linear"],
    labelsPerClass: [5],
  });
  expect(selfsight.resultTable(rows)).toContain("layer4");
  expect(differences.map(selfsight.verdict).join("\n")).toMatch(/untrained/);
  const { encoder } = selfsight.loadEncoder(out);
  expect(memory().tensors).toBeGreaterThan(0);
  encoder.dispose();
});
