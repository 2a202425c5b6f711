/** Hostile arguments for fuzzing. The arbitraries give recipes, so that tensors are made in the scope of the call. */
import fc from "fast-check";
import { native } from "../../src/torch/native.ts";
import { zeros } from "../../src/torch/ops.ts";
import type { DType, Tensor } from "../../src/torch/tensor.ts";

/** How to make an argument, and its text for the log, which is written before a call that may crash. */
export interface Recipe {
  readonly text: string;
  readonly make: () => unknown;
  /** Whether it makes a live tensor. */
  readonly isTensor?: boolean;
}

const plain = (value: unknown, text = show(value)): Recipe => ({ text, make: () => value });

/** Sizes are small or far beyond any memory, so that a call is quick or fails, and never takes 20 GB. */
const likely = fc.constantFrom(0, 1, 2, 3, 4, -1, -2);
const extreme = fc.constantFrom(-100, 2 ** 40, -(2 ** 31), 2 ** 53 - 1, -(2 ** 53 - 1));
const strange = fc.constantFrom(0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 1e-300, 1e300);
export const integer = fc.oneof({ weight: 8, arbitrary: likely }, { weight: 1, arbitrary: extreme });
export const float = fc.oneof({ weight: 2, arbitrary: likely }, { weight: 1, arbitrary: strange });

const shapes: number[][] = [
  [],
  [0],
  [1],
  [3],
  [2, 3],
  [3, 3],
  [0, 3],
  [2, 3, 4],
  [1, 2, 4, 4],
  [2, 3, 8, 8],
  [4, 2, 3, 3],
  [2, 0, 4, 4],
  [1, 2, 3, 4, 4],
];
const dtypes: DType[] = ["f32", "f32", "f32", "f32", "i64", "i64", "i32", "u8", "bool", "f64", "bf16", "f16"];

export const tensorRecipe: fc.Arbitrary<Recipe> = fc
  .record({
    shape: fc.constantFrom(...shapes),
    dtype: fc.constantFrom(...dtypes),
    seed: fc.integer({ min: 0, max: 1000 }),
    layout: fc.constantFrom("plain", "plain", "transposed", "channels_last", "requires grad", "expanded"),
  })
  .map(({ shape, dtype, seed, layout }) => ({
    text: `${dtype}[${shape}] ${layout} #${seed}`,
    make: () => lay(filled(shape, dtype, seed), layout),
    isTensor: true,
  }));

function filled(shape: number[], dtype: DType, seed: number): Tensor {
  const size = shape.reduce((product, one) => product * one, 1);
  const values = Float64Array.from({ length: size }, (_, i) => ((i * 7 + seed) % 5) - (seed % 2));
  return zeros(shape, { dtype: "f64" }).copy_(wrap(values, shape)).to(dtype);
}

function wrap(values: Float64Array, shape: number[]): Tensor {
  const x = zeros([]);
  return new (x.constructor as new (handle: bigint) => Tensor)(
    native().fromBytes(new Uint8Array(values.buffer), "f64", shape),
  );
}

function lay(x: Tensor, layout: string): Tensor {
  if (layout === "transposed" && x.dim > 1) return x.transpose(0, 1);
  if (layout === "channels_last" && x.dim === 4) return x.contiguous("channels_last");
  if (layout === "requires grad" && /f/.test(x.dtype)) return x.requiresGrad_();
  if (layout === "expanded") return x.unsqueeze(0).expand(2, ...x.shape);
  return x;
}

const disposed: Recipe = {
  text: "a disposed tensor",
  make: () => {
    const x = zeros([2]);
    x.dispose();
    return x;
  },
};

const odd: Recipe[] = [
  ...[
    undefined,
    null,
    true,
    false,
    "",
    "f32",
    "cpu",
    "cuda",
    "cuda:999",
    "channels_last",
    "x".repeat(1000),
    "\u0000",
  ].map((value) => plain(value)),
  plain(Symbol("s"), "Symbol"),
  plain(5n, "5n"),
  plain(2n ** 64n, "2n ** 64n"),
  { text: "an array that begins with itself", make: () => endless() },
  plain({}, "{}"),
  plain([], "[]"),
  plain(new Array(5), "array of 5 holes"),
  plain(new Array(2 ** 32 - 1), "array of 2^32 - 1 holes"),
  plain({ handle: 0n }, "{ handle: 0n }"),
  plain({ handle: 2n ** 32n }, "{ handle: 2n ** 32n }"),
  plain({ handle: -1n }, "{ handle: -1n }"),
  plain({ dtype: "f32", alpha: Number.NaN }, "{ dtype, alpha: NaN }"),
  plain({ gradients: [null], keepGraph: 3 }, "{ gradients: [null], keepGraph: 3 }"),
  plain(() => 1, "() => 1"),
  plain(async () => 1, "async () => 1"),
  plain(new Float32Array(6), "Float32Array(6)"),
  plain(new Uint8Array(5056).fill(255), "Uint8Array(5056)"),
  plain(new BigInt64Array(2), "BigInt64Array(2)"),
  plain(new Date(0), "Date"),
  plain(new Map([[1, 2]]), "Map"),
  { text: "a circle", make: () => circle() },
  { text: "an object whose getter throws", make: () => throwing() },
  {
    text: "a Proxy that throws",
    make: () => new Proxy({}, { get: fail, has: fail, ownKeys: fail, getPrototypeOf: fail }),
  },
  { text: "a revoked Proxy", make: () => revoked() },
  { text: "a detached Float32Array", make: () => detached() },
  disposed,
];

function circle(): unknown {
  const list: unknown[] = [1];
  list.push(list);
  return list;
}
function endless(): unknown {
  const list: unknown[] = [];
  list.push(list);
  return list;
}
function fail(): never {
  throw new Error("from the caller's own object");
}
function throwing(): unknown {
  return Object.defineProperty({}, "dtype", { enumerable: true, get: fail });
}
function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  return proxy;
}
function detached(): unknown {
  const values = new Float32Array(4);
  structuredClone(values.buffer, { transfer: [values.buffer] });
  return values;
}

const many = (arbitrary: fc.Arbitrary<Recipe>, options?: fc.ArrayConstraints): fc.Arbitrary<Recipe> =>
  fc.array(arbitrary, { maxLength: 5, ...options }).map((recipes) => ({
    text: `[${recipes.map(({ text }) => text).join(", ")}]`,
    make: () => recipes.map(({ make }) => make()),
  }));

const number = fc.oneof(integer, strange).map((value) => plain(value));

/** An argument of any kind. */
export const anything: fc.Arbitrary<Recipe> = fc.oneof(
  { weight: 4, arbitrary: tensorRecipe },
  { weight: 4, arbitrary: number },
  { weight: 3, arbitrary: fc.constantFrom(...odd) },
  { weight: 2, arbitrary: many(number) },
  { weight: 1, arbitrary: many(tensorRecipe) },
  { weight: 1, arbitrary: many(fc.oneof(fc.constantFrom(...odd), tensorRecipe, number)) },
);

/** A value of the type that a schema asks for; sometimes a hostile one. */
export function ofType(type: string, name: string): fc.Arbitrary<Recipe> {
  const sane = saneOfType(type.replace(/\([a-z!*| >-]*\)/g, ""), name);
  return fc.oneof({ weight: 20, arbitrary: sane }, { weight: 1, arbitrary: anything });
}

function saneOfType(type: string, name: string): fc.Arbitrary<Recipe> {
  if (type.endsWith("?")) return fc.oneof(fc.constant(plain(null)), saneOfType(type.slice(0, -1), name));
  const list = /^(.*)\[(\d*)\]$/.exec(type);
  if (list) {
    const length = Number(list[2]);
    return many(
      saneOfType(list[1] as string, name),
      length ? { minLength: length - 1, maxLength: length } : { maxLength: 4 },
    );
  }
  if (/dtype/.test(name)) return fc.constantFrom(...dtypes).map((value) => plain(value));
  if (/memory_format/.test(name))
    return fc.constantFrom("contiguous_format", "channels_last").map((value) => plain(value));
  switch (type) {
    case "Tensor":
      return tensorRecipe;
    case "int":
    case "SymInt":
      return integer.map((value) => plain(value));
    case "float":
    case "Scalar":
      return float.map((value) => plain(value));
    case "bool":
      return fc.boolean().map((value) => plain(value));
    case "str":
      return fc.constantFrom("mean", "none", "same", "").map((value) => plain(value));
    case "Device":
      return fc.constant(plain("cpu"));
    default:
      return fc.constant(plain(null));
  }
}

function show(value: unknown): string {
  if (Object.is(value, -0)) return "-0";
  return typeof value === "string"
    ? JSON.stringify(value.length > 20 ? `${value.slice(0, 20)}…` : value)
    : String(value);
}
