import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { autocast, autocastDtype, gradMode, noGrad } from "../../src/torch/autograd.ts";
import { fixedWays, withChooser } from "../../src/torch/nn/convolution.ts";
import { ones, zeros } from "../../src/torch/ops.ts";
import { dispose, keep, memory, scope } from "../../src/torch/scope.ts";
import { storeActivations } from "../../src/torch/segment.ts";
import type { Tensor } from "../../src/torch/tensor.ts";

let before = 0;
beforeEach(() => {
  before = memory().tensors;
});
afterEach(() => expect(memory().tensors).toBe(before));
const live = () => memory().tensors - before;

test("keep accepts only tensors: collecting an object without a handle would crash the process", () => {
  for (const wrong of [{}, undefined, null, 3]) expect(() => keep(wrong as never)).toThrow(/expected a tensor/);
});

describe("a scope", () => {
  test("frees the tensors made in it", () => {
    scope(() => {
      zeros([4]).add(1).mul(2);
      expect(live()).toBe(3);
    });
    expect(live()).toBe(0);
  });

  test("does not free what it returns: alone, in arrays, objects, maps and sets", () => {
    const made: Tensor[] = [];
    const make = () => {
      const x = ones([1]);
      made.push(x);
      return x;
    };
    const result = scope(() => ({
      alone: make(),
      list: [make(), [make()]],
      map: new Map([["a", make()]]),
      set: new Set([make()]),
    }));
    expect(live()).toBe(5);
    expect(result.map.get("a")?.item()).toBe(1);
    for (const x of result.set) expect(x.item()).toBe(1);
    dispose(...made);
  });

  test("passes what it returns to the enclosing scope, not beyond", () => {
    scope(() => {
      const inner = scope(() => ones([2]).add(1));
      expect(live()).toBe(1);
      expect(inner.toArray()).toEqual([2, 2]);
    });
    expect(live()).toBe(0);
  });

  test("frees when it throws, and the enclosing scope continues", () => {
    scope(() => {
      const outer = ones([1]);
      expect(() =>
        scope(() => {
          zeros([1]);
          throw new Error("stop");
        }),
      ).toThrow("stop");
      expect(live()).toBe(1);
      expect(outer.item()).toBe(1);
    });
  });

  test("rejects a promise, and frees", () => {
    expect(() => scope(async () => zeros([1]))).toThrow("scope(body) is synchronous, but body returned a promise");
    for (const [name, mode] of [
      ["noGrad", noGrad],
      ["autocast", (body: () => unknown) => autocast("cpu", "bf16", body)],
      ["storeActivations", storeActivations],
      ["withChooser", (body: () => unknown) => withChooser(fixedWays, body)],
    ] as const)
      expect(() => mode(async () => 1)).toThrow(`${name}(body) is synchronous, but body returned a promise`);
    expect([gradMode(), autocastDtype("cpu")]).toEqual([true, null]);
  });

  test("does not free tensors made outside, even if returned", () => {
    const outside = ones([1]);
    expect(scope(() => outside)).toBe(outside);
    scope(() => scope(() => outside));
    expect(outside.item()).toBe(1);
    outside.dispose();
  });

  test("handles a tensor returned twice, and circular objects", () => {
    const result = scope(() => {
      const x = ones([1]);
      const circle: { x: Tensor; self?: unknown } = { x };
      circle.self = circle;
      return [x, x, circle] as const;
    });
    expect(live()).toBe(1);
    result[0].dispose();
  });
});

test("keep lets a tensor outlive its scopes", () => {
  const kept: Tensor[] = [];
  scope(() => scope(() => kept.push(keep(ones([1])), zeros([1]))));
  expect(live()).toBe(1);
  expect(kept[0]?.item()).toBe(1);
  expect(() => kept[1]?.item()).toThrow(/disposed/);
  dispose(...kept);
});

test("disposing by hand in a scope is harmless", () => {
  scope(() => {
    const x = ones([1]);
    x.dispose();
    expect(live()).toBe(0);
    return x;
  });
});

test("bytes are counted once, on the tensor that owns them", () => {
  const { bytes } = memory();
  scope(() => {
    const x = zeros([1000]);
    expect(memory().bytes - bytes).toBe(4000);
    x.narrow(0, 0, 10);
    expect(memory().bytes - bytes).toBe(4000);
  });
  expect(memory().bytes).toBe(bytes);
});
