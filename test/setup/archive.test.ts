import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { archives, fetchArchive } from "../../src/setup/archive.ts";
import { pipInstall } from "../../src/setup/pip.ts";
import { archiveFolder, toolsFolder } from "../../src/setup/places.ts";
import { findCompiler } from "../../src/setup/tools.ts";
import { scratch } from "../images.ts";

const root = scratch();
const system = `${process.platform}-${process.arch}`;
const real = archives[system];
const requests = vi.fn(() => Promise.reject(new Error("no network")));

beforeEach(() => {
  vi.stubEnv("SELFSIGHT_CACHE", join(root, "cache"));
  vi.stubGlobal("fetch", requests);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  if (real) archives[system] = real;
});

/** Writes a shell script and returns its path. */
function program(name: string, ...lines: string[]): string {
  mkdirSync(join(root, "bin"), { recursive: true });
  writeFileSync(join(root, "bin", name), ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
  return join(root, "bin", name);
}

it.runIf(real)("unpacks an archive that is there already, and leaves nothing half unpacked", async () => {
  const folder = archiveFolder();
  const zip = join(dirname(folder), "libtorch.zip");
  mkdirSync(dirname(zip), { recursive: true });
  writeFileSync(zip, "zip");
  archives[system] = { file: "libtorch.zip", sha256: createHash("sha256").update("zip").digest("hex") };
  // It is called as `cmake -E chdir FOLDER cmake -E tar xf ZIP`.
  const full = program("cmake-full", 'mkdir "$3/libtorch"', "echo the disk is full", "exit 1");
  expect(await fetchArchive(full, () => {})).toBe(`cannot unpack ${zip}: the disk is full`);
  expect(readdirSync(dirname(zip)).sort()).toEqual(["libtorch.zip", "setup.log"]);
  expect(await fetchArchive(program("cmake", 'mkdir "$3/libtorch"'), () => {})).toBeUndefined();
  expect([existsSync(folder), existsSync(zip), requests.mock.calls]).toEqual([true, false, []]);
  writeFileSync(zip, "another");
  expect(await fetchArchive("cmake", () => {})).toContain("does not answer");
});

it("gives a cache that cannot be written to as the reason", async () => {
  vi.stubEnv("SELFSIGHT_CACHE", join(program("file"), "cache"));
  vi.stubEnv("PATH", dirname(program("python3")));
  expect(await pipInstall(["cmake"], toolsFolder())).toMatch(/^ENOTDIR: not a directory/);
});

it("takes only a compiler that runs", () => {
  vi.stubEnv("CXX", undefined);
  vi.stubEnv("PATH", dirname(program("c++", "exit 1")));
  expect(findCompiler()).toBeUndefined();
  const other = program("g++");
  expect(findCompiler()).toBe(other);
});
