/** Finds weights that training has turned into NaN or infinity. */
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import type { Module } from "./module.ts";

/** Whether every element is finite: no NaN, no infinity. */
export function allFinite(tensor: Tensor): boolean {
  const wide = tensor.dtype === "f64" ? "f64" : "f32"; // the largest i64 is finite in f32, 1e300 is not
  return scope(() => Number.isFinite(tensor.to(wide).abs().amax([]).item()));
}

/** The name of the first parameter or buffer that holds NaN or infinity. */
export function firstNotFinite(module: Module): string | undefined {
  for (const [name, tensor] of module.state()) if (!tensor.shape.includes(0) && !allFinite(tensor)) return name;
  return undefined;
}
