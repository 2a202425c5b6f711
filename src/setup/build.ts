/** Compiles the addon (native/) against a libtorch, with CMake. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { SelfsightError } from "../errors.ts";
import type { CurrentBuild } from "./current.ts";
import { makeFolder } from "./folders.ts";
import type { Libtorch } from "./libtorch.ts";
import { buildFolder, packageRoot } from "./places.ts";
import { lastLines, run } from "./process.ts";
import type { BuildTools } from "./tools.ts";

/** Two compilers at a time: each takes about 1 GB with libtorch's headers. */
const parallel = 2;

/** A file beside a finished addon: the digest of what it was built from. */
const stampName = "built-from";

const sourceFolder = (): string => join(packageRoot(), "native");

/** Digest of the addon's sources, N-API's headers and the libtorch. Changes when the addon must be rebuilt. */
export function buildDigest(libtorch: Libtorch, sources = sourceFolder()): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(sources).sort()) hash.update(name).update(readFileSync(join(sources, name)));
  for (const folder of nodeIncludeDirs()) hash.update(folder);
  return hash.update(libtorchDigest(libtorch)).digest("hex").slice(0, 16);
}

/** Digest that identifies a libtorch: its location, and the size and date of its libraries. */
function libtorchDigest(libtorch: Libtorch): string {
  const hash = createHash("sha256").update(JSON.stringify(libtorch));
  for (const folder of libtorch.libDirs) {
    for (const name of readdirSync(folder).filter((n) => n.startsWith("libtorch_c"))) {
      const { size, mtimeMs } = statSync(join(folder, name));
      hash.update(`${name} ${size} ${mtimeMs}`);
    }
  }
  return hash.digest("hex").slice(0, 8);
}

/** Each libtorch has its own folder, so that switching back to one needs no build. */
function outputFolder(libtorch: Libtorch): string {
  const version = libtorch.version.replaceAll(/[^\w.+-]/g, "_");
  return join(buildFolder(), `torch-${version}-${libtorchDigest(libtorch)}`);
}

/** The header folder of the package node-api-headers. */
function nodeIncludeDirs(): string[] {
  const require = createRequire(import.meta.url);
  return [join(dirname(require.resolve("node-api-headers/package.json")), "include")];
}

/** An earlier build of the same sources against the same libtorch, or undefined. */
export function earlierBuild(libtorch: Libtorch, builtFrom: string): CurrentBuild | undefined {
  const folder = outputFolder(libtorch);
  const addon = join(folder, "selfsight.node");
  const stamp = join(folder, stampName);
  const same = existsSync(addon) && existsSync(stamp) && readFileSync(stamp, "utf8") === builtFrom;
  return same ? { addon, libtorch, builtFrom } : undefined;
}

/**
 * Configures and compiles. Takes about a minute the first time.
 * Throws SelfsightError with the end of the compiler's output and the path of the full log.
 */
export async function buildAddon(
  libtorch: Libtorch,
  tools: BuildTools,
  compiler: string,
  builtFrom: string,
): Promise<CurrentBuild> {
  const folder = outputFolder(libtorch);
  const log = join(folder, "build.log");
  makeFolder(folder);
  rmSync(join(folder, stampName), { force: true });
  rmSync(join(folder, "CMakeCache.txt"), { force: true }); // it may hold the path of an older compiler or libtorch
  rmSync(log, { force: true });
  const settings = {
    CMAKE_BUILD_TYPE: "Release",
    CMAKE_CXX_COMPILER: compiler,
    CMAKE_MAKE_PROGRAM: tools.maker,
    SELFSIGHT_INCLUDE_DIRS: libtorch.includeDirs.join(";"),
    SELFSIGHT_LIB_DIRS: libtorch.libDirs.join(";"),
    SELFSIGHT_NODE_INCLUDE_DIRS: nodeIncludeDirs().join(";"),
    SELFSIGHT_ABI: String(libtorch.abi),
  };
  const defines = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
  const steps = [
    ["-S", sourceFolder(), "-B", folder, "-G", tools.generator, ...defines],
    ["--build", folder, "--parallel", String(parallel)],
  ];
  for (const step of steps) {
    const { code, output } = await run(tools.cmake, step, { log });
    if (code !== 0) throw new SelfsightError(buildFailed(output, log, libtorch));
  }
  writeFileSync(join(folder, stampName), builtFrom);
  return { addon: join(folder, "selfsight.node"), libtorch, builtFrom };
}

/** The error message when the compiler failed. */
export function buildFailed(output: string, log: string, libtorch: Libtorch): string {
  return [
    `Compiling the addon against libtorch ${libtorch.version} (${libtorch.libDirs.join(", ")}) failed:`,
    lastLines(output, 30),
    `The whole output is in ${log}`,
    "Another libtorch may work: SELFSIGHT_LIBTORCH=system|python|archive|apt|pip selects where it comes from.",
  ].join("\n");
}
