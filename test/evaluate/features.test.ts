import { expect, test } from "vitest";
import { InterruptedError } from "../../src/errors.ts";
import { encoderFeatures, pixelFeatures } from "../../src/evaluate/features.ts";
import { createEncoder } from "../../src/models/index.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { dispose, memory } from "../../src/torch/scope.ts";
import { expectNoLeak } from "../live.ts";
import { memoryStore } from "../memory-store.ts";

const compute = { device: "cpu", precision: "f32" } as const;
/** Three batches. */
const store = memoryStore(
  8,
  Array.from({ length: 300 }, (_, i) => new Uint8Array(8 * 8 * 3).fill(i)),
);

expectNoLeak();

test("an error after the first batch frees the features of that batch", async () => {
  let batches = 0;
  const damaged = {
    ...store,
    get: async (rows: ArrayLike<number>) => {
      if (++batches === 3) throw new Error("the disk has failed");
      return store.get(rows);
    },
  };
  const before = memory().tensors;
  await expect(pixelFeatures(damaged, compute)).rejects.toThrow("the disk has failed");
  expect(memory().tensors).toBe(before);
});

test("features that are not finite free the layers before them", async () => {
  manualSeed(0);
  const encoder = createEncoder({ model: "resnet10", width: 0.125, stem: "cifar" });
  const weight = [...encoder.state()].findLast(([name]) => name.endsWith("weight"))?.[1];
  noGrad(() => weight?.mul_(Number.NaN));
  const before = memory().tensors;
  await expect(encoderFeatures(encoder, store, compute)).rejects.toThrow(/not finite/);
  expect(memory().tensors).toBe(before);
  encoder.dispose();
});

test("an interruption is noticed between two batches", async () => {
  const stop = new AbortController();
  const slow = {
    ...store,
    get: async (rows: ArrayLike<number>) => {
      if (rows[0]) stop.abort();
      return store.get(rows);
    },
  };
  await expect(pixelFeatures(slow, compute, { signal: stop.signal })).rejects.toThrow(InterruptedError);
  const { pixels } = await pixelFeatures(store, compute);
  expect(pixels?.shape).toEqual([300, 3 * 32 * 32]);
  if (pixels) dispose(pixels);
});
