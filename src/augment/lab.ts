/**
 * sRGB to CIE L*a*b* and back on tensors, with sRGB's own white point, D65 (2° observer). L is 0 to 100; a and b are about
 * -100 to 100. IEC 61966-2-1 for sRGB, CIE 15 for Lab.
 */
import { tensor, where } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { mixChannels, type Triple } from "./normalise.ts";

const RGB_TO_XYZ: readonly Triple[] = [
  [0.4124564, 0.3575761, 0.1804375],
  [0.2126729, 0.7151522, 0.072175],
  [0.0193339, 0.119192, 0.9503041],
];
const XYZ_TO_RGB: readonly Triple[] = [
  [3.2404542, -1.5371385, -0.4985314],
  [-0.969266, 1.8760108, 0.041556],
  [0.0556434, -0.2040259, 1.0572252],
];
/** The same, with X, Y and Z as fractions of white's. */
export const RGB_TO_WHITE = RGB_TO_XYZ.map(([r, g, b]): Triple => {
  const white = r + g + b;
  return [r / white, g / white, b / white];
});
/** X, Y, Z of white: the row sums. */
const [X, Y, Z] = RGB_TO_XYZ.map(([r, g, b]) => r + g + b) as [number, number, number];
/** (6/29)³: below it, a straight line replaces the cube root. */
const EPSILON = (6 / 29) ** 3;
const SLOPE = (29 / 6) ** 2 / 3;

/** sRGB (B, 3, H, W), 0 to 1, to Lab. */
export function rgbToLab(rgb: Tensor): Tensor {
  return scope(() => {
    const linear = scope(() => where(rgb.lt(0.04045), rgb.div(12.92), rgb.clamp(0).add(0.055).div(1.055).pow(2.4)));
    const xyz = mixChannels(linear, RGB_TO_WHITE);
    const f = scope(() => where(xyz.lt(EPSILON), xyz.mul(SLOPE).add(4 / 29), xyz.clamp(EPSILON).pow(1 / 3)));
    return mixChannels(f, [
      [0, 116, 0],
      [500, -500, 0],
      [0, 200, -200],
    ]).sub(tensor([[[16]], [[0]], [[0]]], { device: rgb.device }));
  });
}

/** Lightness L (B, 1, H, W) to grey sRGB (B, 3, H, W) of that lightness. */
export function lightnessToGrey(l: Tensor): Tensor {
  return encoded(decodedXyz(l.add(16).div(116)))
    .clamp(0, 1)
    .expand(-1, 3, -1, -1);
}

/** Lab (B, 3, H, W) to sRGB, clamped to 0 to 1. */
export function labToRgb(lab: Tensor): Tensor {
  const shifted = lab.add(tensor([[[16]], [[0]], [[0]]], { device: lab.device }));
  const f = mixChannels(shifted, [
    [1 / 116, 1 / 500, 0],
    [1 / 116, 0, 0],
    [1 / 116, 0, -1 / 200],
  ]);
  const linear = mixChannels(
    decodedXyz(f),
    XYZ_TO_RGB.map(([x, y, z]): Triple => [x * X, y * Y, z * Z]),
  );
  return encoded(linear).clamp(0, 1);
}

/** Inverse of the cube root: X, Y, Z as fractions of white. */
function decodedXyz(f: Tensor): Tensor {
  return where(f.lt(6 / 29), f.sub(4 / 29).div(SLOPE), f.pow(3));
}

/** Linear light to sRGB. */
function encoded(linear: Tensor): Tensor {
  const curve = linear
    .clamp(0.0031308)
    .pow(1 / 2.4)
    .mul(1.055)
    .sub(0.055);
  return where(linear.lt(0.0031308), linear.mul(12.92), curve);
}
