/** Functions on tensors, as in PyTorch's `torch.*` and `torch.nn.functional.*`: one typed line per operator in use. */
import { hasOperator, operator, type Value } from "./dispatch.ts";
import { type Handle, native } from "./native.ts";
import { scope } from "./scope.ts";
import { type Device, type DType, Tensor, type TypedArray, tensorOperator } from "./tensor.ts";

export interface TensorOptions {
  dtype?: DType;
  device?: Device;
}
type Pair = number | readonly [number, number];

// Creation
/**
 * Copies a typed array, in row-major order, into a tensor. Int32Array becomes i32, BigInt64Array i64, ...
 * @param dtype what the bytes of a Uint8Array stand for. Nothing is converted: that is `to`'s work
 */
export function fromTypedArray(values: TypedArray, shape: readonly number[] = [values.length], dtype?: DType): Tensor {
  const own = dtypeOf(values);
  const type = dtype ?? own;
  if (type !== own && own !== "u8") {
    throw new TypeError(
      `expected bytes, a Uint8Array, for ${type}, got a ${values.constructor.name}: convert its tensor, ` +
        `fromTypedArray(values, shape).to("${type}")`,
    );
  }
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return new Tensor(native().fromBytes(bytes, type, shape));
}
/** Labels or indices as an i64 tensor (n). */
export function integers(values: ArrayLike<number>, device: Device = "cpu"): Tensor {
  const whole = new BigInt64Array(values.length);
  for (let i = 0; i < values.length; i++) whole[i] = BigInt(values[i] as number);
  const cpu = fromTypedArray(whole);
  return device === "cpu" ? cpu : scope(() => cpu.to(device));
}
/**
 * A tensor from a number, or from nested arrays of numbers of equal length: `tensor([[1, 2], [3, 4]])`. f32 by default. For
 * large data {@link fromTypedArray} is faster.
 */
export function tensor(values: Nested, { dtype = "f32", device = "cpu" }: TensorOptions = {}): Tensor {
  const shape: number[] = [];
  for (let level: Nested | undefined = values; Array.isArray(level) && shape.length <= 64; level = level[0]) {
    shape.push(level.length);
  }
  const flat: number[] = [];
  flatten(values, shape, 0, flat);
  return scope(() => fromTypedArray(Float64Array.from(flat), shape).to({ dtype, device }));
}

function flatten(values: Nested, shape: readonly number[], depth: number, into: number[]): void {
  const length = shape[depth];
  if (length === undefined) {
    if (typeof values !== "number") throw new TypeError(`expected a number, got ${describe(values)}`);
    into.push(values);
    return;
  }
  if (depth >= 64) throw new RangeError("expected arrays nested at most 64 deep");
  if (!Array.isArray(values) || values.length !== length) {
    throw new TypeError(`expected equally long arrays: one of ${length} elements here, got ${describe(values)}`);
  }
  for (let i = 0; i < length; i++) flatten(values[i], shape, depth + 1, into);
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

export type Nested = number | readonly Nested[];

const like = ({ dtype = "f32", device = "cpu" }: TensorOptions = {}): Value => ({ dtype, device });
export const zeros = (shape: readonly number[], options?: TensorOptions) => zerosOp(shape, like(options));
export const ones = (shape: readonly number[], options?: TensorOptions) => onesOp(shape, like(options));
export const empty = (shape: readonly number[], options?: TensorOptions) => emptyOp(shape, like(options));
export const full = (shape: readonly number[], value: number, options?: TensorOptions) =>
  fullOp(shape, value, like(options));
/** 0, 1, ..., end - 1. i64 by default. */
export const arange = (end: number, options: TensorOptions = {}) => arangeOp(end, like({ dtype: "i64", ...options }));
/** Uniform in [0, 1). */
export const rand = (shape: readonly number[], options?: TensorOptions) => randOp(shape, like(options));
/** Standard normal. */
export const randn = (shape: readonly number[], options?: TensorOptions) => randnOp(shape, like(options));
/** Uniform whole numbers in [0, high). i64 by default. */
export const randint = (high: number, shape: readonly number[], options: TensorOptions = {}) =>
  randintOp(high, shape, like({ dtype: "i64", ...options }));
export const zerosLike = tensorOperator("aten::zeros_like") as (x: Tensor) => Tensor;

// Joining and choosing
export const cat = tensorOperator("aten::cat") as (tensors: readonly Tensor[], dim?: number) => Tensor;
export const stack = tensorOperator("aten::stack") as (tensors: readonly Tensor[], dim?: number) => Tensor;
/** Pads with zeros. `counts` are (before, after) for each dimension, last dimension first. */
export const pad = tensorOperator("aten::constant_pad_nd") as (x: Tensor, counts: readonly number[]) => Tensor;
export const where = tensorOperator("aten::where.self") as (condition: Tensor, yes: Tensor, no: Tensor) => Tensor;
/** Labels (...) to i64 (..., classes): row i has a 1 at `labels[i]`. */
export const oneHot = tensorOperator("aten::one_hot") as (labels: Tensor, classes: number) => Tensor;

// Layers
export const linear = tensorOperator("aten::linear") as (x: Tensor, weight: Tensor, bias?: Tensor | null) => Tensor;
export const conv2d = tensorOperator("aten::conv2d") as (
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: Pair,
  padding: Pair,
  dilation?: Pair,
  groups?: number,
) => Tensor;
export const batchNorm = tensorOperator("aten::batch_norm") as (
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  mean: Tensor | null,
  variance: Tensor | null,
  training: boolean,
  momentum: number,
  epsilon: number,
  cudnn: boolean,
) => Tensor;
export const layerNorm = tensorOperator("aten::layer_norm") as (
  x: Tensor,
  shape: readonly number[],
  weight: Tensor | null,
  bias: Tensor | null,
  epsilon: number,
) => Tensor;
export const maxPool2d = tensorOperator("aten::max_pool2d") as (
  x: Tensor,
  kernel: Pair,
  stride: Pair,
  padding?: Pair,
) => Tensor;
export const avgPool2d = tensorOperator("aten::avg_pool2d") as (
  x: Tensor,
  kernel: Pair,
  stride: Pair,
  padding?: Pair,
  ceil?: boolean,
) => Tensor;
export const adaptiveAvgPool2d = tensorOperator("aten::adaptive_avg_pool2d") as (x: Tensor, size: Pair) => Tensor;
export const adaptiveMaxPool2d = (x: Tensor, size: Pair) => {
  const [values, indices] = adaptiveMaxPool2dOp(x, size) as [Handle, Handle];
  native().release([indices]);
  return new Tensor(values);
};
/** Whether {@link scaledDotProductAttention} avoids storing an N×N matrix: since libtorch 2.0. */
export const isAttentionFused = () => hasOperator("aten::scaled_dot_product_attention");
/** Attention, softmax(q kᵀ / √D) v: queries, keys and values (B, heads, N, D) to (B, heads, N, D). Vaswani et al. 2017 */
export const scaledDotProductAttention = (q: Tensor, k: Tensor, v: Tensor): Tensor =>
  isAttentionFused()
    ? attentionOp(q, k, v)
    : q
        .mul(q.size(3) ** -0.5)
        .matmul(k.transpose(2, 3))
        .softmax(3)
        .matmul(v);
export const dropout = tensorOperator("aten::dropout") as (x: Tensor, probability: number, training: boolean) => Tensor;
/** Element-wise maximum of two tensors. */
export const maximum = tensorOperator("aten::maximum") as (a: Tensor, b: Tensor) => Tensor;
/** Element-wise minimum of two tensors. */
export const minimum = tensorOperator("aten::minimum") as (a: Tensor, b: Tensor) => Tensor;
export const floor = tensorOperator("aten::floor") as (x: Tensor) => Tensor;
/** Eigenvalues (N), ascending, and eigenvectors (the columns of an (N, N) matrix) of a symmetric matrix. */
export const linalgEigh = (x: Tensor): [values: Tensor, vectors: Tensor] => {
  const [values, vectors] = linalgEighOp(x, "L") as [Handle, Handle];
  return [new Tensor(values), new Tensor(vectors)];
};
/** x (M, N) = Q R with orthonormal columns Q (M, min(M, N)) and an upper triangle R (min(M, N), N). */
export const linalgQr = (x: Tensor): [q: Tensor, r: Tensor] => {
  const [q, r] = linalgQrOp(x, "reduced") as [Handle, Handle];
  return [new Tensor(q), new Tensor(r)];
};
export const gelu = tensorOperator("aten::gelu") as (x: Tensor) => Tensor;
/** Divides (B, C) by its L2 norm along `dim`: by default every row gets length 1. */
export const normalize = (x: Tensor, dim = 1, epsilon = 1e-12) => x.div(normOp(x, 2, [dim], true).clamp(epsilon));

// Losses
/** Mean cross-entropy of logits (N, C) with class indices (N). Computed in f32 even when autocast gave bf16 logits. */
export const crossEntropy = (logits: Tensor, target: Tensor, { labelSmoothing = 0 } = {}) =>
  crossEntropyOp(logits.dtype === "f64" ? logits : logits.to("f32"), target, null, 1, -100, labelSmoothing);
/** Dot products of rows: (B, P) and (B, P) to (B, 1). */
export const rowDots = (a: Tensor, b: Tensor): Tensor => scope(() => a.mul(b).sum(1, true));
export const mseLoss = tensorOperator("aten::mse_loss") as (x: Tensor, target: Tensor) => Tensor;

// Resampling
/** Affine maps (N, 2, 3) to a sampling grid (N, H, W, 2) with coordinates from -1 to 1. */
export const affineGrid = (theta: Tensor, size: readonly number[]) => affineGridOp(theta, size, false);
/** Samples x (N, C, H, W) at grid (N, h, w, 2), bilinearly. Outside x: zeros, the border's value or a reflection. */
export const gridSample = (x: Tensor, grid: Tensor, padding: "zeros" | "border" | "reflection" = "zeros") =>
  gridSampleOp(x, grid, 0, ["zeros", "border", "reflection"].indexOf(padding), false);
/** Resizes x (N, C, H, W), floating point, with an antialiased bilinear filter like PIL's. */
export const resize = (x: Tensor, height: number, width: number) => resizeOp(x, [height, width], false, null, null);
/** Resizes x (N, C, H, W), f32, with an antialiased bicubic filter. */
export const resizeBicubic = (x: Tensor, height: number, width: number) =>
  resizeBicubicOp(x, [height, width], false, null, null);

/** Resizes x (N, C, H, W) by repeating pixels. */
export const upsampleNearest = (x: Tensor, height: number, width: number) =>
  upsampleNearestOp(x, [height, width], null, null);

/** x (N, C · factor², H, W) to (N, C, H · factor, W · factor): each pixel's channels become a square. Shi et al. 2016 */
export const pixelShuffle = tensorOperator("aten::pixel_shuffle") as (x: Tensor, factor: number) => Tensor;

const zerosOp = tensorOperator("aten::zeros");
const onesOp = tensorOperator("aten::ones");
const emptyOp = tensorOperator("aten::empty.memory_format");
const fullOp = tensorOperator("aten::full");
const arangeOp = tensorOperator("aten::arange");
const randOp = tensorOperator("aten::rand");
const randnOp = tensorOperator("aten::randn");
const randintOp = tensorOperator("aten::randint");
const normOp = tensorOperator("aten::norm.ScalarOpt_dim");
const adaptiveMaxPool2dOp = operator("aten::adaptive_max_pool2d");
const linalgEighOp = operator("aten::linalg_eigh");
const linalgQrOp = operator("aten::linalg_qr");
const crossEntropyOp = tensorOperator("aten::cross_entropy_loss");
const affineGridOp = tensorOperator("aten::affine_grid_generator");
const gridSampleOp = tensorOperator("aten::grid_sampler");
const upsampleNearestOp = tensorOperator("aten::upsample_nearest2d");
const attentionOp = tensorOperator("aten::scaled_dot_product_attention");
const resizeBicubicOp = tensorOperator("aten::_upsample_bicubic2d_aa");
const resizeOp = tensorOperator("aten::_upsample_bilinear2d_aa");

function dtypeOf(values: TypedArray): DType {
  if (values instanceof Float32Array) return "f32";
  if (values instanceof Float64Array) return "f64";
  if (values instanceof BigInt64Array) return "i64";
  if (values instanceof Int32Array) return "i32";
  if (values instanceof Int16Array) return "i16";
  if (values instanceof Int8Array) return "i8";
  if (values instanceof Uint8Array) return "u8";
  throw new TypeError(
    "expected a Float32Array, Float64Array, BigInt64Array, Int32Array, Int16Array, Int8Array or Uint8Array",
  );
}
