/** Normalised images to Lab, and to grey. Lab itself is in `lab.ts`. */
import { autocast, gradMode } from "../torch/autograd.ts";
import { scope } from "../torch/scope.ts";
import { type Tensor, tensorOperator } from "../torch/tensor.ts";
import { lightnessToGrey, RGB_TO_WHITE, rgbToLab } from "./lab.ts";
import { fromUnit, MEAN, STD, toUnit } from "./normalise.ts";

/** Runs `body` in f32: Lab must not be rounded to bf16. */
export const exactly = <T>({ device }: Tensor, body: () => T): T => autocast(device, "f32", body);

/** Normalised images (B, 3, H, W) to Lab. */
export function toLab(images: Tensor): Tensor {
  if (onePass(images)) return labInOnePass(images, STD, MEAN, RGB_TO_WHITE.flat());
  // Channel by channel in memory, for the operators on single channels.
  return exactly(images, () => scope(() => rgbToLab(toUnit(images.contiguous()))));
}

/** Lab (B, 3, H, W) to normalised grey images of the same lightness. */
export function greyOf(lab: Tensor): Tensor {
  const grey = () => (onePass(lab) ? greyInOnePass(lab).expand(-1, 3, -1, -1) : lightnessToGrey(lab.narrow(1, 0, 1)));
  return exactly(lab, () => scope(() => fromUnit(grey())));
}

/** Images (B, 3, H, W) without their colours: grey of the same lightness. */
export function lightness(images: Tensor): Tensor {
  return greyOf(toLab(images));
}

/** Whether a kernel on the CPU may do all in one pass over the pixels. Only the operators have a derivative. */
export const onePass = ({ device, dtype, requiresGrad }: Tensor) =>
  device === "cpu" && dtype === "f32" && !(requiresGrad && gradMode());
/** native/lab.cc */
const labInOnePass = tensorOperator("selfsight::to_lab");
const greyInOnePass = tensorOperator("selfsight::grey_of_lab");
