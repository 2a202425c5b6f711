import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SelfsightError, UsageError } from "../../src/errors.ts";
import { archives } from "../../src/setup/archive.ts";
import { buildFailed } from "../../src/setup/build.ts";
import { askedSource, findLibtorch, getLibtorch, noLibtorch } from "../../src/setup/fetch.ts";
import type { Libtorch } from "../../src/setup/libtorch.ts";
import { noBuildTools, noCompiler } from "../../src/setup/tools.ts";

let cache: string;

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "selfsight-cache-"));
  vi.stubEnv("SELFSIGHT_CACHE", cache);
  for (const name of ["LIBTORCH", "LIBTORCH_INCLUDE", "LIBTORCH_LIB", "SELFSIGHT_LIBTORCH"])
    vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

describe("where libtorch comes from", () => {
  it("rejects an unknown source and guesses which was meant", () => {
    expect(() => askedSource("arhive")).toThrow(UsageError);
    expect(() => askedSource("arhive")).toThrow(/Did you mean "archive"\?.*env, python, system, archive, apt, pip/);
  });

  it("reads the option first, then the environment", () => {
    expect(askedSource()).toBeUndefined();
    vi.stubEnv("LIBTORCH", "/anywhere");
    expect(askedSource()).toBe("env");
    vi.stubEnv("SELFSIGHT_LIBTORCH", "pip");
    expect(askedSource()).toBe("pip");
    expect(askedSource("apt")).toBe("apt");
  });

  it("looks only where it was told to", async () => {
    const { found, misses } = await findLibtorch("archive");
    expect(found).toBeUndefined();
    expect(misses).toEqual([expect.stringMatching(/^nothing was fetched into .*libtorch-\d+\.\d+\.\d+ yet$/)]);
    expect(misses[0]).toContain(cache);
  });

  it("reports a wrong LIBTORCH, and fetches nothing instead", async () => {
    vi.stubEnv("LIBTORCH", cache);
    const said: string[] = [];
    const refusal = await getLibtorch("cmake", (line) => said.push(line), askedSource()).catch(
      (error: unknown) => error,
    );
    expect(refusal).toBeInstanceOf(SelfsightError);
    expect(String(refusal)).toContain(`$LIBTORCH names no libtorch: no ATen/ATen.h in ${cache}`);
    expect(said).toEqual([]);
  });

  it("has a full SHA-256 for every archive", () => {
    for (const { file, sha256 } of Object.values(archives)) {
      expect(file).toMatch(/^libtorch-.*\.zip$/);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    }
  });
});

describe("error messages name the remedies", () => {
  it("no libtorch", () => {
    const text = noLibtorch(["apt-get needs root", "the server does not answer"]);
    expect(text).toContain("  - apt-get needs root\n  - the server does not answer\n");
    expect(text).toContain("sudo apt-get install libtorch-dev");
    expect(text).toContain("pip install torch");
    expect(text).toContain(join(cache, "setup.log"));
  });

  it("no compiler", () => {
    expect(noCompiler()).toContain("sudo apt-get install g++ make");
    expect(noCompiler()).toContain("xcode-select --install");
    expect(noCompiler("g++-99")).toContain('$CXX names the C++ compiler "g++-99"');
  });

  it("no CMake", () => {
    const text = noBuildTools([undefined, "pip failed"]);
    expect(text).toContain(":\n  - pip failed\nInstall it");
    expect(text).toContain("sudo apt-get install cmake make");
  });

  it("a failed compilation shows the last 30 lines and the log", () => {
    const output = `${Array.from({ length: 50 }, (_, i) => `line ${i + 1}`).join("\n")}\n\n`;
    const libtorch: Libtorch = {
      version: "9.9",
      includeDirs: [],
      libDirs: ["/there"],
      abi: 1,
      source: "env",
      cuda: false,
    };
    const text = buildFailed(output, "/build/build.log", libtorch);
    expect(text).toContain("libtorch 9.9 (/there)");
    expect(text).not.toContain("line 20\n");
    expect(text).toContain("line 21\n");
    expect(text).toContain("line 50\nThe whole output is in /build/build.log");
  });
});
