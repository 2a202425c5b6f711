/** Hue, saturation and value. Smith, SIGGRAPH 1978, https://doi.org/10.1145/800248.807361 */
import { cat, floor } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";

/** RGB (B, 3, H, W) of 0 to 1 to hue, saturation and value of 0 to 1: three times (B, 1, H, W). Grey has hue 0. */
export function rgbToHsv(rgb: Tensor): [hue: Tensor, saturation: Tensor, value: Tensor] {
  const [r, g, b] = rgb.chunk(3, 1) as [Tensor, Tensor, Tensor];
  const value = rgb.amax(1, true);
  const range = value.add(rgb.neg().amax(1, true)); // largest minus smallest
  const per = range.clamp(1e-8);
  const isRed = value.eq(r).to("f32");
  const isGreen = value.eq(g).to("f32").mul(isRed.neg().add(1));
  const isBlue = isRed.add(isGreen).neg().add(1);
  const sextant = g
    .sub(b)
    .div(per)
    .mul(isRed)
    .add(b.sub(r).div(per).add(2).mul(isGreen))
    .add(r.sub(g).div(per).add(4).mul(isBlue));
  return [wrap(sextant.div(6)), range.div(value.clamp(1e-8)), value];
}

/** The inverse; any hue, which is taken modulo 1. */
export function hsvToRgb(hue: Tensor, saturation: Tensor, value: Tensor): Tensor {
  const chroma = value.mul(saturation);
  const channel = (offset: number) => {
    const k = wrap(hue.add(offset / 6)).mul(6);
    return value.sub(chroma.mul(k.sub(2).abs().neg().add(2).clamp(0, 1))); // max(0, min(k, 4 - k, 1))
  };
  return cat([channel(5), channel(3), channel(1)], 1);
}

const wrap = (x: Tensor) => x.sub(floor(x));
