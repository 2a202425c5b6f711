import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { referenceBlas } from "../../src/setup/blas.ts";
import { scratch } from "../images.ts";

const folder = scratch();

/** Makes a library folder whose libblas.so.3 is a link to the library of this implementation. */
function libraries(implementation: string): string {
  const lib = join(folder, `with-${implementation}`);
  mkdirSync(join(lib, implementation), { recursive: true });
  writeFileSync(join(lib, implementation, "libblas.so.3.1"), "");
  symlinkSync(join(implementation, "libblas.so.3.1"), join(lib, "libblas.so.3"));
  return lib;
}

test.runIf(process.platform === "linux")("finds the reference BLAS of a system, and accepts OpenBLAS", () => {
  const slow = libraries("blas");
  expect(referenceBlas({ source: "system", libDirs: [slow] })).toBe(join(slow, "blas", "libblas.so.3.1"));
  expect(referenceBlas({ source: "system", libDirs: [libraries("openblas-openmp")] })).toBeUndefined();
  expect(referenceBlas({ source: "system", libDirs: [join(folder, "none")] })).toBeUndefined();
  expect(referenceBlas({ source: "pip", libDirs: [slow] })).toBeUndefined(); // has its own
});
