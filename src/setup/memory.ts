/** The memory of this process. */
import { readFileSync } from "node:fs";

/** Bytes that this process held at most. On Linux not `maxRSS`, which begins with the size of the process that started this one. */
export function peakMemory(): number {
  return fromLinux() ?? process.resourceUsage().maxRSS * 1024;
}

function fromLinux(): number | undefined {
  try {
    const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return kilobytes ? Number(kilobytes) * 1024 : undefined;
  } catch {
    return undefined; // no /proc
  }
}
