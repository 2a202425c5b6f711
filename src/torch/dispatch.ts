/** Calls operators of PyTorch's dispatcher by name. The schemas are the documentation: {@link schemas} lists them. */
import { type Handle, native, type Raw } from "./native.ts";

/** Any argument of an operator. A plain object as the last one holds named arguments: `{ dtype: "f32" }`. */
export type Value =
  | { readonly handle: Handle }
  | number
  | boolean
  | string
  | null
  | undefined
  | readonly Value[]
  | { readonly [name: string]: Value };

/** An operator, looked up on its first call. */
export type Operator = (...values: Value[]) => Raw;

/**
 * The operator with this full name, e.g. `aten::add.Tensor`: namespace, name and, if any, overload.
 *
 * The operators that this package uses are fuzzed: they reject bad arguments. A few internals that crash libtorch itself are
 * rejected by name (native/guards.cc). Of the other 2,900, those with a leading underscore, `*_backward` and quantized or
 * recurrent cells do not check their arguments in libtorch either: prefer the public operator.
 */
export function operator(name: string): Operator {
  const call = caller(name);
  return (...values) => call(values);
}

/** Like {@link operator}, but takes the arguments in an array and overwrites it. Saves one function call. */
export function caller(name: string): (values: Value[]) => Raw {
  let index = -1;
  let returnsWritten = false;
  return (values) => {
    if (index < 0) [index, returnsWritten] = find(name);
    for (let i = 0; i < values.length; i++) values[i] = toNative(values[i]) as Value;
    // Two arguments are passed without a spread, which costs a tenth of a small addition.
    const result = values.length === 2 ? native().call(index, values[0], values[1]) : native().call(index, ...values);
    return returnsWritten ? undefined : result;
  };
}

/** Whether this libtorch has an operator with this full name. */
export function hasOperator(name: string): boolean {
  let known = present.get(name);
  if (known === undefined) {
    try {
      native().findOperator(name);
      known = true;
    } catch {
      known = false;
    }
    present.set(name, known);
  }
  return known;
}
const present = new Map<string, boolean>();

let texts: string[] | undefined;

/** Schemas of the operators whose name begins with `prefix`, as PyTorch writes them. */
export function schemas(prefix = "aten::"): string[] {
  texts ??= native().listSchemas().sort();
  return texts.filter((text) => text.startsWith(prefix));
}

function find(name: string): [number, boolean] {
  try {
    return native().findOperator(name);
  } catch (error) {
    const overloads = schemas(`${name.replace(/\..*$/, "")}`).filter((text) =>
      /^[.(]/.test(text.slice(name.replace(/\..*$/, "").length)),
    );
    const names = overloads.map((text) => text.slice(0, text.indexOf("(")));
    const hint = names.length ? `There are: ${names.join(", ")}.` : "schemas(prefix) lists them.";
    throw new Error(`${(error as Error).message}. ${hint}`, { cause: error });
  }
}

const longest = 2 ** 20;

function toNative(value: Value): unknown {
  if (typeof value !== "object" || value === null) {
    // The addon reads a bigint as a tensor handle, so only a Tensor may supply one.
    if (typeof value === "bigint") throw new TypeError("a bigint cannot be given to an operator: use a number");
    return value;
  }
  if ("handle" in value && typeof value.handle === "bigint") return value.handle;
  if (Array.isArray(value)) {
    // A sparse array may have a length of four billion.
    if (value.length > longest)
      throw new RangeError(`expected an array of at most ${longest} elements, got ${value.length}`);
    return value.map(toNative);
  }
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, toNative(one as Value)]));
}
