/** Which pictures a benchmark shows. */
import { expect, test } from "vitest";
import type { Measured } from "../../../src/evaluate/compare.ts";
import { changesOf } from "../../../src/study/benchmark/gallery.ts";

test("images were put right or spoilt only where predictions are classes", () => {
  const labels = Int32Array.of(0, 1, 1);
  const answers = (...predictions: number[][]) => ({ predictions, scores: [] }) as unknown as Measured;
  const [ours, theirs] = [answers([0, 0, 1], [0, 1, 1]), answers([1, 1, 1], [0, 1, 1])];
  expect(changesOf(ours, theirs, labels)).toEqual([
    { i: 0, change: 0.5 },
    { i: 1, change: -0.5 },
    { i: 2, change: 0 },
  ]);
  const precisions = { scores: [[0.9, 0.8, 0.7]] } as unknown as Measured; // of retrieval: nothing is right or wrong
  expect(changesOf(precisions, theirs, labels)).toEqual([]);
});
