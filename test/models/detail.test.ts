/** Compares the cost of networks with torchvision's published numbers and with the memory that tensors really take. */
import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { describeModel, trainingSpeed } from "../../src/models/detail.ts";
import { createEncoder } from "../../src/models/index.ts";
import { randn } from "../../src/torch/ops.ts";
import { memory, scope } from "../../src/torch/scope.ts";
import { tape } from "../../src/torch/tape.ts";
import { Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const published: [model: string, giga: number, millions: number, classifier: readonly (readonly [number, number])[]][] =
  [
    // Multiply-adds at 224 pixels and parameters, from torchvision's weight documentation; matrices of its classifiers
    ["resnet18", 1.81, 11.69, [[512, 1000]]],
    ["resnet50", 4.09, 25.56, [[2048, 1000]]],
    ["vgg16", 15.47, 138.37, [[25088, 4096], [4096, 4096], [4096, 1000]]], // biome-ignore format: a table
    ["vit-base-16", 17.56, 86.57, [[768, 1000]]],
  ];

test.each(published)(
  "%s at 224 pixels takes %d G multiply-adds and has %d M parameters",
  (model, giga, millions, classifier) => {
    const { multiplyAdds, parameters } = describeModel({ model, imageSize: 224 });
    const weights = classifier.reduce((sum, [inputs, outputs]) => sum + inputs * outputs, 0);
    const biases = classifier.reduce((sum, [, outputs]) => sum + outputs, 0);
    expect((multiplyAdds + weights) / 1e9).toBeCloseTo(giga, 2);
    expect((parameters + weights + biases) / 1e6).toBeCloseTo(millions, 2);
  },
);

test("alexnet's convolutions cost the same as torchvision's", () => {
  const { multiplyAdds } = describeModel({ model: "alexnet", imageSize: 224 });
  expect((multiplyAdds + 9216 * 4096 + 4096 * 4096 + 4096 * 1000) / 1e9).toBeCloseTo(0.71, 2);
});

describe("activations", () => {
  // Two models without max pooling, whose saved indices are internal to libtorch and not counted.
  test.each(["resnet10", "resnet50v2"])("of %s are estimated as the memory that its tensors take", (model) => {
    const options = { model, width: 0.25, stem: "cifar", imageSize: 32 } as const;
    const { activationBytes } = describeModel(options);
    const encoder = createEncoder(options);
    const bytes = scope(() => {
      const images = randn([4, 3, 32, 32]);
      const before = memory().bytes;
      encoder.forward(images);
      return (memory().bytes - before) / 4;
    });
    encoder.dispose();
    expect(activationBytes / bytes).toBeCloseTo(1, 2);
  });

  describe.each(["imagenet", "cifar", "patch"] as const)("of a RevNet, %s stem,", (stem) => {
    const cost = (model: string) => describeModel({ model, width: 0.125, stem });

    test("are what its segments keep", () => {
      const encoder = createEncoder({ model: "revnet26", width: 0.125, stem });
      const bytes = scope(() => {
        encoder.forward(randn([1, 3, 64, 64]));
        // A segment's input is the images or another segment's output, so it is not counted.
        const kept = tape.flatMap(({ needs: [, ...kept] }) => kept).filter((owner) => owner instanceof Tensor);
        return kept.reduce((sum, { numel }) => sum + 4 * numel, 0);
      });
      encoder.dispose();
      expect(cost("revnet26").activationBytes).toBe(bytes);
    });

    test("do not grow with depth, unlike those of a ResNet", () => {
      const [shallow, deep] = [cost("revnet26"), cost("revnet104")];
      expect(Math.abs(deep.activationBytes / shallow.activationBytes - 1)).toBeLessThan(0.1);
      expect(deep.multiplyAdds / shallow.multiplyAdds).toBeGreaterThan(1.3);
      expect(cost("resnet34").activationBytes / cost("resnet10").activationBytes).toBeGreaterThan(1.3);
      expect(cost("resnet101v2").activationBytes / cost("resnet50v2").activationBytes).toBeGreaterThan(1.3);
    });
  });

  test("take four times the memory for images with twice the side", () => {
    const bytes = [32, 64].map((imageSize) => describeModel({ model: "vgg11", width: 0.125, imageSize }));
    expect((bytes[1]?.activationBytes ?? 0) / (bytes[0]?.activationBytes ?? 1)).toBeCloseTo(4);
  });
});

test("speed is measured, and unsupported options are refused", () => {
  const options = { model: "vit-tiny-8", width: 0.125, batchSize: 2 };
  expect(trainingSpeed({ ...options, imageSize: 16 })).toBeGreaterThan(0);
  for (const refuse of [describeModel, trainingSpeed]) {
    expect(() => refuse({ ...options, imageSize: 20 })).toThrow(UsageError);
    expect(() => refuse({ ...options, imageSize: 20 })).toThrow(/vit-tiny-8 needs .* multiple of 8 pixels, 16 or 24/);
    expect(() => refuse({ ...options, model: "vit-tiny" })).toThrow(/Unknown model/);
  }
});
