import { describe, expect, test } from "vitest";
import { createEncoder, models } from "../../src/models/index.ts";
import { featureShapes, type Stem } from "../../src/models/model.ts";
import { Bottleneck, type RevNet, type Stage } from "../../src/models/revnet.ts";
import { autocast, grad, noGrad } from "../../src/torch/autograd.ts";
import { cat, randn } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { memory, scope } from "../../src/torch/scope.ts";
import { storeActivations } from "../../src/torch/segment.ts";
import { tape } from "../../src/torch/tape.ts";
import type { DType, MemoryFormat, Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const SIZE = 32;
const layouts: MemoryFormat[] = ["contiguous_format", "channels_last"];

function build(model: string, width = 0.125, dtype: DType = "f32"): RevNet {
  manualSeed(1);
  const encoder = createEncoder({ model, width, stem: "cifar" }) as RevNet;
  scope(() => {
    for (const tensor of encoder.state().values()) if (tensor.dim) tensor.replace(tensor.to(dtype));
  });
  return encoder;
}

/** |a - b| / |b| */
const distance = (a: Tensor, b: Tensor) => a.sub(b).pow(2).sum().div(b.pow(2).sum()).sqrt().item();

/** Gradients of a loss on every stage, with respect to the images and all parameters, concatenated. */
function gradients(encoder: RevNet, images: Tensor, precision: "f32" | "bf16" = "f32", passes = 1): Tensor {
  manualSeed(2);
  const x = images.detach().requiresGrad_();
  autocast("cpu", precision, () => {
    const maps = Array.from({ length: passes }, (_, i) => Object.values(encoder.encode(i ? x.flip(3) : x).maps)).flat();
    return maps
      .map((map) =>
        map
          .mul(randn(map.shape, { dtype: map.dtype }))
          .to("f64")
          .mean(),
      )
      .reduce((sum, loss) => sum.add(loss));
  }).backward();
  const leaves = [x, ...encoder.parameters()];
  const all = leaves.map((leaf) => (leaf.grad as Tensor).to("f64").flatten());
  for (const leaf of leaves) leaf.grad = null;
  return cat(all);
}

describe.each(Object.keys(models).filter((name) => name.startsWith("revnet")))("%s", (model) => {
  test("has the number of layers in its name: three per unit, the first one and the classifier", () => {
    const encoder = build(model);
    const units = [...encoder.namedModules()].filter(([, module]) => module instanceof Bottleneck).length;
    expect(model).toBe(`revnet${3 * units + 2}`);
    encoder.dispose();
  });
});

describe("recomputed activations", () => {
  test.each(layouts)("give the same gradients as stored ones, %s", (memoryFormat) => {
    for (const model of ["revnet26", "revnet50", "revnet104"]) {
      const encoder = build(model).to({ memoryFormat });
      scope(() => {
        const images = randn([8, 3, SIZE, SIZE]).contiguous(memoryFormat);
        const stored = storeActivations(() => gradients(encoder, images));
        expect(distance(gradients(encoder, images), stored), model).toBeLessThan(1e-4);
      });
      encoder.dispose();
    }
  });

  test("do so in f64 too, in training and evaluation mode", () => {
    const encoder = build("revnet104", 0.125, "f64");
    scope(() => {
      const images = randn([4, 3, SIZE, SIZE], { dtype: "f64" });
      for (const training of [true, false]) {
        encoder.train(training);
        const stored = storeActivations(() => gradients(encoder, images));
        expect(distance(gradients(encoder, images), stored)).toBeLessThan(1e-10);
      }
    });
    encoder.dispose();
  });

  test("do so in bf16, because the sums stay f32", () => {
    const encoder = build("revnet104");
    scope(() => {
      const images = randn([4, 3, SIZE, SIZE]);
      const stored = storeActivations(() => gradients(encoder, images, "bf16"));
      expect(distance(gradients(encoder, images, "bf16"), stored)).toBeLessThan(1e-4);
      const maps = autocast("cpu", "bf16", () => encoder.encode(images).maps);
      expect([maps["layer1"]?.dtype, maps["layer3"]?.dtype]).toEqual(["f32", "f32"]);
    });
    encoder.dispose();
  });

  test("do so for two passes in one step", () => {
    const encoder = build("revnet26");
    scope(() => {
      const images = randn([4, 3, SIZE, SIZE]);
      const stored = storeActivations(() => gradients(encoder, images, "f32", 2));
      expect(distance(gradients(encoder, images, "f32", 2), stored)).toBeLessThan(1e-4);
    });
    encoder.dispose();
  });

  test("leak no tensors in a step, and leave the features unchanged", () => {
    const encoder = build("revnet26");
    scope(() => void gradients(encoder, randn([2, 3, SIZE, SIZE])));
    const before = memory().tensors;
    scope(() => {
      const maps = encoder.encode(randn([2, 3, SIZE, SIZE])).maps;
      const copies = Object.values(maps).map((map) => map.detach().clone());
      expect(tape).toHaveLength(6); // the first convolution, four stages, and the last norm
      maps["layer4"]?.sum().backward();
      for (const [i, map] of Object.values(maps).entries()) expect(distance(map, copies[i] as Tensor)).toBe(0);
    });
    expect([memory().tensors, tape.length]).toEqual([before, 0]);
    encoder.dispose();
  });

  test("are not recorded without gradients", () => {
    const encoder = build("revnet26");
    scope(() =>
      noGrad(() => {
        encoder.forward(randn([2, 3, SIZE, SIZE]));
        expect(tape).toHaveLength(0);
      }),
    );
    encoder.dispose();
  });

  test("leave d(logit)/d(feature map) available to grad, for heat maps", () => {
    const encoder = build("revnet26").eval();
    scope(() => {
      const { layer3, layer4 } = encoder.encode(randn([1, 3, SIZE, SIZE])).maps as Record<string, Tensor>;
      const logit = (layer4 as Tensor).select(1, 0).mean();
      expect(grad([logit], [layer4 as Tensor], { keepGraph: true })[0]?.shape).toEqual(layer4?.shape);
      expect(() => grad([logit], [layer3 as Tensor])).toThrow(/cannot go through a segment/);
    });
    encoder.dispose();
  });
});

test.each(["f32", "bf16"] as const)("22 units are inverted to 1e-4, convolutions in %s", (precision) => {
  const encoder = build("revnet104");
  const units = Object.values(encoder.layer3 as Stage).filter((unit) => unit instanceof Bottleneck);
  expect(units).toHaveLength(22);
  scope(() =>
    autocast("cpu", precision, () => {
      const start = ["a", "b"].map(() => randn([4, 64, 8, 8]));
      const pair = start.map((half) => half.clone()) as [Tensor, Tensor];
      const zeros = pair.map((half) => half.mul(0)) as [Tensor, Tensor];
      noGrad(() => {
        for (const unit of units) {
          pair[0].add_(unit.forward(pair[1]));
          pair.reverse();
        }
      });
      expect(distance(pair[0], start[0] as Tensor)).toBeGreaterThan(0.5);
      for (const unit of units.toReversed()) {
        unit.undo(pair, zeros);
        pair.reverse();
      }
      for (const [i, half] of pair.entries()) expect(distance(half, start[i] as Tensor)).toBeLessThan(1e-4);
    }),
  );
  encoder.dispose();
});

test.each<[Stem, number, number]>([
  ["imagenet", 32, 64],
  ["cifar", 8, 16],
  ["patch", 8, 24],
])("the %s stem takes images of %i pixels and more", (stem, smallest, size) => {
  const encoder = createEncoder({ model: "revnet26", width: 0.125, stem });
  expect(encoder.minImageSize).toBe(smallest);
  const shapes = featureShapes(encoder, size);
  const dims = Object.fromEntries(Object.entries(shapes).map(([name, [channels]]) => [name, channels]));
  expect(dims).toEqual(encoder.featureDims);
  expect(Object.values(shapes).at(-1)).toEqual([encoder.outDim, ...(stem === "patch" ? [3, 3] : [2, 2])]);
  scope(() =>
    encoder
      .forward(randn([2, 3, smallest, smallest]))
      .sum()
      .backward(),
  );
  encoder.dispose();
});
