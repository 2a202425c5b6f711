/** Compares every operator family with PyTorch: results, in-place writes, and gradients. */
import { describe, expect, test } from "vitest";
import { grad, noGrad } from "../../src/torch/autograd.ts";
import type { Value } from "../../src/torch/dispatch.ts";
import { scope } from "../../src/torch/scope.ts";
import { call, Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";
import { difference, goldenJson, goldenTensor, goldenTensors, pick } from "./store.ts";

type Argument =
  | { tensor: string }
  | { tensors: (string | null)[] }
  | { dtype: string }
  | number
  | boolean
  | string
  | null
  | Argument[];

interface Row {
  op: string;
  args: Argument[];
  outputs: string[];
  inPlace?: boolean;
  mutated?: Record<string, string>;
  cotangents?: Record<string, string>;
  gradients?: Record<string, string>;
}

const families = [
  "activation",
  "arithmetic",
  "convolution",
  "foreach",
  "indexing",
  "linear-algebra",
  "loss",
  "normalisation",
  "pooling",
  "reduction",
  "resampling",
  "shape",
];
/** Relative to 1 + |expected|: single precision, with sums in another order. */
const tolerance = 1e-4;

expectNoLeak();

for (const family of families) {
  const stored = goldenTensors(`ops-${family}`);
  describe(family, () => {
    goldenJson<Row[]>(`ops-${family}`).forEach((row, i) => {
      test(`${i} ${row.op}`, () => scope(() => check(row)));
    });
  });

  function check({ op, args, outputs, inPlace, mutated = {}, cotangents = {}, gradients = {} }: Row): void {
    const inputs = new Map<string, Tensor>();
    const input = (key: string): Tensor => {
      const made = inputs.get(key) ?? goldenTensor(pick(stored, key)).requiresGrad_(key in gradients);
      inputs.set(key, made);
      return made;
    };
    const value = (argument: Argument): Value => {
      if (typeof argument !== "object" || argument === null) return argument;
      if (Array.isArray(argument)) return argument.map(value);
      if ("tensor" in argument) return input(argument.tensor);
      if ("tensors" in argument) return argument.tensors.map((key) => (key === null ? null : input(key)));
      return argument.dtype;
    };

    const values = args.map(value);
    const result = inPlace ? noGrad(() => call(op, ...values)) : call(op, ...values);
    // Lists can be written in place too. The result is then the first argument.
    const results = [inPlace ? values[0] : result].flat().filter((one) => one instanceof Tensor);
    expect(results.length).toBe(outputs.length);
    outputs.forEach((key, i) => {
      expect(difference(results[i] as Tensor, pick(stored, key)), key).toBeLessThan(tolerance);
    });
    for (const [position, key] of Object.entries(mutated)) {
      expect(difference(values[Number(position)] as Tensor, pick(stored, key)), key).toBeLessThan(tolerance);
    }

    const wanted = Object.entries(gradients);
    if (!wanted.length) return;
    const ends = Object.keys(cotangents).map((position) => results[Number(position)] as Tensor);
    const starts = Object.values(cotangents).map((key) => goldenTensor(pick(stored, key)));
    const found = grad(
      ends,
      wanted.map(([key]) => input(key)),
      { gradients: starts },
    );
    wanted.forEach(([, key], i) => {
      expect(difference(found[i] as Tensor, pick(stored, key)), key).toBeLessThan(tolerance);
    });
  }
}
