/** What a result depends on besides its configuration: hardware and versions. */
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import type { Compute } from "../torch/compute.ts";
import { threads, torchVersion } from "../torch/device.ts";

export interface Environment {
  selfsight: string;
  node: string;
  libtorch: string;
  platform: string;
  processor: string;
  cores: number;
  memoryGiB: number;
  threads: number;
  device: string;
  precision: string;
}

export function environment(compute: Compute): Environment {
  return {
    selfsight: selfsightVersion(),
    node: process.version,
    libtorch: torchVersion(),
    platform: `${process.platform}-${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    threads: threads(),
    device: compute.device,
    precision: compute.precision,
  };
}

export function selfsightVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
