import { expect, test } from "vitest";
import { hasOperator, operator, schemas, type Value } from "../../src/torch/dispatch.ts";
import { arange, full, ones, tensor, zeros } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import { call, type Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

/** Runs a test in a scope. */
const check = (name: string, body: () => void) => test(name, () => scope(body));
const values = (result: unknown) => (result as Tensor).toArray();

check("arguments by position and by name, and defaults for the rest", () => {
  const [a, b] = [tensor([1, 2]), tensor([10, 20])];
  expect(values(call("aten::add.Tensor", a, b))).toEqual([11, 22]);
  expect(values(call("aten::add.Tensor", a, b, 2))).toEqual([21, 42]);
  expect(values(call("aten::add.Tensor", a, b, { alpha: 2 }))).toEqual([21, 42]);
  expect(values(call("aten::add.Tensor", a, { other: b, alpha: 2 }))).toEqual([21, 42]);
  expect(values(call("aten::add.Tensor", a, b, { alpha: undefined }))).toEqual([11, 22]);
});

check("optional arguments take null; a list of optional tensors too", () => {
  const x = arange(6).reshape(2, 3);
  expect(values(call("aten::clamp", x, null, 3))).toEqual([0, 1, 2, 3, 3, 3]);
  const rows = tensor([1, 0], { dtype: "i64" });
  expect(values(call("aten::index.Tensor", x, [null, rows]))).toEqual([1, 0, 4, 3]);
});

check("one number stands for int[2]", () => {
  const x = ones([1, 1, 4, 4]);
  const pooled = call("aten::avg_pool2d", x, 2) as Tensor;
  expect(pooled.shape).toEqual([1, 1, 2, 2]);
  expect((call("aten::avg_pool2d", x, [2, 4]) as Tensor).shape).toEqual([1, 1, 2, 1]);
});

check("types, layouts and devices by name", () => {
  const x = call("aten::zeros", [2, 1, 2, 2], { dtype: "i32", device: "cpu" }) as Tensor;
  expect(x.dtype).toBe("i32");
  expect((call("aten::contiguous", x, { memory_format: "channels_last" }) as Tensor).isChannelsLast).toBe(true);
});

check("several results and lists of tensors come as arrays, numbers as numbers", () => {
  const [largest, where] = call("aten::max.dim", tensor([3, 5, 4]), 0) as Tensor[];
  expect([largest?.item(), where?.item()]).toEqual([5, 1]);
  expect((call("aten::split.Tensor", arange(5), 2) as Tensor[]).map(values)).toEqual([[0, 1], [2, 3], [4]]);
  expect(call("aten::size.int", zeros([2, 7]), 1)).toBe(7);
});

check("an in-place operator returns its first argument", () => {
  const x = tensor([1, 2]);
  expect(call("aten::add_.Scalar", x, 1)).toBe(x);
  expect(values(x)).toEqual([2, 3]);
  const list = [tensor([1]), tensor([2])];
  call("aten::_foreach_mul_.Scalar", list, 3);
  expect(list.map(values)).toEqual([[3], [6]]);
});

check("a whole number keeps an integer tensor's type, as in Python", () => {
  const x = arange(2);
  expect(x.mul(2).dtype).toBe("i64");
  expect(x.mul(0.5).dtype).toBe("f32");
});

check("-0 keeps its sign, but is 0 among integers alone, whose type it does not change", () => {
  expect(values(ones([2]).mul(-0))).toEqual([-0, -0]);
  expect(values(full([1], -0))).toEqual([-0]);
  expect(values(call("aten::where.ScalarOther", tensor([0]).eq(1), ones([1]), -0))).toEqual([-0]);
  for (const x of [arange(1).mul(-0), arange(1).clamp(-0)]) expect([x.dtype, x.item()]).toEqual(["i64", 0]);
});

test("rejects calls that would crash libtorch", () => {
  const [x, kernel] = [() => ones([1, 2, 4, 4]), () => ones([2, 2, 3, 3])];
  const crashing: [() => unknown, RegExp][] = [
    [() => call("aten::conv2d", x(), kernel(), null, 1, 0, 1, 0), /"groups": expected 1 or more, got 0/],
    [() => call("aten::conv2d", x(), kernel(), null, 0), /"stride": expected 1 to 2147483647, got 0/],
    [() => call("aten::max_pool2d", x(), [0, 2]), /"kernel_size": expected 1 to 2147483647, got 0/],
    [() => call("aten::avg_pool2d", x(), [2, 2, 2]), /"kernel_size": expected 2 numbers, got 3/],
    [() => call("aten::reflection_pad1d", ones([3, 3]), []), /"padding": expected 2 numbers, got 0/],
    [() => call("aten::_stack", []), /aten::_stack cannot be called: libtorch does not check its arguments/],
  ];
  for (const [body, text] of crashing) expect(() => scope(body)).toThrow(text);
  // An empty stride means the kernel's size, as in PyTorch.
  expect(scope(() => (call("aten::avg_pool2d", x(), [2, 2], []) as Tensor).shape)).toEqual([1, 2, 2, 2]);
});

const fusedSgd = "aten::_fused_sgd_";
test.runIf(hasOperator(fusedSgd))("refuses fused steps over tensors that differ in size or layout", () => {
  const options = {
    weight_decay: 0,
    momentum: 0,
    lr: 1,
    dampening: 0,
    nesterov: false,
    maximize: false,
    is_first_step: false,
  };
  const step = (parameter: Tensor, gradient: Tensor) => call(fusedSgd, [parameter], [gradient], [], options);
  expect(() => scope(() => step(ones([3]), ones([2])))).toThrow(/"grads" must lie in memory as the parameters do/);
  expect(() => scope(() => step(ones([2, 3]), ones([3, 2]).transpose(0, 1)))).toThrow(/must lie in memory/);
});

const refused: [string, () => unknown, RegExp][] = [
  [
    "an unknown argument",
    () => call("aten::add.Tensor", ones([1]), ones([1]), { beta: 2 }),
    /it has no argument "beta"/,
  ],
  [
    "a missing argument",
    () => call("aten::add.Tensor", ones([1])),
    /argument 2 "other" is missing\n {2}schema: aten::add\.Tensor\(/,
  ],
  [
    "an argument given twice",
    () => call("aten::add.Tensor", ones([1]), ones([1]), 1, { alpha: 3 }),
    /argument 3 "alpha" is given by position and by name/,
  ],
  ["too many", () => call("aten::neg", ones([1]), 1, 2), /it takes 1 arguments, got 3/],
  ["a number for a tensor", () => call("aten::neg", 5), /argument 1 "self": expected a tensor, got 5/],
  ["null for a tensor", () => call("aten::neg", null), /argument 1 "self": expected a tensor, got null/],
  ["a bigint", () => call("aten::neg", 5n as unknown as Value), /a bigint cannot be given to an operator/],
  ["a fraction for a whole number", () => ones([2]).select(0, 0.5), /argument 3 "index": expected an integer, got 0.5/],
  ["NaN for a size", () => zeros([Number.NaN]), /expected an integer, got nan/],
  ["a size beyond what numbers hold exactly", () => zeros([2 ** 60]), /expected an integer/],
  ["an array with holes", () => zeros(new Array(3) as number[]), /expected an array without holes/],
  ["a number where a list has no length", () => call("aten::permute", ones([1]), 0), /expected an array, got 0/],
  [
    "an unknown overload, naming those there are",
    () => call("aten::add.Tensro", ones([1]), 1),
    /There are: .*aten::add\.Tensor/,
  ],
  ["an unknown operator", () => call("aten::there_is_no_such"), /there is no operator aten::there_is_no_such/],
  ["a number that is no type", () => call("aten::arange", 1, -2), /"dtype": expected a name, or 0 to \d+, got -2/],
  ["a number that is no type, by any name", () => call("aten::can_cast", 0, 99), /"to": expected a name, or 0 to/],
  [
    "a memory format for a type",
    () => zeros([1], { dtype: "channels_last" as "f32" }),
    /"dtype": "channels_last" is no data type/,
  ],
  ["a type for a memory format", () => ones([1]).contiguous("f32" as "channels_last"), /"f32" is no memory format/],
  ["a type for a layout", () => call("aten::zeros", [1], { layout: "f32" }), /"f32" is no layout \(strided\)/],
  ["a type for a number", () => call("aten::select.int", ones([9]), "u8", 0), /"dim": expected an integer, got "u8"/],
  ["an unknown type name", () => call("aten::zeros", [1], { dtype: "float" }), /"float" is no data type \(f64 f32/],
];
for (const [name, body, text] of refused) test(`refuses ${name}`, () => expect(() => scope(body)).toThrow(text));

test("an error thrown by a getter passes through unchanged", () => {
  const error = new Error("mine");
  const hostile = Object.defineProperty({}, "alpha", {
    enumerable: true,
    get() {
      throw error;
    },
  });
  expect(() => scope(() => call("aten::add.Tensor", ones([1]), ones([1]), hostile))).toThrow(error);
});

test("schemas lists the operators, and hasOperator finds them", () => {
  expect(schemas("aten::add.").every((text) => text.startsWith("aten::add."))).toBe(true);
  expect(schemas().length).toBeGreaterThan(2000);
  expect([hasOperator("aten::add.Tensor"), hasOperator("aten::add.Nothing")]).toEqual([true, false]);
});

test("operator looks up its name when it is called, not before", () => {
  const wrong = operator("aten::there_is_no_such");
  expect(() => wrong()).toThrow(/there is no operator/);
});

test("takes an argument by name where its position is undefined", () =>
  scope(() => {
    const sum = call("aten::add.Tensor", ones([1]), ones([1]), undefined, { alpha: 3 }) as Tensor;
    expect(sum.item()).toBe(4);
  }));
