/** A handle to a libtorch tensor, with the methods that PyTorch users know. Shapes are (batch, channels, height, width). */
import { caller, operator, type Value } from "./dispatch.ts";
import { type Device, type Dims, type DType, isDType, type MemoryFormat, TensorHandle } from "./handle.ts";
import { type Handle, native, type Raw } from "./native.ts";

export type { Device, Dims, DType, MemoryFormat, TypedArray } from "./handle.ts";

export class Tensor extends TensorHandle {
  get grad(): Tensor | null {
    const handle = native().getGrad(this.handle);
    return handle === null ? null : new Tensor(handle);
  }
  set grad(gradient: Tensor | null) {
    native().setGrad(this.handle, gradient?.handle ?? null);
  }
  detach(): Tensor {
    return detach(this);
  }

  // Type, device, layout
  /** Converts to another data type, device or memory format. Shares the memory when nothing changes. */
  to(target: DType | Device | { dtype?: DType; device?: Device; memoryFormat?: MemoryFormat }): Tensor {
    if (typeof target === "string") return this.to(isDType(target) ? { dtype: target } : { device: target });
    return toLayout(this, { dtype: target.dtype, device: target.device, memory_format: target.memoryFormat });
  }
  contiguous(memoryFormat: MemoryFormat = "contiguous_format"): Tensor {
    return contiguous(this, memoryFormat);
  }
  clone(): Tensor {
    return clone(this);
  }
  copy_(source: Tensor): this {
    copyInto(this, source);
    return this;
  }

  // Element-wise arithmetic; shapes broadcast
  add(other: Tensor | number, { alpha = 1 } = {}): Tensor {
    return typeof other === "number"
      ? addScalar(this, other, alpha)
      : alpha === 1
        ? add(this, other)
        : add(this, other, alpha);
  }
  sub(other: Tensor | number): Tensor {
    return typeof other === "number" ? subScalar(this, other) : sub(this, other);
  }
  mul(other: Tensor | number): Tensor {
    return typeof other === "number" ? mulScalar(this, other) : mul(this, other);
  }
  div(other: Tensor | number): Tensor {
    return typeof other === "number" ? divScalar(this, other) : div(this, other);
  }
  add_(other: Tensor | number, { alpha = 1 } = {}): this {
    (typeof other === "number" ? addScalar_ : add_)(this, other, alpha);
    return this;
  }
  mul_(other: Tensor | number): this {
    (typeof other === "number" ? mulScalar_ : mul_)(this, other);
    return this;
  }
  zero_(): this {
    zero_(this);
    return this;
  }
  fill_(value: number): this {
    fill_(this, value);
    return this;
  }
  pow(exponent: number): Tensor {
    return pow(this, exponent);
  }
  neg(): Tensor {
    return neg(this);
  }
  abs(): Tensor {
    return abs(this);
  }
  sqrt(): Tensor {
    return sqrt(this);
  }
  exp(): Tensor {
    return exp(this);
  }
  log(): Tensor {
    return log(this);
  }
  round(): Tensor {
    return round(this);
  }
  clamp(min: number | null, max: number | null = null): Tensor {
    return clamp(this, min, max);
  }

  // Comparison: bool tensors
  eq(other: Tensor | number): Tensor {
    return typeof other === "number" ? eqScalar(this, other) : eq(this, other);
  }
  lt(other: Tensor | number): Tensor {
    return typeof other === "number" ? ltScalar(this, other) : lt(this, other);
  }
  ge(other: Tensor | number): Tensor {
    return typeof other === "number" ? geScalar(this, other) : ge(this, other);
  }

  // Reductions: over all elements, or over `dims`
  sum(dims?: Dims, keepDim = false): Tensor {
    return dims === undefined ? sumAll(this) : sumDims(this, list(dims), keepDim);
  }
  /** Integer and bool tensors are averaged as f32. */
  mean(dims?: Dims, keepDim = false): Tensor {
    const dtype = /^[iu]\d|^bool$/.test(this.dtype) ? "f32" : undefined;
    return dims === undefined ? meanAll(this, { dtype }) : meanDims(this, list(dims), keepDim, { dtype });
  }
  /** The maximum over `dims`. For its position see {@link argmax}. */
  amax(dims: Dims, keepDim = false): Tensor {
    return amax(this, list(dims), keepDim);
  }
  argmax(dim: number, keepDim = false): Tensor {
    return argmax(this, dim, keepDim);
  }
  /** Standard deviation: Bessel-corrected unless `correction` is 0. */
  std(dims: Dims, { keepDim = false, correction = 1 } = {}): Tensor {
    return std(this, list(dims), { correction, keepdim: keepDim });
  }
  /** The `k` largest along `dim` in descending order, and their indices. */
  topk(k: number, dim = -1): [values: Tensor, indices: Tensor] {
    const [values, indices] = topk(this, k, dim) as [Handle, Handle];
    return [new Tensor(values), new Tensor(indices)];
  }

  // Shape
  reshape(...shape: number[]): Tensor {
    return reshape(this, shape);
  }
  flatten(from = 0, to = -1): Tensor {
    return flatten(this, from, to);
  }
  permute(...dims: number[]): Tensor {
    return permute(this, dims);
  }
  transpose(a: number, b: number): Tensor {
    return transpose(this, a, b);
  }
  unsqueeze(dim: number): Tensor {
    return unsqueeze(this, dim);
  }
  squeeze(dim: number): Tensor {
    return squeeze(this, dim);
  }
  expand(...shape: number[]): Tensor {
    return expand(this, shape);
  }
  /** Rotates by `turns` × 90° counter-clockwise in the plane of two dimensions. Exact: nothing is resampled. */
  rot90(turns: number, dims: readonly [number, number]): Tensor {
    return rot90(this, turns, dims);
  }
  flip(dims: Dims): Tensor {
    return flip(this, list(dims));
  }
  repeatInterleave(repeats: number, dim = 0): Tensor {
    return repeatInterleave(this, repeats, dim);
  }
  chunk(chunks: number, dim = 0): Tensor[] {
    return (chunk(this, chunks, dim) as Handle[]).map((handle) => new Tensor(handle));
  }

  // Indexing
  /** `length` elements from `start` along `dim`: a view. */
  narrow(dim: number, start: number, length: number): Tensor {
    return narrow(this, dim, start, length);
  }
  select(dim: number, index: number): Tensor {
    return select(this, dim, index);
  }
  /** The slices along `dim` at i64 `indices` (n). */
  indexSelect(dim: number, indices: Tensor): Tensor {
    return indexSelect(this, dim, indices);
  }
  gather(dim: number, indices: Tensor): Tensor {
    return gather(this, dim, indices);
  }
  scatterAdd(dim: number, indices: Tensor, source: Tensor): Tensor {
    return scatterAdd(this, dim, indices, source);
  }

  // Products and activations
  matmul(other: Tensor): Tensor {
    return matmul(this, other);
  }
  relu(): Tensor {
    return relu(this);
  }
  relu_(): this {
    relu_(this);
    return this;
  }
  softmax(dim: number): Tensor {
    return softmax(this, dim);
  }
  logSoftmax(dim: number): Tensor {
    return logSoftmax(this, dim);
  }
}

/** An operator whose result is one tensor. */
export function tensorOperator(name: string): (...values: Value[]) => Tensor {
  const run = caller(name);
  return (...values) => new Tensor(run(values) as Handle);
}

/** Calls any operator by its full name: `call("aten::fft_fft2", x)`. In-place ones return their first argument. See {@link operator}. */
export function call(name: string, ...values: Value[]): Result {
  let run = operators.get(name);
  if (!run) {
    run = operator(name);
    operators.set(name, run);
  }
  const [first] = values;
  const result = run(...values);
  return result === undefined && /_(\.|$)/.test(name) && first instanceof Tensor ? first : wrap(result);
}
export type Result = Tensor | number | boolean | string | null | undefined | Result[];
const operators = new Map<string, ReturnType<typeof operator>>();

function wrap(raw: Raw): Result {
  if (typeof raw === "bigint") return new Tensor(raw);
  return Array.isArray(raw) ? raw.map(wrap) : raw;
}

function list(dims: Dims): readonly number[] {
  return typeof dims === "number" ? [dims] : dims;
}

const detach = tensorOperator("aten::detach");
const toLayout = tensorOperator("aten::to.dtype_layout");
const contiguous = tensorOperator("aten::contiguous");
const clone = tensorOperator("aten::clone");
const add = tensorOperator("aten::add.Tensor");
const addScalar = tensorOperator("aten::add.Scalar");
const sub = tensorOperator("aten::sub.Tensor");
const subScalar = tensorOperator("aten::sub.Scalar");
const mul = tensorOperator("aten::mul.Tensor");
const mulScalar = tensorOperator("aten::mul.Scalar");
const div = tensorOperator("aten::div.Tensor");
const divScalar = tensorOperator("aten::div.Scalar");
const pow = tensorOperator("aten::pow.Tensor_Scalar");
const neg = tensorOperator("aten::neg");
const abs = tensorOperator("aten::abs");
const sqrt = tensorOperator("aten::sqrt");
const exp = tensorOperator("aten::exp");
const log = tensorOperator("aten::log");
const round = tensorOperator("aten::round");
const clamp = tensorOperator("aten::clamp");
const eq = tensorOperator("aten::eq.Tensor");
const eqScalar = tensorOperator("aten::eq.Scalar");
const lt = tensorOperator("aten::lt.Tensor");
const ltScalar = tensorOperator("aten::lt.Scalar");
const ge = tensorOperator("aten::ge.Tensor");
const geScalar = tensorOperator("aten::ge.Scalar");
const sumAll = tensorOperator("aten::sum");
const sumDims = tensorOperator("aten::sum.dim_IntList");
const meanAll = tensorOperator("aten::mean");
const meanDims = tensorOperator("aten::mean.dim");
const amax = tensorOperator("aten::amax");
const argmax = tensorOperator("aten::argmax");
const std = tensorOperator("aten::std.correction");
const reshape = tensorOperator("aten::reshape");
const flatten = tensorOperator("aten::flatten.using_ints");
const permute = tensorOperator("aten::permute");
const transpose = tensorOperator("aten::transpose.int");
const unsqueeze = tensorOperator("aten::unsqueeze");
const squeeze = tensorOperator("aten::squeeze.dim");
const expand = tensorOperator("aten::expand");
const rot90 = tensorOperator("aten::rot90");
const flip = tensorOperator("aten::flip");
const repeatInterleave = tensorOperator("aten::repeat_interleave.self_int");
const narrow = tensorOperator("aten::narrow");
const select = tensorOperator("aten::select.int");
const indexSelect = tensorOperator("aten::index_select");
const gather = tensorOperator("aten::gather");
const scatterAdd = tensorOperator("aten::scatter_add");
const matmul = tensorOperator("aten::matmul");
const relu = tensorOperator("aten::relu");
const softmax = tensorOperator("aten::softmax.int");
const logSoftmax = tensorOperator("aten::log_softmax.int");
const copyInto = operator("aten::copy_");
const add_ = operator("aten::add_.Tensor");
const addScalar_ = operator("aten::add_.Scalar");
const mul_ = operator("aten::mul_.Tensor");
const mulScalar_ = operator("aten::mul_.Scalar");
const zero_ = operator("aten::zero_");
const fill_ = operator("aten::fill_.Scalar");
const relu_ = operator("aten::relu_");
const topk = operator("aten::topk");
const chunk = operator("aten::chunk");
