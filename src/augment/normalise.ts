/** Conversion between pixels and the network's input. */
import { cat, fromTypedArray, tensor } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";

/** ImageNet's channel means and standard deviations, for values of 0 to 1: what torchvision's and timm's encoders expect. */
export const MEAN = [0.485, 0.456, 0.406] as const;
export const STD = [0.229, 0.224, 0.225] as const;

/** A u8 batch of pixels (B, 3, S, S) from B×S×S×3 bytes. Channels-last, like the bytes. */
export function pixelTensor(bytes: Uint8Array, size: number): Tensor {
  return fromTypedArray(bytes, [bytes.length / (size * size * 3), size, size, 3]).permute(0, 3, 1, 2);
}

/** Pixels (B, 3, H, W), 0 to 255 and any type, to f32 with mean 0 and standard deviation 1 over ImageNet. */
export function normalise(pixels: Tensor): Tensor {
  const [scale, shift] = constants(pixels);
  return pixels.to("f32").mul(scale).add(shift);
}

/** Normalised images (B, 3, H, W) to sRGB, 0 to 1. */
export function toUnit(images: Tensor): Tensor {
  const [scale, shift] = constants(images);
  return images.sub(shift).div(scale).div(255);
}

/** sRGB, 0 to 1, to normalised images. */
export function fromUnit(rgb: Tensor): Tensor {
  return normalise(rgb.mul(255));
}

/**
 * Multiplies each pixel's channels by a matrix: (B, 3, H, W) to (B, 3, H, W). Adds channel by channel: autocast would
 * round a matrix product to 8 bits, and a reduction over adjacent channels takes four times as long.
 */
export function mixChannels(x: Tensor, matrix: readonly Triple[]): Tensor {
  return scope(() => {
    const [r, g, b] = [x.narrow(1, 0, 1), x.narrow(1, 1, 1), x.narrow(1, 2, 1)];
    const rows = matrix.map(([fromR, fromG, fromB]) =>
      scope(() => r.mul(fromR).add(g, { alpha: fromG }).add(b, { alpha: fromB })),
    );
    return cat(rows, 1);
  });
}

export type Triple = readonly [number, number, number];

/** The inverse of {@link normalise}: (B, 3, H, W) or (3, H, W) to u8. */
export function denormalise(images: Tensor): Tensor {
  const [scale, shift] = constants(images);
  return images.sub(shift).div(scale).round().clamp(0, 255).to("u8");
}

function constants(like: Tensor): [scale: Tensor, shift: Tensor] {
  const { device } = like;
  const column = (values: readonly number[]) =>
    tensor(
      values.map((value) => [[value]]),
      { device },
    ); // (3, 1, 1)
  return [column(STD.map((std) => 1 / (255 * std))), column(STD.map((std, c) => -(MEAN[c] ?? 0) / std))];
}
