import { describe, expect, test } from "vitest";
import { autocast, grad, noGrad } from "../../src/torch/autograd.ts";
import { torchVersion } from "../../src/torch/device.ts";
import { conv2d, crossEntropy, linear, ones, randn, tensor } from "../../src/torch/ops.ts";
import { manualSeed, rngState, setRngState } from "../../src/torch/random.ts";
import { dispose, memory, scope } from "../../src/torch/scope.ts";
import { call, type Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();
const check = (name: string, body: () => void) => test(name, () => scope(body));

/** df/dx by central differences, x in f64. */
function slopes(f: (x: Tensor) => Tensor, x: Tensor, h = 1e-6): number[] {
  const at = (i: number, delta: number) => {
    const moved = x.detach().clone();
    moved.narrow(0, i, 1).add_(delta);
    return f(moved).item();
  };
  return x.toArray().map((_, i) => (at(i, h) - at(i, -h)) / (2 * h));
}

function near(got: number[], expected: number[], tolerance: number): void {
  expect(got.length).toBe(expected.length);
  for (const [i, value] of got.entries()) expect(Math.abs(value - (expected[i] as number))).toBeLessThan(tolerance);
}

describe("backward", () => {
  check("adds to the gradients of the leaves", () => {
    const x = tensor([1, 2, 3]).requiresGrad_();
    expect(x.grad).toBeNull();
    x.pow(2).sum().backward();
    expect(x.grad?.toArray()).toEqual([2, 4, 6]);
    x.pow(2).sum().backward();
    expect(x.grad?.toArray()).toEqual([4, 8, 12]);
    x.grad = null;
    expect(x.grad).toBeNull();
  });

  check("takes a gradient for a result with several elements", () => {
    const x = tensor([1, 2]).requiresGrad_();
    expect(() => x.mul(3).backward()).toThrow(/scalar/);
    x.mul(3).backward(tensor([1, 10]));
    expect(x.grad?.toArray()).toEqual([3, 30]);
  });

  check("refuses a gradient of another shape, which libtorch would sum", () => {
    const x = tensor([1, 2]).requiresGrad_();
    const text = /a result's gradient must have its shape: expected one for f32\[2\], got f32\[3, 2\]/;
    expect(() => x.mul(3).backward(ones([3, 2]))).toThrow(text);
    expect(() => grad([x.sum(), x.mul(3)], [x], { gradients: [tensor(1), ones([3, 2])] })).toThrow(text);
    expect(x.grad).toBeNull();
  });

  check("goes through one graph twice only if it is kept", () => {
    const x = tensor([2]).requiresGrad_();
    const y = x.pow(2).sum();
    y.backward(null, { keepGraph: true });
    y.backward();
    expect(x.grad?.item()).toBe(8);
    expect(() => y.backward()).toThrow(/second time/);
  });

  check("rejects a tensor without a graph", () => {
    expect(() => tensor([1]).backward()).toThrow(/does not require grad/);
    expect(() => tensor([1], { dtype: "i64" }).requiresGrad_()).toThrow(/floating point/);
  });

  check("frees the graph with its scope: a hundred steps hold no more memory than one", () => {
    const x = randn([64, 64]).requiresGrad_();
    const held = Array.from({ length: 100 }, () => {
      scope(() => {
        x.matmul(x).relu().sum().backward();
        x.grad = null;
      });
      return memory();
    });
    expect(x.grad).toBeNull();
    expect(held.at(-1)).toEqual(held[0]);
  });
});

describe("a gradient set by hand", () => {
  check("must match its tensor", () => {
    const x = tensor([1, 2]).requiresGrad_();
    expect(() => {
      x.grad = tensor([1]);
    }).toThrow("a gradient must be like its tensor, f32[2], got f32[1]");
    expect(() => {
      x.grad = tensor([1, 2], { dtype: "f64" });
    }).toThrow("a gradient must be like its tensor, f32[2], got f64[2]");
    x.grad = tensor([5, 6]);
    expect(x.grad?.toArray()).toEqual([5, 6]);
  });

  check("cannot be its own tensor", () => {
    const x = tensor([1, 2]).requiresGrad_();
    for (const same of [x, x.to({})])
      expect(() => {
        x.grad = same;
      }).toThrow("a tensor cannot be its own gradient: give a copy, clone()");
    x.grad = x.detach();
    expect(x.grad?.toArray()).toEqual([1, 2]);
  });
});

describe("grad", () => {
  check("returns gradients and changes none", () => {
    const [a, b] = [tensor([1, 2]).requiresGrad_(), tensor([3, 4]).requiresGrad_()];
    const [da, db] = grad([a.mul(b).sum()], [a, b]);
    expect([da?.toArray(), db?.toArray(), a.grad]).toEqual([[3, 4], [1, 2], null]);
  });

  check("an unused input is an error, or null if that is allowed", () => {
    const [a, b] = [tensor([1]).requiresGrad_(), tensor([1]).requiresGrad_()];
    expect(() => grad([a.sum()], [b])).toThrow(/not have been used|unused/);
    expect(grad([a.sum()], [a, b], { allowUnused: true }).map((one) => one?.item() ?? null)).toEqual([1, null]);
  });

  check("matches central differences, and so does its own gradient", () => {
    const x = tensor([0.3, -0.7, 1.1], { dtype: "f64" }).requiresGrad_();
    const weight = tensor(
      [
        [0.2, -0.5, 0.9],
        [1.3, 0.4, -0.6],
      ],
      { dtype: "f64" },
    );
    const f = (x: Tensor) => (call("aten::tanh", linear(x, weight)) as Tensor).pow(3).sum();
    const slope = (x: Tensor) => grad([f(x)], [x], { createGraph: true })[0] as Tensor;
    near(slope(x).toArray(), slopes(f, x), 1e-8);
    const length = (x: Tensor) => slope(x.requiresGrad_()).pow(2).sum();
    const [second] = grad([length(x)], [x]);
    near(second?.toArray() ?? [], slopes(length, x), 1e-7);
  });

  check("matches differences for a convolution with cross-entropy", () => {
    manualSeed(3);
    const images = randn([2, 2, 3, 3], { dtype: "f64" });
    const labels = tensor([1, 0], { dtype: "i64" });
    const f = (x: Tensor) =>
      crossEntropy(conv2d(images, x.reshape(3, 2, 2, 2), null, 1, 0).mean([2, 3]), labels, { labelSmoothing: 0.1 });
    const kernel = randn([24], { dtype: "f64" }).requiresGrad_();
    near(grad([f(kernel)], [kernel])[0]?.toArray() ?? [], slopes(f, kernel), 1e-8);
  });
});

describe("noGrad", () => {
  check("records nothing, nests, and ends even when its body throws", () => {
    const x = tensor([1]).requiresGrad_();
    expect(noGrad(() => noGrad(() => x.mul(2)).requiresGrad || x.mul(2).requiresGrad)).toBe(false);
    expect(() =>
      noGrad(() => {
        throw new Error("stop");
      }),
    ).toThrow("stop");
    expect(x.mul(2).requiresGrad).toBe(true);
    expect(x.mul(2).detach().requiresGrad).toBe(false);
  });

  check("allows a leaf to be changed in place", () => {
    const x = tensor([1]).requiresGrad_();
    expect(() => x.add_(1)).toThrow(/leaf/);
    noGrad(() => x.add_(1));
    expect(x.item()).toBe(2);
  });
});

describe("autocast", () => {
  check("computes matrix products in bf16, and keeps parameters and their gradients in f32", () => {
    const [x, weight] = [randn([4, 8]), randn([3, 8]).requiresGrad_()];
    const y = autocast("cpu", "bf16", () => linear(x, weight));
    expect(y.dtype).toBe("bf16");
    y.to("f32").sum().backward();
    expect(weight.grad?.dtype).toBe("f32");
    near(
      weight.grad?.toArray() ?? [],
      [0, 0, 0].flatMap(() => x.sum(0).toArray()),
      0.05,
    );
    expect(linear(x, weight).dtype).toBe("f32");
  });

  check("nests, is off for f32, and ends when its body throws", () => {
    const x = ones([2, 2]);
    autocast("cpu", "bf16", () => {
      expect(autocast("cpu", "f32", () => x.matmul(x).dtype)).toBe("f32");
      expect(x.matmul(x).dtype).toBe("bf16");
    });
    expect(() =>
      autocast("cpu", "bf16", () => {
        throw new Error("stop");
      }),
    ).toThrow("stop");
    expect(x.matmul(x).dtype).toBe("f32");
  });

  check("sees that a weight has changed", () => {
    const [x, weight] = [ones([1, 1]), ones([1, 1]).requiresGrad_()];
    const run = () => autocast("cpu", "bf16", () => linear(x, weight).item());
    expect(run()).toBe(1);
    noGrad(() => weight.fill_(2));
    expect(run()).toBe(2);
  });
});

// libtorch 1 has no f16 on the CPU.
test.runIf(Number.parseInt(torchVersion(), 10) >= 2)("autocast to another type casts weights anew", () =>
  scope(() => {
    const [x, weight] = [ones([2, 3]), ones([4, 3]).requiresGrad_()];
    const run = () => linear(x, weight).dtype;
    const dtypes = autocast("cpu", "f16", () => [run(), autocast("cpu", "bf16", run), run()]);
    expect(dtypes).toEqual(["f16", "bf16", "f16"]);
  }),
);

describe("the random generator", () => {
  check("repeats from its seed and from its saved state", () => {
    manualSeed(7);
    const first = randn([5]).toArray();
    manualSeed(7);
    expect(randn([5]).toArray()).toEqual(first);
    const state = rngState();
    const next = [randn([20]).toArray(), randn([3]).toArray()];
    expect(next[0]?.slice(0, 5)).not.toEqual(first);
    setRngState(state);
    expect([randn([20]).toArray(), randn([3]).toArray()]).toEqual(next);
    const copy = tensor(state.toArray(), { dtype: "u8" });
    setRngState(copy);
    expect(randn([20]).toArray()).toEqual(next[0]);
    dispose(state, copy);
  });

  check("rejects an invalid state", () => {
    expect(() => setRngState(tensor([1, 2], { dtype: "u8" }))).toThrow();
    expect(() => setRngState(tensor([1, 2]))).toThrow();
    expect(() => manualSeed(0.5)).toThrow(/expected an integer, got 0.5/);
  });
});

check("weights that autocast has cast without gradients get them afterwards", () => {
  const [weight, x] = [randn([4, 3]).requiresGrad_(), randn([2, 3])];
  autocast("cpu", "bf16", () => {
    noGrad(() => linear(x, weight));
    linear(x, weight).to("f32").sum().backward();
  });
  expect(weight.grad?.shape).toEqual([4, 3]);
});
