/** Features of this computer's processor and GPUs that matter for speed. */
import { existsSync, readFileSync } from "node:fs";
import { run, which } from "./process.ts";

/** The bf16 instructions among /proc/cpuinfo's flags (x86: avx512_bf16, amx_bf16; Arm: bf16). */
export function bf16Flags(cpuinfo: string): string[] {
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/) ?? [];
  return flags.filter((flag) => ["avx512_bf16", "amx_bf16", "bf16"].includes(flag));
}

/**
 * Whether environment variables keep oneDNN, which does the CPU's convolutions, from using bf16 instructions
 * (ONEDNN_MAX_CPU_ISA=AVX2 makes this processor behave like an older one). bf16 convolutions then fail or are emulated.
 */
export function bf16Forbidden(env: { ONEDNN_MAX_CPU_ISA?: string; DNNL_MAX_CPU_ISA?: string }): boolean {
  const most = env.ONEDNN_MAX_CPU_ISA ?? env.DNNL_MAX_CPU_ISA;
  return most !== undefined && !/BF16|FP16|AMX|AVX10|ALL|DEFAULT/i.test(most);
}

/** The bf16 instructions of this processor; empty when it has none and bf16 would be emulated. */
export async function processorBf16(): Promise<string[]> {
  if (bf16Forbidden(process.env)) return [];
  if (existsSync("/proc/cpuinfo")) return bf16Flags(readFileSync("/proc/cpuinfo", "utf8"));
  if (process.platform !== "darwin") return [];
  const { code, stdout } = await run("sysctl", ["-n", "hw.optional.arm.FEAT_BF16"], { timeoutSeconds: 5 });
  return code === 0 && stdout.trim() === "1" ? ["FEAT_BF16"] : [];
}

/** Whether some GPU of these compute capabilities, one a line, has bf16 instructions: from 8.0 (Ampere) on. True where none is named. */
export function capableOfBf16(capabilities: string): boolean {
  const known = capabilities.split("\n").map(Number.parseFloat).filter(Number.isFinite);
  return !known.length || known.some((capability) => capability >= 8);
}

let asked: Promise<boolean> | undefined;

/** Whether an NVIDIA GPU of this computer has bf16 instructions. True where nvidia-smi does not say. */
export function gpuBf16(): Promise<boolean> {
  asked ??= askNvidia();
  return asked;
}

async function askNvidia(): Promise<boolean> {
  const path = which("nvidia-smi");
  if (!path) return true;
  const query = ["--query-gpu=compute_cap", "--format=csv,noheader"];
  const { code, stdout } = await run(path, query, { timeoutSeconds: 20 });
  return code !== 0 || capableOfBf16(stdout);
}
