/** Chooses the device and the precision. */
import { availableParallelism } from "node:os";
import { z } from "zod";
import { UsageError } from "../errors.ts";
import { gpuBf16, processorBf16 } from "../setup/processor.ts";
import { defaultDevice, devices, threads } from "./device.ts";
import { full } from "./ops.ts";
import { scope } from "./scope.ts";
import type { Device } from "./tensor.ts";

/** The options of {@link chooseCompute}. For all commands that compute. */
export const computeOptions = {
  device: z.string().default("auto").describe("auto (the first GPU, or the CPU), cpu, cuda, cuda:1, mps"),
  precision: z.enum(["auto", "f32", "bf16"]).default("auto").describe("bf16 autocast where the hardware has it"),
  threads: z.int().positive().optional().describe("CPU threads; default: all cores"),
};

export interface Compute {
  device: Device;
  precision: "f32" | "bf16";
}

/**
 * Resolves `auto` and sets the number of threads.
 * @throws UsageError for a device that this machine does not have, and for bf16 where its sums are wrong
 */
export async function chooseCompute(wanted: {
  device: string;
  precision: "auto" | "f32" | "bf16";
  threads?: number | undefined;
}): Promise<Compute> {
  const known = devices();
  const device = (wanted.device === "auto" ? defaultDevice() : wanted.device) as Device;
  if (!known.includes(device) && !(device === "cuda" && known.includes("cuda:0"))) {
    if (/^cuda/.test(device) && !known.includes("cuda:0")) {
      throw new UsageError(
        "No CUDA device can be used: this libtorch is built for the CPU, or no driver is found. npx selfsight doctor says more; --device cpu works everywhere.",
      );
    }
    throw new UsageError(
      `Unknown device "${device}". There are: ${["auto", ...known].join(", ")}. A GPU is called cuda, cuda:1 or mps.`,
    );
  }
  threads(wanted.threads ?? availableParallelism());
  if (wanted.precision === "auto") return { device, precision: (await hasBf16(device)) ? "bf16" : "f32" };
  if (wanted.precision === "bf16" && device === "cpu" && !addsBf16InF32())
    throw new UsageError(
      "This libtorch adds up products of bf16 in bf16 on this processor, so that gradients would be wrong. Leave --precision out, or use libtorch 2.",
    );
  return { device, precision: wanted.precision };
}

async function hasBf16(device: Device): Promise<boolean> {
  if (device === "cpu") return (await processorBf16()).length > 0 && addsBf16InF32();
  return device.startsWith("cuda") && gpuBf16();
}

/** False for libtorch 1 on a processor without AVX-512: a sum of ones is then stuck at 256, as 257 is no bf16 number. */
export function addsBf16InF32(): boolean {
  return scope(() => {
    const [a, b] = [full([16, 4096], 1, { dtype: "bf16" }), full([4096, 16], 1, { dtype: "bf16" })];
    return a.matmul(b).to("f32").mean().item() === 4096;
  });
}
