/** Normalised images to Lab, and to grey. Lab itself is in `lab.ts`. */
import { autocast } from "../torch/autograd.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { lightnessToGrey, rgbToLab } from "./lab.ts";
import { fromUnit, toUnit } from "./normalise.ts";

/** Runs `body` in f32: Lab must not be rounded to bf16. */
export const exactly = <T>({ device }: Tensor, body: () => T): T => autocast(device, "f32", body);

/** Normalised images (B, 3, H, W) to Lab. */
export function toLab(images: Tensor): Tensor {
  // Channel by channel in memory, for the operators on single channels.
  return exactly(images, () => scope(() => rgbToLab(toUnit(images.contiguous()))));
}

/** Lab (B, 3, H, W) to normalised grey images of the same lightness. */
export function greyOf(lab: Tensor): Tensor {
  return exactly(lab, () => scope(() => fromUnit(lightnessToGrey(lab.narrow(1, 0, 1)))));
}

/** Images (B, 3, H, W) without their colours: grey of the same lightness. */
export function lightness(images: Tensor): Tensor {
  return greyOf(toLab(images));
}
