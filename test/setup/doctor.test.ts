import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { doctor, formatDoctor } from "../../src/setup/doctor.ts";
import { bf16Flags, bf16Forbidden, capableOfBf16 } from "../../src/setup/processor.ts";

let cache: string;

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "selfsight-cache-"));
  vi.stubEnv("SELFSIGHT_CACHE", cache);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

describe("formatDoctor", () => {
  it("aligns and marks the lines, and puts each remedy below its problem", () => {
    const text = formatDoctor({
      ok: false,
      checks: [
        { name: "node", status: "ok", value: "20.19.0" },
        { name: "compiler", status: "missing", value: "not found", remedy: "install g++" },
        { name: "cache", status: "warning", value: "1.0 GB free\nof 9.0 GB", remedy: "free some space" },
      ],
    });
    expect(text.split("\n")).toEqual([
      "✓ node      20.19.0",
      "✗ compiler  not found",
      "            → install g++",
      "! cache     1.0 GB free",
      "            of 9.0 GB",
      "            → free some space",
      "",
      "Not ready: compiler.",
    ]);
  });

  it("says when all is well", () => {
    expect(formatDoctor({ ok: true, checks: [{ name: "node", status: "ok", value: "20" }] })).toMatch(
      /\n\nEverything needed is here\.$/,
    );
  });
});

describe("doctor", () => {
  it("reports what the addon says about itself", async () => {
    vi.stubEnv("SELFSIGHT_ADDON", process.execPath); // any existing file: the probe below does the loading
    const probe = async () => ({ torchVersion: "9.8.7", devices: ["cpu", "cuda:0"], threads: 3 });
    const { checks } = await doctor({ probe, datasets: async () => ["cifar10"] });
    const value = (name: string) => checks.find((check) => check.name === name)?.value;
    expect(value("addon")).toContain("libtorch 9.8.7");
    expect(value("devices")).toBe("cpu, cuda:0");
    expect(value("threads")).toMatch(/^3 of \d+ processors$/);
    expect(value("datasets")).toBe("cifar10");
    expect(value("cache")).toContain(cache);
    expect(value("node")).toContain(process.versions.node);
  });

  it("reports an addon that cannot be loaded, with the reason and the remedy", async () => {
    vi.stubEnv("SELFSIGHT_ADDON", process.execPath);
    const report = await doctor({
      probe: () => Promise.reject(new Error("libc10.so: cannot open shared object file")),
    });
    expect(report.ok).toBe(false);
    expect(report.checks.find((check) => check.name === "addon")).toMatchObject({
      status: "missing",
      value: "libc10.so: cannot open shared object file",
      remedy: expect.stringContaining("selfsight setup"),
    });
  });

  it("reports a program that does not run", async () => {
    writeFileSync(join(cache, "npm"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    vi.stubEnv("PATH", cache);
    const { checks } = await doctor();
    expect(checks.find((check) => check.name === "npm")).toMatchObject({
      status: "warning",
      value: `${join(cache, "npm")} is there, but does not run`,
    });
  });

  it("reports a missing addon", async () => {
    vi.stubEnv("SELFSIGHT_ADDON", join(cache, "selfsight.node"));
    const report = await doctor();
    expect(report.checks.find((check) => check.name === "addon")?.status).toBe("missing");
  });
});

it.each([
  ["9.0", true],
  ["8.0\n8.6\n", true],
  ["[N/A]\n", true],
  ["7.5\n", false],
  ["7.5\n7.0\n", false],
  ["8.6\n7.0\n", true],
])("GPUs of capability %j: bf16 %s", (capabilities, capable) => {
  expect(capableOfBf16(capabilities)).toBe(capable);
});

describe("bf16Flags", () => {
  it("finds the instructions in x86's and Arm's cpuinfo", () => {
    expect(bf16Flags("processor : 0\nflags\t\t: fpu avx512f avx512_bf16 amx_bf16 amx_tile\nbugs\t: none\n")).toEqual([
      "avx512_bf16",
      "amx_bf16",
    ]);
    expect(bf16Flags("Features\t: fp asimd bf16 i8mm\n")).toEqual(["bf16"]);
    expect(bf16Flags("flags : fpu avx2 avx512f\n")).toEqual([]);
    expect(bf16Flags("")).toEqual([]);
  });
});

describe("bf16Forbidden", () => {
  it.each([
    [{}, false],
    [{ ONEDNN_MAX_CPU_ISA: "AVX2" }, true],
    [{ ONEDNN_MAX_CPU_ISA: "avx512_core" }, true],
    [{ DNNL_MAX_CPU_ISA: "AVX2" }, true],
    [{ ONEDNN_MAX_CPU_ISA: "AVX512_CORE_BF16" }, false],
    [{ ONEDNN_MAX_CPU_ISA: "DEFAULT" }, false],
  ])("%j: %s", (env, forbidden) => {
    expect(bf16Forbidden(env)).toBe(forbidden);
  });
});
