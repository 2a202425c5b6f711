/** Hue, saturation and value. Smith, SIGGRAPH 1978, https://doi.org/10.1145/800248.807361 */
import { cat, floor, maximum, minimum, where } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";

/** RGB (B, 3, H, W) to hue, saturation and value, (B, 1, H, W) each. All are 0 to 1. Grey has hue 0. */
export function rgbToHsv(rgb: Tensor): [hue: Tensor, saturation: Tensor, value: Tensor] {
  const [r, g, b] = rgb.chunk(3, 1) as [Tensor, Tensor, Tensor];
  const value = maximum(maximum(r, g), b);
  const range = value.sub(minimum(minimum(r, g), b));
  const sixth = range.clamp(1e-8).mul(6).pow(-1);
  const from = (third: number, x: Tensor, y: Tensor) =>
    x
      .sub(y)
      .mul(sixth)
      .add(third / 3);
  const hue = where(value.eq(r), g.sub(b).mul(sixth), where(value.eq(g), from(1, b, r), from(2, r, g)));
  return [wrap(hue), range.div(value.clamp(1e-8)), value];
}

/** The inverse of {@link rgbToHsv}. The hue is taken modulo 1. */
export function hsvToRgb(hue: Tensor, saturation: Tensor, value: Tensor): Tensor {
  const chroma = value.mul(saturation);
  const channel = (offset: number) =>
    scope(() => {
      const k = wrap(hue.add(offset / 6)).mul(6);
      return value.sub(chroma.mul(k.sub(2).abs().neg().add(2).clamp(0, 1))); // max(0, min(k, 4 - k, 1))
    });
  return cat([channel(5), channel(3), channel(1)], 1);
}

const wrap = (x: Tensor) => x.sub(floor(x));
