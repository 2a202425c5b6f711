/**
 * The contracts are general enough for: a teacher that follows a student and is what gets saved, views of two sizes, a queue; a
 * protocol that predicts a number instead of a class, and measures an error; two processes that train one network.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { withCleanup } from "../../src/cleanup.ts";
import { decodeImage } from "../../src/data/decode.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { openImages } from "../../src/data/open.ts";
import { InterruptedError } from "../../src/errors.ts";
import { evaluate } from "../../src/evaluate/evaluate.ts";
import { registerProtocol } from "../../src/evaluate/index.ts";
import { defineProtocol, type Inputs, mean, type Training } from "../../src/evaluate/protocol.ts";
import { verdict } from "../../src/report/verdict.ts";
import { runFiles } from "../../src/run/folder.ts";
import { type PretrainOptions, pretrainOptions } from "../../src/run/options.ts";
import { resolveConfig } from "../../src/run/resolve.ts";
import { registerTask } from "../../src/tasks/index.ts";
import { defineTask } from "../../src/tasks/task.ts";
import { Linear } from "../../src/torch/nn/layers.ts";
import { Buffer, Module, type Parameter } from "../../src/torch/nn/module.ts";
import { cat, normalize, zeros } from "../../src/torch/ops.ts";
import { openSafetensors } from "../../src/torch/safetensors.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import type { World } from "../../src/torch/world.ts";
import { batchIndices, type RawBatch, readBatch } from "../../src/train/batches.ts";
import { lossOf, train } from "../../src/train/loop.ts";
import { decodeImages, firstEncoder, prepareTraining } from "../../src/train/prepare.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";

expectNoLeak();

const folder = scratch();
const images = join(folder, "pictures");
beforeAll(() => makePictures(images, { count: 24, classes: ["one", "two"] }));

/** The teacher's last vectors: the student's are compared with them. */
class Queue extends Module {
  readonly vectors: Buffer;
  constructor(length: number, width: number) {
    super();
    this.vectors = scope(() => new Buffer(zeros([length, width])));
  }
  push(vectors: Tensor): void {
    const rest = this.vectors.narrow(0, 0, this.vectors.size(0) - vectors.size(0)).clone();
    this.vectors.copy_(cat([vectors, rest]));
  }
}

const MOMENTUM = 0.9;

registerTask(
  "toy-teacher",
  defineTask({
    title: "A student that follows its teacher",
    paper: "a test",
    options: z.strictObject({}),
    create({ encoder, copy }) {
      const teacher = copy();
      const head = new Linear(encoder.outDim, encoder.outDim);
      const queue = new Queue(32, encoder.outDim);
      return {
        trained: { head },
        state: { teacher, queue },
        output: teacher,
        views: [{ count: 1 }, { count: 2, size: 8, minArea: 0.2 }],
        metric: { name: "similarity", unit: "", better: "higher", perfect: 1, worthwhile: 0.1 },
        guess: { value: 0, loss: 1 },
        step([large, small], { progress }) {
          if (!small) throw new Error("two views were asked for");
          expect([large.shape.slice(2), small.shape]).toEqual([
            [16, 16],
            [2 * large.size(0), 3, 8, 8],
          ]);
          expect(progress).toBeGreaterThanOrEqual(0);
          const target = normalize(teacher.forward(large).detach()); // (B, D)
          const student = normalize(head.forward(encoder.forward(small))); // (2·B, D)
          const similarity = student
            .mul(cat([target, target]))
            .sum(1)
            .mean();
          const others = student.matmul(queue.vectors.clone().transpose(0, 1)).mean();
          queue.push(target);
          return { loss: similarity.neg().add(1).add(others), metrics: { similarity: similarity.detach() } };
        },
        afterStep() {
          const student = encoder.state();
          for (const [name, tensor] of teacher.state())
            if (tensor.dim) tensor.mul_(MOMENTUM).add_((student.get(name) as Tensor).mul(1 - MOMENTUM));
        },
        preview: ([large]) => [{ image: large.select(0, 0), answer: "", guess: null }],
      };
    },
  }),
);

describe("a teacher, views of two sizes, a queue", () => {
  const options = (name: string): PretrainOptions => ({
    ...smallRun,
    ...{ images, task: "toy-teacher", epochs: 4, out: join(folder, name) },
  });
  const weightsOf = (file: string) => {
    const source = openSafetensors(file);
    try {
      return new Map(
        [...source.entries.keys()].map((name) => [name, String(new Uint8Array(source.read(name).buffer))]),
      );
    } finally {
      source.close();
    }
  };

  test("saves the teacher as the encoder; the student and the queue are in the checkpoint", async () => {
    await pretrain(options("whole"));
    const { encoder, checkpoint } = runFiles(join(folder, "whole"));
    const [saved, all] = [weightsOf(encoder), weightsOf(checkpoint)];
    expect(saved.size).toBeGreaterThan(10);
    for (const [name, bytes] of saved) expect(all.get(`task.teacher.${name}`), name).toBe(bytes);
    expect(all.get("encoder.conv1.weight")).not.toBe(saved.get("conv1.weight"));
    expect(new Set((all.get("task.queue.vectors") ?? "").split(",")).size).toBeGreaterThan(2);
  });

  test("ends bit-identical when it is stopped and resumed", async () => {
    const stop = new AbortController();
    const onEvent = (event: { type: string; record?: { step: number } }) => event.record?.step === 4 && stop.abort();
    await expect(pretrain(options("cut"), { signal: stop.signal, onEvent })).rejects.toThrow(InterruptedError);
    await pretrain({ ...options("cut"), resume: true });
    const files = ["whole", "cut"].map((name) => runFiles(join(folder, name)));
    for (const which of ["encoder", "checkpoint"] as const) {
      const [whole, cut] = files.map((one) => weightsOf(one[which]));
      expect(cut).toEqual(whole);
    }
  });
});

/** Mean brightness of an image, 0 to 1: a truth that labels do not give. */
const brightness = new Map<string, number>();

registerProtocol(
  "toy-brightness",
  defineProtocol({
    title: "Brightness by linear regression",
    needs: "features",
    options: z.strictObject({ ridge: z.number().positive().default(1e-3) }),
    metric: { name: "error", unit: "of white", better: "lower", perfect: 0, worthwhile: 0.001 },
    truth: (set: ImageSet, i: number) => brightness.get(set.id(i)) ?? Number.NaN,
    async fit({ features, truths, rows }: Training<number>, { ridge }) {
      const all = features as Tensor;
      const average = mean(rows.map((row) => truths[row] as number));
      // One feature is enough for a toy: the one that correlates most with brightness.
      const { column, slope, offset } = scope(() => {
        const centre = (x: number[]) => x.map((value) => value - mean(x));
        const wanted = centre(rows.map((row) => truths[row] as number));
        const fits = Array.from({ length: all.size(1) }, (_, c) => {
          const values = all.select(1, c).contiguous().toArray();
          const own = rows.map((row) => values[row] as number);
          const x = centre(own);
          const covariance = mean(x.map((value, i) => value * (wanted[i] as number)));
          const variance = mean(x.map((value) => value ** 2)) + ridge;
          return { column: c, slope: covariance / variance, offset: mean(own), gain: covariance ** 2 / variance };
        });
        return fits.reduce((best, next) => (next.gain > best.gain ? next : best));
      });
      const predict = ({ features: given }: Inputs) =>
        scope(() => (given as Tensor).select(1, column).contiguous().toArray()).map(
          (value) => average + slope * (value - offset),
        );
      const held = rows.filter((_, i) => i % 5 === 0);
      const answers = predict({ features: all });
      const errors = held.map((row) => ((answers[row] as number) - (truths[row] as number)) ** 2);
      return { heldOut: Math.sqrt(mean(errors)), predict: async (given) => predict(given), dispose: () => {} };
    },
    score: (predicted: number, truth: number) => (predicted - truth) ** 2,
    reduce: (squares: ArrayLike<number>) => Math.sqrt(mean(squares)), // not a mean of per-image values
    guess: () => 0.25,
  }),
);

test("a protocol may predict something other than a class, with a metric other than accuracy", async () => {
  const { splits } = await openImages(images);
  for (const set of Object.values(splits)) {
    for (let i = 0; i < set.length; i++) {
      const image = await set.read(i);
      const pixels = await decodeImage(image, 16);
      brightness.set(set.id(i), mean(pixels) / 255);
    }
  }
  const run = join(folder, "for-brightness");
  await pretrain({ ...smallRun, images, epochs: 1, out: run });
  const { rows, differences, file } = await evaluate({
    ...{ runs: [run], images, protocol: ["toy-brightness"], labelsPerClass: [5], threads: 2, precision: "f32" },
  });
  expect(rows.map(({ layer }) => layer)).toEqual(expect.arrayContaining(["layer4", "output", "pixels"]));
  for (const { value, low, high, metric } of rows) {
    expect(metric.name).toBe("error");
    expect(value).toBeGreaterThan(0);
    expect(low).toBeLessThanOrEqual(value);
    expect(high).toBeGreaterThanOrEqual(value);
  }
  expect(differences.length).toBeGreaterThan(0);
  for (const one of differences) {
    expect(one.difference).toBeCloseTo(one.baselineValue - one.value); // smaller errors are better
    expect(one.p).toBeGreaterThan(0);
    expect(verdict(one)).toMatch(/\d of white of error .*\d of white against \d/);
  }
  const best = rows.reduce((least, row) => (row.value < least.value ? row : least));
  expect(best.value).toBeLessThan(0.05);
  expect(JSON.parse(readFileSync(file, "utf8")).rows).toHaveLength(rows.length);
});

/** Rank 0 of two processes simulated in one: while it waits for the other's gradients, the other takes the same step. */
function withPeer(takeStep: (step: number) => readonly Parameter[], size = 2): World {
  let step = 0;
  return {
    ...{ rank: 0, size, gather: (tensor) => tensor, agree: (value) => value },
    averageGradients(parameters) {
      const others = takeStep(step++);
      for (const [i, { grad }] of parameters.entries()) {
        const other = others[i]?.grad;
        if (!grad || !other) throw new Error("a gradient is missing");
        grad.add_(other).mul_(1 / size);
        other.copy_(grad);
      }
    },
  };
}

test("two processes train one network: each with its own images, both with the same weights", async () => {
  const options = { ...smallRun, images, model: "vit-tiny-4", stem: undefined, width: 1 / 6, epochs: 3 } as const;
  const configOf = (batchSize: number) =>
    resolveConfig(
      pretrainOptions.parse({ ...options, batchSize, flip: false, crop: "shifted", out: join(folder, "w") }),
    );
  const compute = { device: "cpu", precision: "f32" } as const;
  const { splits } = await openImages(images);
  await withCleanup(async (cleanup) => {
    const config = configOf(8);
    const stored = await decodeImages(splits["all"] as ImageSet, config);
    cleanup.push(() => stored.store.close());
    const runOf = async (world: World) => {
      const encoder = firstEncoder(config);
      cleanup.push(() => encoder.dispose());
      return (await prepareTraining({ config, compute, encoder, images: stored, world }, cleanup)).run;
    };
    const other = await runOf({ ...withPeer(() => []), rank: 1 });
    const batches: RawBatch[] = [];
    const indicesAt = batchIndices(stored.store.length, config, other.world);
    for (let step = 0; step < 9; step++) batches.push(await readBatch(stored, stored.store.length, indicesAt(step)));
    const own = batchIndices(stored.store.length, config, { rank: 0, size: 2 });
    for (let step = 0; step < 9; step++) {
      const seen = [...own(step), ...indicesAt(step)];
      expect(new Set(seen).size, "no image twice in a step").toBe(seen.length);
    }

    const first = await runOf(
      withPeer((step) => {
        lossOf(other, batches[step] as RawBatch, { step, progress: 0 }).loss.backward();
        return other.parameters;
      }),
    );
    let steps = 0;
    for await (const { images: count, learningRate } of train(first)) {
      expect(count).toBe(16);
      other.optimizer.step(learningRate); // with the mean of both processes' gradients
      other.optimizer.zeroGrad();
      steps++;
    }
    expect(steps).toBe(9);
    const [a, b] = scope(() => [first, other].map((run) => run.parameters.map((one) => one.contiguous().toArray())));
    expect(b).toEqual(a);
  });
});
