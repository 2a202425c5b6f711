/** A handle to a libtorch tensor: its properties, its data and its lifetime. */
import { operator } from "./dispatch.ts";
import { type Handle, native } from "./native.ts";
import { dispose, track } from "./scope.ts";
import { replay } from "./tape.ts";

export type DType = "f64" | "f32" | "bf16" | "f16" | "i64" | "i32" | "i16" | "i8" | "u8" | "bool";
/** `cpu`, `cuda`, `cuda:1`, `mps`. */
export type Device = "cpu" | "mps" | "cuda" | `cuda:${number}`;
export type MemoryFormat = "channels_last" | "contiguous_format" | "preserve_format";
export type Dims = number | readonly number[];
export type TypedArray = Float32Array | Float64Array | BigInt64Array | Int32Array | Int16Array | Int8Array | Uint8Array;

/** Base class of `Tensor`, which adds the operations. */
export class TensorHandle {
  readonly handle: Handle;
  kept = false;

  /** Internal: users call `tensor`, `zeros`, ... A handle may be wrapped only once. */
  constructor(handle: Handle) {
    this.handle = handle;
    track(this);
  }

  get shape(): number[] {
    return native().shape(this.handle);
  }
  get dtype(): DType {
    return native().info(this.handle)[0] as DType;
  }
  get device(): Device {
    return native().info(this.handle)[1] as Device;
  }
  get isChannelsLast(): boolean {
    return native().info(this.handle)[2];
  }
  get dim(): number {
    return this.shape.length;
  }
  get numel(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }
  /** The size along `dim`; a negative `dim` counts from the end. Throws RangeError when there is no such dimension. */
  size(dim: number): number {
    const { shape } = this;
    const size = Number.isInteger(dim) ? shape.at(dim) : undefined;
    if (size === undefined) throw new RangeError(`dimension ${dim} of a tensor of shape [${shape.join(", ")}]`);
    return size;
  }

  /** Frees the memory now. Not needed inside a scope. */
  dispose(): void {
    dispose(this);
  }
  [Symbol.dispose](): void {
    dispose(this);
  }

  /** The only element, as a number. Throws unless there is exactly one. */
  item(): number {
    return native().item(this.handle);
  }
  /** A copy of the elements in row-major order, as a typed array of the same type (bf16 and f16 widen to Float32Array). */
  data(): TypedArray {
    const { dtype } = this;
    if (!isDType(dtype))
      throw new TypeError(`no typed array holds ${dtype}: convert it first (complex numbers by aten::view_as_real)`);
    if (dtype !== "bf16" && dtype !== "f16") return new arrayTypes[dtype](native().toBytes(this.handle));
    const wide = widen(this, { dtype: "f32" }) as Handle;
    const bytes = native().toBytes(wide);
    native().release([wide]);
    return new Float32Array(bytes);
  }
  /** The elements in row-major order as plain numbers. */
  toArray(): number[] {
    return Array.from(this.data() as ArrayLike<number | bigint>, Number);
  }
  /** A copy of the raw bytes in row-major order. */
  bytes(): Uint8Array {
    return new Uint8Array(native().toBytes(this.handle));
  }
  toString(): string {
    return `Tensor(${this.dtype}[${this.shape.join(", ")}]${this.device === "cpu" ? "" : ` on ${this.device}`})`;
  }
  get requiresGrad(): boolean {
    return native().requiresGrad(this.handle);
  }
  requiresGrad_(value = true): this {
    native().requiresGrad(this.handle, value);
    return this;
  }
  /** Adds d(this)/d(leaf) to the `grad` of every leaf. `gradient` (same shape) is required unless this has one element. */
  backward(gradient: TensorHandle | null = null, { keepGraph = false } = {}): void {
    native().backward(this.handle, gradient?.handle ?? null, keepGraph);
    replay(keepGraph);
  }
}

const widen = operator("aten::to.dtype_layout");

const arrayTypes = {
  f64: Float64Array,
  f32: Float32Array,
  i64: BigInt64Array,
  i32: Int32Array,
  i16: Int16Array,
  i8: Int8Array,
  u8: Uint8Array,
  bool: Uint8Array,
};

export function isDType(name: string): name is DType {
  return name in arrayTypes || name === "bf16" || name === "f16";
}
