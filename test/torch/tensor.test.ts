import { describe, expect, test } from "vitest";
import { arange, empty, fromTypedArray, full, oneHot, ones, tensor, zeros } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import { call, type DType, type Tensor, type TypedArray } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const arrays: [DType, TypedArray][] = [
  ["f32", Float32Array.of(1.5, -0, 3e38)],
  ["f64", Float64Array.of(1.1, -5e-324, 1e308)],
  ["i64", BigInt64Array.of(2n ** 62n, -1n, 0n)],
  ["i32", Int32Array.of(2 ** 31 - 1, -(2 ** 31), 0)],
  ["i16", Int16Array.of(32767, -32768, 0)],
  ["i8", Int8Array.of(127, -128, 0)],
  ["u8", Uint8Array.of(255, 0, 1)],
];

test("values that are only marked as negative or conjugate come out as what they are", () =>
  scope(() => {
    const negative = call("aten::_neg_view", tensor([1, 2])) as Tensor;
    expect(negative.toArray()).toEqual([-1, -2]);
    const complex = call("aten::complex", tensor([1, 2]), tensor([3, 4])) as Tensor;
    const imaginary = call("aten::imag", call("aten::conj", complex)) as Tensor;
    expect(imaginary.toArray()).toEqual([-3, -4]);
  }));

test("any byte but 0 is true", () =>
  scope(() => {
    const x = fromTypedArray(Uint8Array.of(0, 2, 255), [3], "bool");
    expect(x.to("f32").sum().item()).toBe(2);
    expect([...x.bytes()]).toEqual([0, 1, 1]);
  }));

describe("typed arrays in and out", () => {
  for (const [dtype, values] of arrays) {
    test(dtype, () =>
      scope(() => {
        const x = fromTypedArray(values);
        expect([x.dtype, x.shape, x.numel]).toEqual([dtype, [3], 3]);
        expect(x.data()).toEqual(values);
        expect(x.data().constructor).toBe(values.constructor);
      }),
    );
  }

  test("a type may be given for bytes alone: nothing is converted", () =>
    scope(() => {
      expect(fromTypedArray(Uint8Array.of(0, 0, 128, 63), [1], "f32").item()).toBe(1);
      expect(fromTypedArray(Int32Array.of(7), [1], "i32").item()).toBe(7);
      const text = "expected bytes, a Uint8Array, for i32, got a Float32Array: convert its tensor, ";
      expect(() => fromTypedArray(Float32Array.of(1), [1], "i32")).toThrow(text);
      expect(() => fromTypedArray(Float32Array.of(1), [1], "i32")).toThrow(TypeError);
    }));

  test("bool, as 0 and 1", () =>
    scope(() => {
      const x = fromTypedArray(Uint8Array.of(1, 0, 1), [3], "bool");
      expect(x.dtype).toBe("bool");
      expect(x.data()).toEqual(Uint8Array.of(1, 0, 1));
    }));

  test("bf16 and f16 widen to f32, and their bytes do not", () =>
    scope(() => {
      const x = tensor([1, -2.5, 1 + 2 ** -7]);
      for (const dtype of ["bf16", "f16"] as const) {
        const half = x.to(dtype);
        expect(half.data()).toEqual(Float32Array.of(1, -2.5, 1 + 2 ** -7));
        expect(half.bytes().length).toBe(6);
        expect(half.to("f32").dtype).toBe("f32");
      }
      // bf16 is the upper half of f32; 1 + 2^-9 rounds to 1.
      expect(
        tensor([1 + 2 ** -9])
          .to("bf16")
          .bytes(),
      ).toEqual(Uint8Array.of(0x80, 0x3f));
    }));

  test("a copy each way: changes on one side do not reach the other", () =>
    scope(() => {
      const values = Float32Array.of(1, 2);
      const x = fromTypedArray(values);
      values[0] = 9;
      (x.data() as Float32Array)[1] = 9;
      expect(x.toArray()).toEqual([1, 2]);
    }));

  test("a slice of a larger buffer", () =>
    scope(() => {
      const whole = Float32Array.of(0, 1, 2, 3, 4);
      expect(fromTypedArray(whole.subarray(1, 4)).toArray()).toEqual([1, 2, 3]);
    }));

  test("row-major, whatever the memory layout", () =>
    scope(() => {
      const x = arange(24).reshape(1, 2, 3, 4);
      const order = x.toArray();
      expect(x.contiguous("channels_last").toArray()).toEqual(order);
      expect(x.contiguous("channels_last").isChannelsLast).toBe(true);
      expect(x.isChannelsLast).toBe(false);
      expect(arange(4).reshape(2, 2).transpose(0, 1).toArray()).toEqual([0, 2, 1, 3]);
    }));
});

describe("shapes", () => {
  test("numbers, nested arrays and empty arrays", () =>
    scope(() => {
      expect(tensor(5).shape).toEqual([]);
      expect(tensor(5).item()).toBe(5);
      expect(tensor([[1, 2, 3]]).shape).toEqual([1, 3]);
      expect(tensor([]).shape).toEqual([0]);
      expect(tensor([[], []]).shape).toEqual([2, 0]);
      expect(zeros([2, 0, 3]).toArray()).toEqual([]);
      expect(tensor([1, 2], { dtype: "i64" }).data()).toEqual(BigInt64Array.of(1n, 2n));
    }));

  test("size counts from either end", () =>
    scope(() => {
      const x = zeros([2, 3]);
      expect([x.size(0), x.size(-1), x.dim, x.numel]).toEqual([2, 3, 2, 6]);
      expect(() => x.size(2)).toThrow("dimension 2 of a tensor of shape [2, 3]");
      expect(() => x.size(0.7)).toThrow("dimension 0.7 of a tensor of shape [2, 3]");
    }));

  test("ones, full, one-hot", () =>
    scope(() => {
      expect(ones([2]).toArray()).toEqual([1, 1]);
      expect(full([2], 0.5).dtype).toBe("f32");
      expect(oneHot(tensor([1, 0], { dtype: "i64" }), 3).toArray()).toEqual([0, 1, 0, 1, 0, 0]);
    }));

  test("as text", () => scope(() => expect(`${zeros([2, 3], { dtype: "bf16" })}`).toBe("Tensor(bf16[2, 3])")));
});

describe("errors say what was expected and what was given", () => {
  const refused: [string, () => unknown, RegExp][] = [
    ["item of many", () => zeros([2]).item(), /item\(\) wants a tensor of one element, got f32\[2\]/],
    [
      "ragged arrays",
      () => tensor([[1, 2], [3]]),
      /expected equally long arrays: one of 2 elements here, got an array of 1/,
    ],
    [
      "arrays whose count happens to fit",
      () => tensor([[1, 2], [3, 4, 5], [6]]),
      /one of 2 elements here, got an array of 3/,
    ],
    ["a string in an array", () => tensor([1, "2" as unknown as number]), /expected a number, got 2/],
    ["shape and length", () => fromTypedArray(Float32Array.of(1), [2]), /shape \[2\] of f32 does not hold 4 bytes/],
    ["negative size", () => fromTypedArray(new Float32Array(), [-1]), /shape \[-1\]/],
    ["sizes that overflow", () => fromTypedArray(new Float32Array(), [2 ** 40, 2 ** 40]), /does not hold 0 bytes/],
    ["no array", () => fromTypedArray([1, 2] as unknown as Float32Array), /expected a Float32Array/],
    ["unknown type", () => zeros([1], { dtype: "f8" as DType }), /"f8" is no data type/],
    ["unknown device", () => zeros([1]).to("tpu" as "cpu"), /tpu/],
    ["a GPU that is not there", () => zeros([1]).to("cuda:99"), /there is no device "cuda:99" here/],
    [
      "shapes that do not fit",
      () => ones([2, 3]).matmul(ones([2, 3])),
      /matmul: .*\n {2}schema: .*\n {2}given: \(f32\[2, 3\], f32\[2, 3\]\)/s,
    ],
    ["more memory than there is", () => empty([1e15]), /cannot allocate|out of memory|allocate memory/],
  ];
  for (const [name, body, text] of refused) test(name, () => expect(() => scope(body)).toThrow(text));

  test("a disposed tensor", () => {
    const x = zeros([2]);
    x.dispose();
    x.dispose();
    expect(() => x.shape).toThrow("the tensor was disposed, or belongs to another thread");
    expect(() => x.add(1)).toThrow(/the tensor was disposed/);
  });

  test("a stale handle never finds the tensor that took its slot", () =>
    scope(() => {
      const old = zeros([2]);
      old.dispose();
      const next = ones([2]);
      expect(next.toArray()).toEqual([1, 1]);
      expect(() => old.toArray()).toThrow(/disposed/);
    }));
});

test("the methods compute what their names say", () =>
  scope(() => {
    const x = tensor([
      [1, -2],
      [3, 4],
    ]);
    const values = (t: Tensor) => t.toArray();
    expect(values(x.add(1))).toEqual([2, -1, 4, 5]);
    expect(values(x.add(x, { alpha: 2 }))).toEqual([3, -6, 9, 12]);
    expect(values(x.sub(x.mul(2)))).toEqual([-1, 2, -3, -4]);
    expect(values(x.div(2))).toEqual([0.5, -1, 1.5, 2]);
    expect(values(x.clamp(0, 3))).toEqual([1, 0, 3, 3]);
    expect(values(x.clamp(0))).toEqual([1, 0, 3, 4]);
    expect(values(x.sum())).toEqual([6]);
    expect(values(x.sum(1))).toEqual([-1, 7]);
    expect(values(x.mean([0], true))).toEqual([2, 1]);
    expect(values(x.lt(2))).toEqual([1, 1, 0, 0]);
    expect(x.eq(x).mean().item()).toBe(1);
    expect(values(x.amax(1))).toEqual([1, 4]);
    expect(values(x.argmax(1))).toEqual([0, 1]);
    expect(x.topk(1).map(values)).toEqual([
      [1, 4],
      [0, 1],
    ]);
    expect(x.std([0, 1], { correction: 0 }).item()).toBeCloseTo(Math.sqrt(5.25), 6);
    expect(values(x.rot90(1, [0, 1]))).toEqual([-2, 4, 1, 3]);
    expect(values(x.flip(1))).toEqual([-2, 1, 4, 3]);
    expect(x.chunk(2).map(values)).toEqual([
      [1, -2],
      [3, 4],
    ]);
    expect(values(x.narrow(1, 0, 1))).toEqual([1, 3]);
    expect(values(x.repeatInterleave(2))).toEqual([1, -2, 1, -2, 3, 4, 3, 4]);
    expect(values(x.permute(1, 0))).toEqual([1, 3, -2, 4]);
    expect(values(x.clone().mul_(x).zero_().fill_(3))).toEqual([3, 3, 3, 3]);
    expect(values(x.indexSelect(0, tensor([1, 1], { dtype: "i64" })))).toEqual([3, 4, 3, 4]);
  }));

test("complex numbers are averaged as such, and say how they can be read", () =>
  scope(() => {
    const complex = call("aten::complex", tensor([1, 3]), tensor([2, 6])) as Tensor;
    expect(() => complex.data()).toThrow(/no typed array holds .*omplex.*aten::view_as_real/);
    expect((call("aten::view_as_real", complex.mean()) as Tensor).toArray()).toEqual([2, 4]);
  }));
