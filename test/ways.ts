/** Convolutions in a chosen way wherever it can compute them. */
import { afterAll, beforeAll } from "vitest";
import { type Chooser, fixedWays, setChooser, WAYS, type Way } from "../src/torch/nn/convolution.ts";
import { applicableWays } from "../src/torch/nn/measure-ways.ts";

/** Every way, and the choice without measuring. */
export const FIXED_AND_WAYS = ["fixed", ...WAYS] as const;

export function prefer(way: Way | "fixed"): Chooser {
  if (way === "fixed") return fixedWays;
  return (planned) => (applicableWays(planned).includes(way) ? [way, way, way] : fixedWays(planned));
}

/** For all tests of a `describe`. */
export function preferForAll(way: Way | "fixed"): void {
  beforeAll(() => void setChooser(prefer(way)));
  afterAll(() => void setChooser(fixedWays));
}
