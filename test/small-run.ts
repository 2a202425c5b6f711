/** A run that takes a second, on pictures of `test/images.ts`. */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import type { Hooks, RunEvent } from "../src/run/events.ts";
import { runFiles } from "../src/run/folder.ts";
import type { PretrainOptions } from "../src/run/options.ts";
import { flag } from "../src/setup/terminal.ts";
import { openSafetensors } from "../src/torch/safetensors.ts";

/** fp32 on the CPU: bit-identical every time, once the ways of its convolutions are in the cache. */
export const smallRun = {
  model: "resnet10",
  width: 0.125,
  stem: "cifar",
  imageSize: 16,
  batchSize: 8,
  precision: "f32",
  device: "cpu",
  threads: 2,
} as const satisfies Partial<PretrainOptions>;

/** The options as command-line arguments. */
export function asFlags(options: object): string[] {
  return Object.entries(options).flatMap(([name, value]) => [flag(name), String(value)]);
}

/** Hooks that interrupt a run after this step. */
export function stopAt(step: number): Hooks {
  const controller = new AbortController();
  const onEvent = (event: RunEvent) => event.type === "step" && event.record.step === step && controller.abort();
  return { signal: controller.signal, onEvent };
}

/** A finished run's encoder: base64 of each tensor's bytes, by name. */
export function tensorsOf(folder: string): Map<string, string> {
  const file = openSafetensors(runFiles(folder).encoder);
  const found = new Map(
    [...file.entries.keys()].map((name) => [name, Buffer.from(file.read(name)).toString("base64")]),
  );
  file.close();
  return found;
}

/** Mounts a disk of `kib` KiB at `folder`; undefined if that is not permitted. */
export function smallDisk(folder: string, kib: number): { grow(kib: number): void; remove(): void } | undefined {
  mkdirSync(folder, { recursive: true });
  const mount = (options: string) => spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]).status === 0;
  if (!mount(`size=${kib}k`)) return undefined;
  return { grow: (to) => void mount(`remount,size=${to}k`), remove: () => void spawnSync("umount", [folder]) };
}
