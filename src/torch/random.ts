/** libtorch's random generators: initial weights, dropout. Seeded and saved, so that a run can be repeated and resumed. */
import { native } from "./native.ts";
import { type Device, Tensor } from "./tensor.ts";

/** Seeds the generators of all devices. They belong to the process: worker threads that draw at the same time share them. */
export function manualSeed(seed: number): void {
  native().manualSeed(seed);
}

/** The state of one device's generator: u8. */
export function rngState(device: Device = "cpu"): Tensor {
  return new Tensor(native().getRngState(device));
}

export function setRngState(state: Tensor, device: Device = "cpu"): void {
  native().setRngState(device, state.handle);
}
