import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { buildDigest } from "../../src/setup/build.ts";
import { addonPath } from "../../src/setup/current.ts";
import type { Libtorch } from "../../src/setup/libtorch.ts";

let folder: string;
let libtorch: Libtorch;
const digest = (changes: Partial<Libtorch> = {}) => buildDigest({ ...libtorch, ...changes }, join(folder, "native"));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "build-"));
  for (const name of ["native", "lib"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "native", "addon.cc"), "int one;");
  writeFileSync(join(folder, "lib", "libtorch_cpu.so"), "code");
  libtorch = { version: "2.7.1", includeDirs: [], libDirs: [join(folder, "lib")], abi: 1, source: "env", cuda: false };
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

describe("buildDigest", () => {
  it("stays the same while nothing changes", () => {
    expect(digest()).toBe(digest());
  });

  it("changes with the sources: their text, their names, their number", () => {
    const before = digest();
    writeFileSync(join(folder, "native", "addon.cc"), "int two;");
    const edited = digest();
    writeFileSync(join(folder, "native", "more.cc"), "");
    expect(new Set([before, edited, digest()]).size).toBe(3);
  });

  it("changes with the libtorch: its version, its ABI, its library", () => {
    const before = digest();
    const others = [digest({ version: "2.8.0" }), digest({ abi: 0 })];
    writeFileSync(join(folder, "lib", "libtorch_cpu.so"), "other code");
    expect(new Set([before, ...others, digest()]).size).toBe(4);
  });
});

describe("addonPath", () => {
  it("comes from the environment if that is set", () => {
    vi.stubEnv("SELFSIGHT_ADDON", "/there/selfsight.node");
    expect(addonPath()).toBe("/there/selfsight.node");
  });
});
