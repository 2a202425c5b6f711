/** What this computer's processor can do that matters for speed. */
import { existsSync, readFileSync } from "node:fs";
import { run } from "./process.ts";

/** The bf16 instructions among /proc/cpuinfo's flags (x86: avx512_bf16, amx_bf16; Arm: bf16). */
export function bf16Flags(cpuinfo: string): string[] {
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/) ?? [];
  return flags.filter((flag) => ["avx512_bf16", "amx_bf16", "bf16"].includes(flag));
}

/** The bf16 instructions of this processor; empty when it has none, and bf16 would only be emulated. */
export async function processorBf16(): Promise<string[]> {
  if (existsSync("/proc/cpuinfo")) return bf16Flags(readFileSync("/proc/cpuinfo", "utf8"));
  if (process.platform !== "darwin") return [];
  const { code, stdout } = await run("sysctl", ["-n", "hw.optional.arm.FEAT_BF16"], { timeoutSeconds: 5 });
  return code === 0 && stdout.trim() === "1" ? ["FEAT_BF16"] : [];
}
