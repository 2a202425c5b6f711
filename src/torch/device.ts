/** Devices, threads and the version of libtorch. */
import { availableParallelism } from "node:os";
import { native } from "./native.ts";
import type { Device } from "./tensor.ts";

/** `cpu` first, then every GPU that this libtorch can use. */
export function devices(): Device[] {
  return native().devices() as Device[];
}

/** The first GPU; the CPU if there is none. */
export function defaultDevice(): Device {
  return devices().at(1) ?? "cpu";
}

/** Waits until all work queued on the device is done. Needed for correct timing. */
export function synchronize(device: Device): void {
  native().synchronize(device);
}

/** Threads that one operator may use. Given a count, sets it first. */
export function threads(count?: number): number {
  return count === undefined ? native().threads() : native().threads(Math.min(count, 4 * availableParallelism()));
}

/** libtorch's version. */
export function torchVersion(): string {
  return native().version();
}

/** Makes cuDNN choose only algorithms that give the same result every time. Returns whether it did before. */
export function deterministic(on: boolean): boolean {
  return native().deterministic(on);
}
