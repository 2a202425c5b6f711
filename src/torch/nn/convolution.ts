/**
 * How convolutions are computed. native/convolution.cc has several ways to compute each convolution and its two gradients. Which is
 * fastest depends on the shape, the processor and the libraries, so it can be measured (`measure-ways.ts`), as cuDNN's benchmark
 * mode does. The ways give the same values but for rounding.
 */
import { autocastDtype } from "../autograd.ts";
import * as ops from "../ops.ts";
import { synchronous } from "../synchronous.ts";
import { type DType, type Tensor, tensorOperator } from "../tensor.ts";

/** By their numbers in native/convolution.cc, which says what each is. */
export const WAYS = ["library", "other-layout", "product", "small-maps", "winograd-small", "winograd-large"] as const;
export type Way = (typeof WAYS)[number];

/** One way for each of a convolution's computations. */
export type Ways = readonly [forward: Way, inputGradient: Way, weightGradient: Way];

export interface Geometry {
  readonly stride: number;
  readonly padding: number;
  readonly groups: number;
}

/** A convolution about to be computed: x (B, C, H, W) and kernels (O, C / groups, K, K), computed in `dtype`. */
export interface Planned extends Geometry {
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly dtype: DType;
}

/** Chooses the ways for a convolution. */
export type Chooser = (planned: Planned) => Ways;

const LIBRARY: Ways = ["library", "library", "library"];
const SMALL_MAPS: Ways = ["small-maps", "small-maps", "small-maps"];
/** With fewer maps, the products are too small to be fast. */
const LEAST_MAPS = 32;

/**
 * The choice without measuring, the same on every machine: libtorch's own, but by matrix products for maps of at most 2×2 in
 * bf16, where they go to oneDNN (in f32 to the BLAS, which may be a slow one) and are faster by far.
 */
export const fixedWays: Chooser = ({ x, weight, dtype, stride, padding, groups }) => {
  const [batch = 0, , height = 0, width = 0] = x.shape;
  const plain = weight.size(2) === 3 && stride === 1 && padding === 1 && groups === 1;
  return plain && dtype === "bf16" && batch >= LEAST_MAPS && height <= 2 && width <= 2 ? SMALL_MAPS : LIBRARY;
};

let choose = fixedWays;

/** Sets who chooses from now on, in this process. Returns who did before. */
export function setChooser(next: Chooser): Chooser {
  const before = choose;
  choose = next;
  return before;
}

/** Runs `compute` with another chooser. Synchronous. */
export function withChooser<T>(chooser: Chooser, compute: () => T): T {
  const before = setChooser(chooser);
  try {
    return synchronous("withChooser", compute);
  } finally {
    setChooser(before);
  }
}

/**
 * x (B, C, H, W) and kernels (O, C / groups, K, K) to (B, O, H', W'). On a GPU, always libtorch's own. It alone takes an empty batch,
 * and one image (C, H, W).
 */
export function convolve(x: Tensor, weight: Tensor, bias: Tensor | null, geometry: Geometry): Tensor {
  const { stride, padding, groups } = geometry;
  const { device, shape } = x;
  const ways =
    device === "cpu" && shape.length === 4 && !shape.includes(0)
      ? choose({ x, weight, dtype: autocastDtype("cpu") ?? x.dtype, ...geometry })
      : LIBRARY;
  if (ways.every((way) => way === "library")) return ops.conv2d(x, weight, bias, stride, padding, 1, groups);
  return convolution(x, weight, bias, stride, padding, groups, ways.map(numberOf));
}

export const numberOf = (way: Way): number => WAYS.indexOf(way);

const convolution = tensorOperator("selfsight::convolution");
