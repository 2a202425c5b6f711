/** The official CPU build of libtorch: one zip file from PyTorch's own server. */
import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { checksum, download } from "./download.ts";
import { makeFolder } from "./folders.ts";
import { archiveFolder, fetchLog, pinnedLibtorch } from "./places.ts";
import { lastLines, run } from "./process.ts";

interface Archive {
  file: string;
  sha256: string;
}

/**
 * PyTorch publishes no checksums. These are the ones that other projects pin for the same files: CP2K's toolchain for Linux
 * (tools/toolchain, install_libtorch.sh); cTuning's tool torch-cpp-prebuilt for macOS and Linux.
 * There is no official archive for other systems.
 */
export const archives: Record<string, Archive> = {
  "linux-x64": {
    file: `libtorch-cxx11-abi-shared-with-deps-${pinnedLibtorch}+cpu.zip`,
    sha256: "63d572598c8d532128a335018913e795c1bbb32602ce378896dc8cfbb5590976",
  },
  "darwin-arm64": {
    file: `libtorch-macos-arm64-${pinnedLibtorch}.zip`,
    sha256: "aa89ac85b91c83d0f976f8d135330d51e38ab777b26ec24f312fd58d079314cb",
  },
};

const server = "https://download.pytorch.org";
const answerMs = 5_000;

/** Whether PyTorch's server answers at all: without a network, this must fail in seconds, not minutes. */
export async function pytorchAnswers(path: string): Promise<boolean> {
  try {
    const answer = await fetch(`${server}/${path}`, { method: "HEAD", signal: AbortSignal.timeout(answerMs) });
    return answer.ok;
  } catch {
    return false;
  }
}

/** The proxy that programs such as pip use. */
export const proxy = (env: Readonly<Record<string, string | undefined>> = process.env): string | undefined =>
  ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].map((name) => env[name]).find(Boolean);

/** Whether this Linux has another C library than the archives were built with: Alpine's. */
function isMusl(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return process.platform === "linux" && header.glibcVersionRuntime === undefined;
}

/** Downloads and unpacks the archive. Returns undefined, or a phrase that says why it failed. `cmake` unpacks zip files. */
export async function fetchArchive(cmake: string, say: (line: string) => void): Promise<string | undefined> {
  const system = `${process.platform}-${process.arch}`;
  const archive = archives[system];
  if (!archive) return `there is no official libtorch archive for ${system}`;
  if (isMusl()) return "PyTorch's archive needs glibc, and this system has musl";
  const zip = join(dirname(archiveFolder()), archive.file);
  try {
    const whole = existsSync(zip) && (await checksum(zip, "sha256")) === archive.sha256; // an earlier try could not unpack it
    return (whole ? undefined : await fetchZip(archive, zip, say)) ?? (await unpack(cmake, zip));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function fetchZip(
  { file, sha256 }: Archive,
  zip: string,
  say: (line: string) => void,
): Promise<string | undefined> {
  const path = `libtorch/cpu/${encodeURIComponent(file)}`;
  if (!(await pytorchAnswers(path)))
    return `${server} does not answer within ${answerMs / 1000} s${proxy() ? " (Node goes through your proxy only with NODE_USE_ENV_PROXY=1, from Node 24 on)" : ""}`;
  say(`Downloading ${file} ...`);
  await download(`${server}/${path}`, zip, { sha256 });
  return undefined;
}

async function unpack(cmake: string, zip: string): Promise<string | undefined> {
  const folder = archiveFolder();
  const partial = `${folder}.partial`;
  try {
    rmSync(partial, { recursive: true, force: true });
    makeFolder(partial);
    const unpacked = await run(cmake, ["-E", "chdir", partial, cmake, "-E", "tar", "xf", zip], { log: fetchLog() });
    if (unpacked.code !== 0) return `cannot unpack ${zip}: ${lastLines(unpacked.output, 1)}`;
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(partial, "libtorch"), folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  rmSync(zip);
  return undefined;
}
