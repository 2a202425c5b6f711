/** Compares every network with PyTorch's, torchvision's or timm's: outputs, gradients, running statistics, names. */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { createEncoder } from "../../src/models/index.ts";
import type { Encoder, Stem } from "../../src/models/model.ts";
import { loadState } from "../../src/run/checkpoint.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { Linear } from "../../src/torch/nn/layers.ts";
import { fromTypedArray } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { goldenParameter, goldenPictures, goldenValues } from "../fixtures/golden/formula.ts";
import { expectNoLeak } from "../live.ts";
import { FIXED_AND_WAYS, preferForAll } from "../ways.ts";
import { difference, goldenJson, goldenTensors, type Stored } from "./store.ts";

interface Stage {
  shape: number[];
  mean: number;
  square: number;
  first: number[];
}
interface Case {
  model: string;
  width: number;
  stem?: Stem;
  images: { name: string; shape: [number, number, number, number] };
  parameters?: Record<string, number[]>;
  eval: Record<string, Stage>;
  train: Record<string, Stage>;
  weights?: string;
  cotangent?: { name: string; shape: number[] };
  gradients?: Record<string, { norm: number; first: number[] }>;
  runningAfter?: Record<string, number[]>;
}

const { networks } = goldenJson<{ networks: Record<string, Case> }>("networks");
const names = goldenJson<Record<string, { parameters: number; sha256: string }>>("network-names");
const stored = goldenTensors("networks");
const TOLERANCE = 1e-4;

expectNoLeak();

/** The encoder, and PyTorch's classifier as a separate head. */
function build({ model, width, stem }: Case) {
  const encoder = createEncoder({ model, width, stem });
  const fc = new Linear(encoder.outDim, 4);
  const state = new Map([
    ...encoder.state(),
    ...[...fc.state()].map(([name, buffer]) => [`fc.${name}`, buffer] as const),
  ]);
  return { encoder, fc, state };
}

function fill(state: ReadonlyMap<string, Tensor>): void {
  scope(() =>
    noGrad(() => {
      for (const [name, tensor] of state) {
        if (tensor.dim) tensor.copy_(fromTypedArray(goldenParameter(name, tensor.shape), tensor.shape));
      }
    }),
  );
}

function stages(encoder: Encoder, fc: Linear, images: Tensor): Record<string, Tensor> {
  const { maps, vector } = encoder.encode(images);
  return { ...maps, pooled: vector, logits: fc.forward(vector) };
}

test.each(Object.keys(names))("%s has PyTorch's names, shapes and number of parameters", (model) => {
  const encoder = createEncoder({ model });
  const lines = [...encoder.state()]
    .filter(([, tensor]) => tensor.dim)
    .map(([name, { shape }]) => `${name} [${shape.join(", ")}]`);
  const sha256 = createHash("sha256").update(lines.sort().join("\n")).digest("hex");
  const parameters = encoder.parameters().reduce((sum, { numel }) => sum + numel, 0);
  encoder.dispose();
  expect({ parameters, sha256 }).toEqual(names[model]);
});

/** These go through every way to compute convolutions; the others as without measuring. Wide ones: nn-convolution.test.ts. */
const EVERY_WAY = ["resnet10-width-0.125", "nin4-width-0.125", "vgg11-width-0.125"];
const runs = Object.entries(networks).flatMap(([label, golden]) =>
  (EVERY_WAY.includes(label) ? FIXED_AND_WAYS : (["fixed"] as const)).map((way) => [label, way, golden] as const),
);

describe.each(runs)("%s, convolutions: %s", (label, way, golden) => {
  preferForAll(way);

  test.runIf(golden.parameters)("has PyTorch's parameter names and shapes", () => {
    const { encoder, fc, state } = build(golden);
    const shapes = [...state].filter(([, tensor]) => tensor.dim).map(([name, tensor]) => [name, tensor.shape]);
    expect(Object.fromEntries(shapes)).toEqual(golden.parameters);
    for (const module of [encoder, fc]) module.dispose();
  });

  test.each(["eval", "train"] as const)("gives the same stages in %s mode", (mode) => {
    const { encoder, fc, state } = build(golden);
    fill(state);
    const [count, , size] = golden.images.shape;
    scope(() =>
      noGrad(() => {
        const images = fromTypedArray(goldenPictures(golden.images.name, count, size), golden.images.shape);
        encoder.train(mode === "train");
        for (const [name, x] of Object.entries(stages(encoder, fc, images))) {
          const wanted = golden[mode][name] as Stage;
          expect(x.shape, name).toEqual(wanted.shape);
          const values = x.to("f64");
          const near = (got: number, expected: number) =>
            expect(Math.abs(got - expected) / (1 + Math.abs(expected)), name).toBeLessThan(TOLERANCE);
          near(values.mean().item(), wanted.mean);
          near(values.pow(2).mean().item(), wanted.square);
          const first = values.flatten().narrow(0, 0, wanted.first.length).toArray();
          for (const [i, value] of wanted.first.entries()) near(first[i] ?? Number.NaN, value);
          const whole = stored.get(`${label}.${mode}.${name}`);
          if (name === "logits" || whole) expect(difference(x, whole as Stored)).toBeLessThan(TOLERANCE);
        }
      }),
    );
    for (const module of [encoder, fc]) module.dispose();
  });

  test.runIf(golden.gradients)(
    "has PyTorch's gradients and running statistics, with PyTorch's weight file if there is one",
    () => {
      const { encoder, fc, state } = build(golden);
      if (golden.weights) {
        loadState(fileURLToPath(new URL(`../fixtures/golden/${golden.weights}`, import.meta.url)), state);
      } else fill(state);
      const [count, , size] = golden.images.shape;
      const cotangent = golden.cotangent as { name: string; shape: number[] };
      scope(() => {
        for (const tensor of state.values()) if (tensor.dim) tensor.replace(tensor.to("f64"));
        const images = fromTypedArray(goldenPictures(golden.images.name, count, size), golden.images.shape).to("f64");
        const logits = fc.forward(encoder.train().forward(images));
        logits.backward(fromTypedArray(goldenValues(cotangent.name, cotangent.shape), cotangent.shape).to("f64"));
        for (const [name, { norm, first }] of Object.entries(golden.gradients ?? {})) {
          const gradient = state.get(name)?.grad as Tensor;
          expect(gradient.to("f64").pow(2).sum().sqrt().item() / norm, name).toBeCloseTo(1, 3);
          const values = gradient.flatten().narrow(0, 0, first.length).toArray();
          for (const [i, value] of first.entries())
            expect(Math.abs((values[i] ?? Number.NaN) - value) / (norm + Math.abs(value)), name).toBeLessThan(
              TOLERANCE,
            );
        }
        for (const [name, first] of Object.entries(golden.runningAfter ?? {})) {
          const values = state.get(name)?.flatten().narrow(0, 0, first.length).toArray() ?? [];
          for (const [i, value] of first.entries()) expect(values[i], name).toBeCloseTo(value, 4);
        }
      });
      for (const module of [encoder, fc]) module.dispose();
    },
  );
});
