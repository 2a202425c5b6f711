import { afterEach, describe, expect, test } from "vitest";
import { autocast, autocastDtype, grad, noGrad } from "../../src/torch/autograd.ts";
import {
  type Chooser,
  convolve,
  fixedWays,
  type Geometry,
  setChooser,
  WAYS,
  type Way,
  type Ways,
} from "../../src/torch/nn/convolution.ts";
import { Conv2d } from "../../src/torch/nn/layers.ts";
import {
  applicableWays,
  type Choices,
  keyOf,
  measuringChooser,
  secondsMeasuring,
} from "../../src/torch/nn/measure-ways.ts";
import { conv2d, randn } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { scope } from "../../src/torch/scope.ts";
import { checkpoint } from "../../src/torch/segment.ts";
import type { DType, MemoryFormat, Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();
afterEach(() => void setChooser(fixedWays));

const always =
  (way: Way): Chooser =>
  () => [way, way, way];
/** Largest difference, as a fraction of the largest expected value. */
const error = (found: Tensor, expected: Tensor) =>
  found.to("f32").sub(expected.to("f32")).abs().amax([]).item() / expected.abs().amax([]).to("f32").item();

interface Case extends Geometry {
  /** B, C, H, W */
  x: [number, number, number, number];
  outputs: number;
  kernel: number;
  ways: Way[];
}
const plain = { stride: 1, groups: 1 };
const small = {
  ...plain,
  outputs: 7,
  kernel: 3,
  padding: 1,
  ways: ["small-maps", "winograd-small", "winograd-large"] satisfies Way[],
};
const cases: Case[] = [
  { ...small, x: [3, 5, 2, 2] },
  { ...small, x: [3, 5, 1, 2] },
  { ...small, x: [3, 5, 1, 1] },
  { ...small, x: [3, 5, 4, 3] },
  { ...plain, x: [2, 3, 9, 7], outputs: 4, kernel: 3, padding: 1, ways: ["winograd-small", "winograd-large"] },
  { ...plain, x: [2, 3, 8, 8], outputs: 4, kernel: 3, padding: 0, ways: ["winograd-small", "winograd-large"] },
  { ...plain, x: [1, 2, 5, 6], outputs: 3, kernel: 3, padding: 2, ways: ["winograd-small", "winograd-large"] },
  { ...plain, x: [2, 3, 9, 6], outputs: 4, kernel: 5, padding: 2, ways: ["winograd-small"] },
  { ...plain, x: [2, 3, 9, 6], outputs: 4, kernel: 5, padding: 0, ways: ["winograd-small"] },
  { ...plain, x: [2, 3, 9, 6], outputs: 4, kernel: 1, padding: 0, ways: ["product"] },
  { ...plain, x: [2, 3, 9, 6], outputs: 4, kernel: 1, padding: 0, stride: 2, ways: ["product"] },
  { ...plain, x: [2, 3, 9, 6], outputs: 4, kernel: 3, padding: 1, stride: 2, ways: [] },
  { ...plain, x: [2, 4, 6, 6], outputs: 6, kernel: 3, padding: 1, groups: 2, ways: [] },
  { ...plain, x: [2, 3, 8, 8], outputs: 4, kernel: 7, padding: 3, ways: [] },
  // As many channels as the widest layers have.
  { ...small, x: [2, 512, 4, 4], outputs: 512 },
  // More images than are transformed at once.
  { ...plain, x: [40, 64, 16, 16], outputs: 64, kernel: 3, padding: 1, ways: ["winograd-small", "winograd-large"] },
];

describe.each(cases)("x $x, $outputs kernels of $kernel, stride $stride, padding $padding, groups $groups", (one) => {
  const { x: shape, outputs, kernel, ways, ...geometry } = one;
  const kernels = () => randn([outputs, shape[1] / geometry.groups, kernel, kernel]);

  test("has the ways that can compute it", () => {
    scope(() => {
      const planned = { ...geometry, x: randn(shape), weight: kernels(), dtype: "f32" } as const;
      expect(applicableWays(planned)).toEqual(WAYS.filter((way) => ["library", "other-layout", ...ways].includes(way)));
    });
  });

  const formats: MemoryFormat[] = ["channels_last", "contiguous_format"];
  test.each(formats.flatMap((format) => (["other-layout", ...ways] as Way[]).map((way) => [way, format] as const)))(
    "%s gives the library's values and gradients, %s",
    (way, format) => {
      scope(() => {
        manualSeed(0);
        const [x, weight, bias] = [randn(shape).contiguous(format), kernels().contiguous(format), randn([outputs])];
        const { stride, padding, groups } = geometry;
        const run = (forward: (x: Tensor, weight: Tensor, bias: Tensor) => Tensor) => {
          const leaves = [x, weight, bias].map((leaf) => leaf.clone().requiresGrad_()) as [Tensor, Tensor, Tensor];
          const out = forward(...leaves);
          const cotangent = out.detach().mul(0.1).add(1);
          return [out, ...(grad([out], leaves, { gradients: [cotangent] }) as Tensor[])];
        };
        const expected = run((...inputs) => conv2d(...inputs, stride, padding, 1, groups));
        setChooser(always(way));
        const found = run((...inputs) => convolve(...inputs, geometry));
        for (const [i, tensor] of found.entries()) {
          expect(tensor.shape).toEqual(expected[i]?.shape);
          expect(error(tensor, expected[i] as Tensor), `${i}`).toBeLessThan(3e-5);
        }
      });
    },
  );
});

/** How far off the library's own products of 256 pairs are in bf16: processors without its instructions add them up in bf16, too. */
function bf16Error(): number {
  const [a, b] = [randn([64, 256]), randn([256, 64])];
  return error(a.to("bf16").matmul(b.to("bf16")), a.matmul(b));
}

test.each(["product", "small-maps"] as const)("%s works in bf16, and under autocast", (way) => {
  manualSeed(0);
  const kernel = way === "product" ? 1 : 3;
  const layer = new Conv2d(16, 8, kernel, { padding: (kernel - 1) / 2, bias: true });
  scope(() => {
    setChooser(always(way));
    const most = Math.max(0.01, 2 * bf16Error());
    const x = randn([64, 16, 2, 2]).contiguous("channels_last").requiresGrad_();
    const out = autocast("cpu", "bf16", () => layer.forward(x));
    expect(out.dtype).toBe("bf16");
    expect(out.isChannelsLast).toBe(true);
    const weights = randn(out.shape);
    out.mul(weights).sum().backward();
    const [a, b] = [x.detach().clone().requiresGrad_(), layer.weight.detach().clone().requiresGrad_()];
    const expected = conv2d(a, b, layer.bias, 1, (kernel - 1) / 2);
    const [ofImages, ofKernels] = grad([expected.mul(weights).sum()], [a, b]) as [Tensor, Tensor];
    expect(error(out, expected)).toBeLessThan(most);
    expect(error(x.grad as Tensor, ofImages)).toBeLessThan(most);
    expect(error(layer.weight.grad as Tensor, ofKernels)).toBeLessThan(most);
    expect(layer.weight.grad?.dtype).toBe("f32");
    layer.weight.grad = null;
    if (layer.bias) layer.bias.grad = null;
  });
  layer.dispose();
});

test("gradients of gradients are the library's", () => {
  scope(() => {
    manualSeed(0);
    const [x, weight] = [randn([2, 3, 6, 6]), randn([4, 3, 3, 3])];
    const second = () => {
      const [a, b] = [x.clone().requiresGrad_(), weight.clone().requiresGrad_()];
      const out = convolve(a, b, null, { stride: 1, padding: 1, groups: 1 });
      const [first] = grad([out.pow(2).sum()], [a], { createGraph: true }) as [Tensor];
      return grad([first.pow(2).sum()], [b])[0] as Tensor;
    };
    const expected = second();
    setChooser(always("winograd-large"));
    expect(error(second(), expected)).toBeLessThan(1e-4);
  });
});

test("without measuring, only many small maps do not go the library's way", () => {
  scope(() => {
    const weight = randn([4, 4, 3, 3]);
    const ways = (shape: number[], dtype: DType = "bf16") =>
      fixedWays({ x: randn(shape), weight, dtype, stride: 1, padding: 1, groups: 1 });
    expect(ways([32, 4, 2, 2])).toEqual(["small-maps", "small-maps", "small-maps"]);
    expect(ways([32, 4, 2, 2], "f32")).toEqual(["library", "library", "library"]);
    expect(ways([31, 4, 2, 2])).toEqual(["library", "library", "library"]);
    expect(ways([32, 4, 2, 3])).toEqual(["library", "library", "library"]);
  });
});

test("what was measured is told before it is used, and kept", () => {
  const layer = new Conv2d(8, 8, 3, { padding: 1 });
  scope(() => {
    const x = randn([4, 8, 8, 8]).contiguous("channels_last").requiresGrad_();
    const told: string[] = [];
    const own: Choices = {};
    const recall = (key: string) =>
      key.includes("4×8×4×4") ? (["other-layout", "library", "other-layout"] as const) : undefined;
    const kept: Ways = ["other-layout", "other-layout", "library"];
    const keep = (key: string) => {
      told.push(`measured ${key}`);
      return kept; // of another run
    };
    const onChoose = (all: Choices) => told.push(`${Object.keys(all).length} chosen`);
    setChooser(measuringChooser(own, { recall, keep, onChoose }));
    noGrad(() => layer.forward(x));
    expect(told).toEqual([]);
    const before = secondsMeasuring();
    layer.forward(x);
    const measured = secondsMeasuring();
    expect(measured).toBeGreaterThan(before);
    layer.forward(x);
    layer.forward(x.narrow(2, 0, 4).narrow(3, 0, 4).contiguous("channels_last"));
    expect(secondsMeasuring()).toBe(measured); // what is known or recalled takes no time
    expect(told).toEqual(["measured f32 nhwc/nchw 4×8×8×8 8×8×3×3 s1 p1 g1", "1 chosen", "2 chosen"]);
    expect(own).toEqual({
      "f32 nhwc/nchw 4×8×8×8 8×8×3×3 s1 p1 g1": kept,
      "f32 nhwc/nchw 4×8×4×4 8×8×3×3 s1 p1 g1": recall("4×8×4×4"),
    });
    const planned = { x: x.detach(), weight: layer.weight, dtype: "f32", stride: 1, padding: 1, groups: 1 } as const;
    expect(keyOf(planned)).toBe("f32 nhwc/nchw 4×8×8×8 8×8×3×3 s1 p1 g1 first");
  });
  layer.dispose();
});

test("a remembered way that cannot compute the convolution is measured anew", () => {
  const layer = new Conv2d(4, 4, 3, { padding: 1, stride: 2 });
  scope(() => {
    const x = randn([2, 4, 8, 8]).contiguous("channels_last").requiresGrad_();
    const key = "f32 nhwc/nchw 2×4×8×8 4×4×3×3 s2 p1 g1";
    const own: Choices = { [key]: ["small-maps", "library", "library"] };
    const recall = () => ["winograd-large", "library", "library"] as const;
    setChooser(measuringChooser(own, { recall }));
    expect(layer.forward(x).shape).toEqual([2, 4, 4, 4]);
    expect(own[key]?.every((way) => ["library", "other-layout"].includes(way))).toBe(true);
  });
  layer.dispose();
});

test("under autocast the ways are those of bf16, whatever the types of images and kernels", () => {
  const layer = new Conv2d(4, 4, 3, { padding: 1 });
  scope(() => {
    const own: Choices = {};
    setChooser(measuringChooser(own));
    const x = randn([2, 4, 8, 8]).contiguous("channels_last").to("bf16").requiresGrad_();
    autocast("cpu", "bf16", () => layer.forward(x));
    const [[key, ways] = []] = Object.entries(own);
    expect(key).toBe("bf16 nhwc/nchw 2×4×8×8 4×4×3×3 s1 p1 g1");
    expect(ways?.every((way) => ["library", "other-layout"].includes(way))).toBe(true);
  });
  layer.dispose();
});

test("the dtype of autocast is still known after a segment went backward inside of it", () => {
  scope(() => {
    const [x, w] = [randn([2, 3]).requiresGrad_(), randn([3, 3]).requiresGrad_()];
    autocast("cpu", "bf16", () => {
      const y = checkpoint(x, [w], (input) => input.matmul(w));
      y.to("f32").sum().backward();
      expect(autocastDtype("cpu")).toBe("bf16");
      autocast("cpu", "f32", () => expect(autocastDtype("cpu")).toBe(null));
    });
    expect(autocastDtype("cpu")).toBe(null);
  });
});

test("an empty batch and a single image, which only the library takes, go to it whoever chooses", () => {
  const layer = new Conv2d(2, 3, 3, { padding: 1 });
  scope(() => {
    const choosers: Chooser[] = [fixedWays, measuringChooser({}), always("winograd-large")];
    const image = randn([2, 4, 4]);
    const outputs = choosers.map((chooser) => {
      setChooser(chooser);
      const none = randn([0, 2, 4, 4]).requiresGrad_();
      layer.forward(none).sum().backward();
      expect(none.grad?.shape).toEqual([0, 2, 4, 4]);
      return layer.forward(image).toArray();
    });
    expect(outputs).toEqual(choosers.map(() => outputs[0]));
    layer.weight.grad = null;
  });
  layer.dispose();
});

test("a way that cannot compute a convolution is refused", () => {
  scope(() => {
    setChooser(always("winograd-large"));
    const call = () => convolve(randn([1, 2, 8, 8]), randn([2, 2, 3, 3]), null, { stride: 2, padding: 1, groups: 1 });
    expect(call).toThrow(/way 5 cannot compute a convolution of images \[1, 2, 8, 8\].* stride 2/);
  });
});
