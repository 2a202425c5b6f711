/**
 * A 3×3 convolution of a map of at most 2×2 pixels. Every pixel sees every other, so it is a single matrix product. oneDNN's
 * convolution kernels also multiply the padding: in bf16, a forward and backward pass of 256 maps of 512 × 2 × 2 takes them
 * 47 ms, and the product 21 ms (2 cores, libtorch 1.13 and 2.15). The last stage of a ResNet on 64 px images has such maps.
 */
import { linear, stack } from "../ops.ts";
import type { Tensor } from "../tensor.ts";

/** With fewer maps, arranging the kernel costs more than the product saves. */
const MIN_BATCH = 32;

/** Whether {@link convolveSmallMap} is the faster way to convolve x (B, C, H, W) with 3×3 kernels, padding 1 and stride 1. */
export function isSmallMap(x: Tensor): boolean {
  if (x.dtype !== "bf16") return false; // in fp32, the gain depends on the BLAS that this libtorch was built with
  const [batch = 0, , height = 0, width = 0] = x.shape;
  return batch >= MIN_BATCH && height <= 2 && width <= 2;
}

/** x (B, C, H, W), H and W at most 2, and kernels (O, C, 3, 3) to (B, O, H, W): padding 1, stride 1. */
export function convolveSmallMap(x: Tensor, kernels: Tensor, bias: Tensor | null): Tensor {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const outputs = kernels.size(0);
  const rows = x.permute(0, 2, 3, 1).reshape(batch, height * width * channels);
  const taps = kernels.to(x.dtype).permute(0, 2, 3, 1); // (O, 3, 3, C)
  // For the output at (h, w), the map covers the taps from (1 - h, 1 - w) on.
  const places = Array.from({ length: height * width }, (_, place) => [Math.floor(place / width), place % width]);
  const matrix = stack(
    places.map(([h = 0, w = 0]) => taps.narrow(1, 1 - h, height).narrow(2, 1 - w, width)), // (O, H, W, C) each
  ).reshape(places.length * outputs, height * width * channels);
  const product = linear(rows, matrix).reshape(batch, height, width, outputs);
  return (bias ? product.add(bias.to(x.dtype)) : product).permute(0, 3, 1, 2);
}
