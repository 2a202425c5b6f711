/**
 * Debian's libtorch multiplies fp32 matrices with the system's BLAS. By default that is the reference BLAS, which takes about
 * 60 times as long as OpenBLAS (876 ms against 13 ms for 256 × 2048 × 2048 on 2 cores).
 */
import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Libtorch } from "./libtorch.ts";

/** The variant that shares libtorch's OpenMP threads. */
export const openblasPackage = "libopenblas0-openmp";

type Where = Pick<Libtorch, "source" | "libDirs">;

/** Path of the reference BLAS when this libtorch uses it, else undefined. */
export function referenceBlas(libtorch: Where): string | undefined {
  const path = systemBlas(libtorch);
  return path && dirname(path).endsWith("/blas") ? path : undefined; // alternatives are in folders with their own names
}

/** Path of the system's BLAS, if this libtorch takes that, else undefined. */
export function systemBlas({ source, libDirs }: Where): string | undefined {
  if (source !== "system" || process.platform !== "linux") return undefined;
  for (const folder of libDirs) {
    try {
      return realpathSync(join(folder, "libblas.so.3"));
    } catch {
      // not there: linked statically, or elsewhere
    }
  }
  return undefined;
}
