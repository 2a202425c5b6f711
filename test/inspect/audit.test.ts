/** Probes that find a task's shortcuts. */
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { ImageSet } from "../../src/data/images.ts";
import { openImages } from "../../src/data/open.ts";
import { imagesToLearnFrom } from "../../src/data/splits.ts";
import { UsageError } from "../../src/errors.ts";
import { type AuditRow, audit, auditParts } from "../../src/inspect/audit.ts";
import { BlindEncoder } from "../../src/inspect/blind.ts";
import { preview } from "../../src/inspect/preview.ts";
import { accuracy } from "../../src/metric.ts";
import { createEncoder } from "../../src/models/index.ts";
import { uniform } from "../../src/random.ts";
import { auditTable } from "../../src/report/audit.ts";
import { type PretrainOptions, pretrainOptions } from "../../src/run/options.ts";
import { resolveConfig } from "../../src/run/resolve.ts";
import { registerTask, taskEntry } from "../../src/tasks/index.ts";
import { type Batch, defineTask, type Task, type TaskInstance } from "../../src/tasks/task.ts";
import { Linear } from "../../src/torch/nn/layers.ts";
import { cat, crossEntropy, integers, randn, tensor } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { firstEncoder } from "../../src/train/prepare.ts";
import { contextOf, disposeOf, fixedBatch, modulesOf, noiseViews } from "../batch.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const { batchSize: _, ...small } = smallRun;

expectNoLeak();
beforeAll(() => makePictures(images, { count: 100, classes: ["a", "b"] }));

/** Audits a task on pictures. Its probes take as many steps on every machine. */
async function audited(options: Partial<PretrainOptions>): Promise<AuditRow[]> {
  const config = resolveConfig(pretrainOptions.parse({ ...small, images, ...options }));
  const { set } = await imagesToLearnFrom(await openImages(config.images));
  const encoder = firstEncoder(config);
  const rows = audit({ set, task: taskEntry(config.task), config, encoder, length: { epochs: 20 } });
  return rows.finally(() => encoder.dispose());
}

type Question = (images: Tensor, batch: Batch) => { shown: Tensor; target: Tensor };

/** A task with two answers: `ask` returns the images to show and the right answers. */
function twoAnswers(ask: Question, { remedies = {}, ...declared }: Partial<Task & TaskInstance> = {}) {
  return defineTask({
    title: "Two answers",
    paper: "a test",
    options: z.strictObject({}),
    remedies,
    create({ encoder }) {
      const fc = new Linear(encoder.outDim, 2);
      return {
        ...declared,
        trained: { fc },
        metric: accuracy,
        guess: { value: 1 / 2, loss: Math.log(2) },
        step([images], batch) {
          const { shown, target } = ask(images, batch);
          const logits = fc.forward(encoder.forward(shown));
          return { loss: crossEntropy(logits, target), metrics: { accuracy: logits.argmax(1).eq(target).mean() } };
        },
        preview: ([images]) => [{ image: images.select(0, 0), answer: "", guess: null }],
      };
    },
  });
}

/** Dashes at the upper edge: does black or white come first? Blurred, they are grey. */
const framed = twoAnswers(
  (images, { random }) => {
    const answers = Array.from({ length: images.size(0) }, () => (uniform(random, 0, 1) < 0.5 ? 0 : 1));
    const signs = tensor(answers.map((answer) => 2 * answer - 1)).reshape(-1, 1, 1, 1);
    const dashes = tensor(Array.from({ length: 16 }, (_, x) => (-1) ** x)).reshape(1, 1, 1, 16);
    const blank = images.mul(0);
    const shown = cat([blank.narrow(2, 0, 1).add(signs.mul(dashes)), blank.narrow(2, 1, 15)], 2);
    return { shown, target: integers(answers) };
  },
  { remedies: { border: "no dashes" } },
);

test("the audit finds what a border gives away, and says what to do", async () => {
  registerTask("framed", framed);
  const rows = await audited({ task: "framed" });
  expect(rows.map(({ shortcut }) => shortcut)).toEqual(["colour", "blur", "border"]);
  for (const { low, value, high } of rows) {
    expect(low).toBeLessThanOrEqual(value);
    expect(high).toBeGreaterThanOrEqual(value);
  }
  const [colour, blur, border] = rows;
  expect(Math.max(colour?.value ?? 1, blur?.value ?? 1)).toBeLessThan(0.8);
  expect(border?.value).toBeGreaterThan(0.9);
  expect(border).toMatchObject({ leaks: true, chance: 0.5, remedy: "no dashes" });
});

/** Which of two images is it? Its brightness gives the answer. */
const numbered = twoAnswers(
  (images, { indices }) => {
    const target = integers(Array.from(indices));
    return { shown: images.mul(0).add(target.to("f32").reshape(-1, 1, 1, 1)), target };
  },
  { instances: 2 },
);

describe("with each image as its own class", () => {
  test("tests on other crops of the same images", async () => {
    registerTask("numbered", numbered);
    const [colour] = await audited({ task: "numbered" });
    expect(colour).toMatchObject({ leaks: true, chance: 1 / 2 });
    expect(colour?.value).toBeGreaterThan(0.8);
  });

  test("handles exemplar, whose classes may be fewer than the images and than a batch", async () => {
    const rows = await audited({ task: "exemplar", taskOptions: { loss: "softmax", classes: 10, copies: 2 } });
    expect(rows).toHaveLength(3);
    for (const { value, chance } of rows) {
      expect(chance).toBe(0.1);
      expect(value).toBeGreaterThan(0);
    }
  });
});

test("a preview with an audit has a row for each probe, whose training it limits to minutes", async () => {
  const told: string[] = [];
  const { audit } = await preview(
    { ...small, images, audit: true, minutes: 1e-4, out: join(folder, "audit.png") },
    { onEvent: (event) => void (event.type === "working" && told.push(event.what)) },
  );
  expect(audit.map(({ shortcut }) => shortcut)).toEqual(["colour", "blur", "border"]);
  expect(told.filter((what) => what.startsWith("training a probe"))).toHaveLength(3);
});

test("a few images make one batch; fewer are refused", async () => {
  const few = await makePictures(join(folder, "few"), { count: 10 });
  const rows = await audited({ images: few, task: "exemplar", taskOptions: { copies: 2 } });
  expect(rows).toHaveLength(3);
  for (const { value, low, high } of rows) {
    expect(value).toBeGreaterThan(0);
    expect(low).toBeLessThanOrEqual(value);
    expect(high).toBeGreaterThanOrEqual(value);
  }
  const fewer = await makePictures(join(folder, "fewer"), { count: 9 });
  const refused = audited({ images: fewer });
  await expect(refused).rejects.toThrow(UsageError);
  await expect(refused).rejects.toThrow(/needs 10 images at least.* there are 9/);
});

test("groups stay on one side, and must leave something on each", () => {
  const set = (groupOf: (i: number) => number): ImageSet => ({
    ...{ name: "patients", length: 30, fingerprint: "", label: () => -1, id: String, group: groupOf },
    read: () => Promise.reject(new Error("not read")),
  });
  const idsOf = (part: ImageSet) => Array.from({ length: part.length }, (_, i) => Number(part.id(i)));
  const alone = auditParts(set((i) => i));
  expect(idsOf(alone.unseen)).toEqual([0, 5, 10, 15, 20, 25]);
  const triples = auditParts(set((i) => i % 10));
  expect(idsOf(triples.unseen)).toEqual([0, 5, 10, 15, 20, 25]);
  expect(idsOf(triples.seen)).toHaveLength(24);
  expect(() => auditParts(set(() => 7))).toThrow(/cannot cut patients .*: it has one group, and groups stay together/);
  expect(() => auditParts(set((i) => Math.min(i, 2)))).toThrow(/it has 3 groups/); // one image to test on
});

/** Input shapes of a task on a transformer with patches of 8 pixels, and on the probe that replaces it. */
function onBoth(task: string, size: number) {
  const { create, options } = taskEntry(task);
  const vit = createEncoder({ model: "vit-tiny-8", width: 1 / 3 });
  const made = [vit, new BlindEncoder("colour", vit)].map((encoder) => {
    const shapes: number[][] = [];
    const encode = encoder.encode.bind(encoder);
    encoder.encode = (images: Tensor) => {
      shapes.push([...images.shape]);
      return encode(images);
    };
    scope(() => {
      const instance = create(contextOf(encoder, size), options.parse({}));
      instance.step(noiseViews(instance, size, 2), fixedBatch(2));
      disposeOf(instance);
    });
    encoder.dispose();
    return shapes;
  });
  return made as [number[][], number[][]];
}

test.each(["jigsaw", "relative-patch"])("%s: a probe sees patches as large as the encoder's", (task) => {
  const [real, probe] = onBoth(task, 76);
  expect(real[0]?.slice(2)).toEqual([16, 16]);
  expect(probe).toEqual(real);
});

test("dense predictions from a probe's 1×1 map stay small", () => {
  const probe = new BlindEncoder("colour", { minImageSize: 2, patchSize: 1 });
  const { create, options } = taskEntry("colorization");
  const modules = modulesOf(scope(() => create(contextOf(probe, 256), options.parse({}))));
  const count = Object.values(modules)
    .flatMap((module) => module.parameters())
    .reduce((sum, { numel }) => sum + numel, 0);
  expect(count).toBeLessThan(2e6);
  for (const module of [probe, ...Object.values(modules)]) module.dispose();
});

test("a probe sees its view and nothing else", () => {
  scope(() => {
    const [x, other] = [randn([2, 3, 12, 12]), randn([2, 3, 12, 12])];
    const inside = x.clone();
    inside
      .narrow(2, 2, 8)
      .narrow(3, 2, 8)
      .copy_(other.narrow(2, 2, 8).narrow(3, 2, 8));
    for (const [shortcut, same] of [
      ["border", true],
      ["colour", false],
      ["blur", false],
    ] as const) {
      const probe = new BlindEncoder(shortcut, { minImageSize: 2, patchSize: 1 });
      probe.eval();
      const [a, b] = [probe.forward(x), probe.forward(inside)];
      expect(a.sub(b).abs().flatten().amax(0).item() === 0, shortcut).toBe(same);
      probe.dispose();
    }
  });
});

test("the audit's table names the option that closes a leak", () => {
  const row: AuditRow = {
    shortcut: "border",
    view: "a border",
    metric: accuracy,
    value: 0.44,
    low: 0.42,
    high: 0.46,
    chance: 0.125,
    known: 0.27,
    leaks: true,
    remedy: "a larger gap",
  };
  expect(auditTable([row])).toMatch(
    /! a border {2}accuracy 44.0 % .*chance 12.5 %; a view of less gives 27.0 %.*\n +→ a larger gap/,
  );
  expect(auditTable([{ ...row, leaks: false }])).toMatch(/^✓ a border/);
});
