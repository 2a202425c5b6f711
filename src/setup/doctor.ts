/** Doctor: what is installed, what is missing, and how to fix it. */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { openblasPackage, referenceBlas } from "./blas.ts";
import { addonPath, currentBuild } from "./current.ts";
import { askedSource, findLibtorch } from "./fetch.ts";
import { makeFolder } from "./folders.ts";
import type { Libtorch } from "./libtorch.ts";
import { cacheDir } from "./paths.ts";
import { packageRoot } from "./places.ts";
import { run, which } from "./process.ts";
import { processorBf16 } from "./processor.ts";
import { findBuildTools, findCompiler } from "./tools.ts";

export interface DoctorCheck {
  name: string;
  /** warning: Selfsight works, but slower or not for long; missing: it cannot work. */
  status: "ok" | "warning" | "missing";
  value: string;
  /** What to do about it. */
  remedy?: string;
}

export interface DoctorReport {
  checks: DoctorCheck[];
  /** True when nothing is missing. */
  ok: boolean;
}

/** What the loaded addon reports. Passed in, because setup may not import the modules that load it. */
export interface AddonFacts {
  torchVersion: string;
  /** "cpu", "cuda:0", ... */
  devices: string[];
  /** Threads that libtorch uses by default, without --threads. */
  threads: number;
}

export interface DoctorOptions {
  /** Loads the addon and queries it. The message of a rejection is shown. */
  probe?: () => Promise<AddonFacts>;
  /** Names of the datasets that are on this machine. */
  datasets?: () => Promise<string[]>;
}

/** Checks everything. Changes nothing, except that it makes the cache folder. Reports problems instead of throwing. */
export async function doctor(options: DoctorOptions = {}): Promise<DoctorReport> {
  const checks = [
    selfsightCheck(),
    nodeCheck(),
    await programCheck("npm", which("npm"), "warning", "It comes with Node: https://nodejs.org"),
    await programCheck(
      "compiler",
      findCompiler(),
      buildNeed(),
      "sudo apt-get install g++ make, or see `npx selfsight setup`",
    ),
    await programCheck(
      "cmake",
      findBuildTools()?.cmake,
      "warning",
      "`npx selfsight setup` fetches it when it is needed",
    ),
    await libtorchCheck(),
    ...blasChecks(),
    ...(await addonChecks(options.probe)),
    await bf16Check(),
    cacheCheck(),
    ...(options.datasets ? [await datasetsCheck(options.datasets)] : []),
  ];
  return { checks, ok: checks.every((check) => check.status !== "missing") };
}

/** The report as aligned lines, each remedy below its problem. */
export function formatDoctor(report: DoctorReport): string {
  const marks = { ok: "✓", warning: "!", missing: "✗" } as const;
  const width = Math.max(...report.checks.map((check) => check.name.length));
  const lines = report.checks.flatMap(({ name, status, value, remedy }) => {
    const indent = " ".repeat(width + 4);
    const text = value.replaceAll("\n", `\n${indent}`);
    return [`${marks[status]} ${name.padEnd(width)}  ${text}`, ...(remedy ? [`${indent}→ ${remedy}`] : [])];
  });
  const missing = report.checks.filter((check) => check.status === "missing").map((check) => check.name);
  const verdict = report.ok ? "Everything needed is here." : `Not ready: ${missing.join(", ")}.`;
  return [...lines, "", verdict].join("\n");
}

interface Manifest {
  version: string;
  engines: { node: string };
}

const manifest = (): Manifest => JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as Manifest;

function selfsightCheck(): DoctorCheck {
  return { name: "selfsight", status: "ok", value: `${manifest().version} in ${packageRoot()}` };
}

function nodeCheck(): DoctorCheck {
  const needed = manifest().engines.node; // "^20.19 || >=22.12"
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const recent = needed.split("||").some((part) => {
    const [needMajor = 0, needMinor = 0] = part
      .replace(/[^\d.]/g, "")
      .split(".")
      .map(Number);
    return (major > needMajor && !part.includes("^")) || (major === needMajor && minor >= needMinor);
  });
  const value = `${process.versions.node} (${process.platform} ${process.arch})`;
  if (recent) return { name: "node", status: "ok", value };
  return { name: "node", status: "missing", value, remedy: `Node ${needed} is needed: https://nodejs.org` };
}

/** A compiler is needed only until the addon is built. */
const buildNeed = () => (currentBuild() ? "warning" : "missing");

async function programCheck(
  name: string,
  path: string | undefined,
  otherwise: "warning" | "missing",
  remedy: string,
): Promise<DoctorCheck> {
  if (!path) return { name, status: otherwise, value: "not found", remedy };
  const { code, stdout } = await run(path, ["--version"], { timeoutSeconds: 20 });
  if (code !== 0) return { name, status: otherwise, value: `${path} is there, but does not run`, remedy };
  return { name, status: "ok", value: `${stdout.trim().split("\n")[0]} (${path})` };
}

async function libtorchCheck(): Promise<DoctorCheck> {
  const built = currentBuild()?.libtorch;
  if (built?.libDirs.every((folder) => existsSync(folder))) return found(built, "");
  const search = await findLibtorch(askedSource());
  if (search.found) return found(search.found, ", not built against yet");
  const value = search.misses.join("\n");
  return { name: "libtorch", status: "missing", value, remedy: "`npx selfsight setup` fetches it" };
}

/** Empty unless another BLAS would be faster. */
function blasChecks(): DoctorCheck[] {
  const built = currentBuild()?.libtorch;
  const path = built && referenceBlas(built);
  if (!path) return [];
  const value = `the reference BLAS (${path}): fp32 matrix products take many times as long`;
  return [{ name: "blas", status: "warning", value, remedy: `sudo apt-get install ${openblasPackage}` }];
}

function found(libtorch: Libtorch, note: string): DoctorCheck {
  const kind = libtorch.cuda ? "with CUDA" : "for the CPU";
  const value = `${libtorch.version}, ${kind}, from ${libtorch.source} (${libtorch.libDirs.join(", ")})${note}`;
  return { name: "libtorch", status: "ok", value };
}

async function addonChecks(probe: DoctorOptions["probe"]): Promise<DoctorCheck[]> {
  const remedy = "run `npx selfsight setup` (in a clone: npm run setup)";
  try {
    const path = addonPath();
    if (!existsSync(path)) return [{ name: "addon", status: "missing", value: `${path} is not there`, remedy }];
    if (!probe) return [{ name: "addon", status: "ok", value: `${path} (not loaded)` }];
    const { torchVersion, devices, threads } = await probe();
    return [
      { name: "addon", status: "ok", value: `${path}, loaded, libtorch ${torchVersion}` },
      { name: "devices", status: "ok", value: devices.join(", ") },
      { name: "threads", status: "ok", value: `${threads} of ${availableParallelism()} processors` },
    ];
  } catch (error) {
    const value = error instanceof Error ? error.message : String(error);
    return [{ name: "addon", status: "missing", value, remedy }];
  }
}

async function bf16Check(): Promise<DoctorCheck> {
  const instructions = await processorBf16();
  if (instructions.length > 0) return { name: "bf16", status: "ok", value: instructions.join(", ") };
  return {
    name: "bf16",
    status: "ok",
    value: "not in this processor, or forbidden by ONEDNN_MAX_CPU_ISA: training uses fp32 on the CPU",
  };
}

/** With less free space, in bytes, a download of libtorch or of a dataset may not fit. */
const littleSpace = 2e9;

function cacheCheck(): DoctorCheck {
  const folder = cacheDir();
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    const value = `${folder}, ${(free / 1e9).toFixed(1)} GB free`;
    if (free >= littleSpace) return { name: "cache", status: "ok", value };
    return {
      name: "cache",
      status: "warning",
      value,
      remedy: "free some space, or set SELFSIGHT_CACHE to another disk",
    };
  } catch {
    return { name: "cache", status: "missing", value: `${folder} cannot be written`, remedy: "set SELFSIGHT_CACHE" };
  }
}

async function datasetsCheck(datasets: () => Promise<string[]>): Promise<DoctorCheck> {
  const names = await datasets();
  if (names.length > 0) return { name: "datasets", status: "ok", value: names.join(", ") };
  const remedy = "they are downloaded when first used; SELFSIGHT_DATA names a folder that has some already";
  return { name: "datasets", status: "warning", value: "none yet", remedy };
}
