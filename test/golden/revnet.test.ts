/** Compares RevNets, which recompute activations, with PyTorch RevNets that use ordinary autograd; in f64 except for one test. */
import { describe, expect, test } from "vitest";
import { createEncoder } from "../../src/models/index.ts";
import type { Encoder, Stem } from "../../src/models/model.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { fromTypedArray } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import type { DType, Tensor } from "../../src/torch/tensor.ts";
import { goldenParameter, goldenPictures, goldenValues } from "../fixtures/golden/formula.ts";
import { expectNoLeak } from "../live.ts";
import { difference, goldenJson, goldenTensors, pick } from "./store.ts";

interface Stage {
  shape: number[];
  mean: number;
  square: number;
  first: number[];
}
type Gradients = Record<string, { norm: number; first: number[] }>;
interface Case {
  model: string;
  width: number;
  stem: Stem;
  images: { name: string; shape: [number, number, number, number] };
  /** Number of values in all parameters together. */
  size: number;
  eval: Record<string, Stage>;
  train: Record<string, Stage>;
  parameters?: Record<string, number[]>;
  gradients?: Record<"eval" | "train", Gradients>;
  /** Running statistics after one batch, starting from the formula's. */
  runningAfter?: Record<string, number[]>;
}

const cases = goldenJson<Record<string, Case>>("revnet");
const stored = goldenTensors("revnet");
const TOLERANCE = 1e-5; // for f64: images and parameters are bit-identical on both sides

expectNoLeak();

/** A network filled by `goldenParameter`. */
function build({ model, width, stem }: Case, dtype: DType = "f64"): Encoder {
  const encoder = createEncoder({ model, width, stem });
  scope(() =>
    noGrad(() => {
      for (const [name, tensor] of encoder.state()) {
        if (tensor.dim) tensor.replace(fromTypedArray(goldenParameter(name, tensor.shape), tensor.shape).to(dtype));
      }
    }),
  );
  return encoder;
}

function pictures({ images: { name, shape } }: Case, dtype: DType = "f64"): Tensor {
  return fromTypedArray(goldenPictures(name, shape[0], shape[2]), shape).to(dtype);
}

/** The map of every stage, and the spatial mean of the last one. */
function stages(encoder: Encoder, images: Tensor): Record<string, Tensor> {
  const maps = encoder.encode(images).maps;
  return { ...maps, pooled: (Object.values(maps).at(-1) as Tensor).mean([2, 3]) };
}

function expectNear(got: Tensor | readonly number[], wanted: readonly number[], scale: number, name: string): void {
  const values = Array.isArray(got) ? got : (got as Tensor).flatten().narrow(0, 0, wanted.length).toArray();
  for (const [i, value] of wanted.entries()) {
    expect(Math.abs((values[i] ?? Number.NaN) - value) / (scale + Math.abs(value)), name).toBeLessThan(TOLERANCE);
  }
}

describe.each(Object.entries(cases))("%s", (name, golden) => {
  test("has the reference's parameters", () => {
    const encoder = build(golden);
    expect(encoder.parameters().reduce((sum, { numel }) => sum + numel, 0)).toBe(golden.size);
    const shapes = [...encoder.state()].filter(([, tensor]) => tensor.dim).map(([key, tensor]) => [key, tensor.shape]);
    if (golden.parameters) expect(Object.fromEntries(shapes)).toEqual(golden.parameters);
    encoder.dispose();
  });

  test.each(["eval", "train"] as const)("gives the same stages in %s mode", (mode) => {
    const encoder = build(golden).train(mode === "train");
    scope(() =>
      noGrad(() => {
        const found = stages(encoder, pictures(golden));
        expect(Object.keys(found)).toEqual(Object.keys(golden[mode]));
        for (const [stage, { shape, mean, square, first }] of Object.entries(golden[mode])) {
          const x = found[stage] as Tensor;
          expect(x.shape, stage).toEqual(shape);
          expectNear([x.mean().item(), x.pow(2).mean().item()], [mean, square], 1, stage);
          expectNear(x, first, 1, stage);
        }
        expect(difference(found["pooled"] as Tensor, pick(stored, `${name}.${mode}.pooled`))).toBeLessThan(TOLERANCE);
      }),
    );
    encoder.dispose();
  });

  const modes = golden.gradients ? (["eval", "train"] as const) : [];
  test.each(modes)("has the same gradients in %s mode, with heads on every stage", (mode) => {
    const encoder = build(golden).train(mode === "train");
    scope(() => {
      const losses = Object.entries(stages(encoder, pictures(golden))).map(([stage, x]) => {
        const cotangent = fromTypedArray(goldenValues(`cotangent-${stage}`, x.shape), x.shape);
        return x.mul(cotangent).sum().div(x.numel);
      });
      losses.reduce((sum, loss) => sum.add(loss)).backward();
      for (const [key, { norm, first }] of Object.entries(golden.gradients?.[mode] ?? {})) {
        const gradient = encoder.state().get(key)?.grad as Tensor;
        expectNear([gradient.pow(2).sum().sqrt().item()], [norm], 1e-9, key);
        expectNear(gradient, first, norm + 1e-9, key);
      }
    });
    encoder.dispose();
  });

  test.runIf(golden.runningAfter)("updates its running statistics once per batch, despite recomputation", () => {
    const encoder = build(golden);
    scope(() => {
      encoder.forward(pictures(golden)).sum().backward();
      const state = encoder.state();
      for (const [key, first] of Object.entries(golden.runningAfter ?? {})) {
        expectNear(state.get(key) as Tensor, first, 1, key);
      }
      for (const [key, count] of state) if (/tracked$/.test(key)) expect(count.item(), key).toBe(1);
    });
    encoder.dispose();
  });

  test("is close to the reference in f32 too", () => {
    const encoder = build(golden, "f32").eval();
    scope(() => {
      const pooled = noGrad(() => encoder.forward(pictures(golden, "f32")));
      expect(difference(pooled.to("f64"), pick(stored, `${name}.eval.pooled`))).toBeLessThan(1e-4);
    });
    encoder.dispose();
  });
});
