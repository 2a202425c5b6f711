/**
 * Finds libtorch on this machine. Only looks at files: nothing of PyTorch is loaded, so no GPU is touched and a
 * search takes milliseconds.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { archiveFolder, pipFolder } from "./places.ts";
import { run, which } from "./process.ts";

export type FoundIn = "env" | "python" | "system" | "archive" | "pip";

/** A libtorch the addon can be built against. */
export interface Libtorch {
  /** "2.15.0+cu132" from a version file, "1.13.0" if only the headers have it. */
  version: string;
  includeDirs: string[];
  libDirs: string[];
  /** _GLIBCXX_USE_CXX11_ABI it was built with. */
  abi: 0 | 1;
  source: FoundIn;
  /** Whether it has the CUDA libraries; not whether there is a GPU. */
  cuda: boolean;
}

/** The oldest libtorch that the addon supports: Debian 12's. 2.0 to 2.3 lack the autocast of 2.4 and its optimizers for CPUs. */
export const oldestLibtorch = "1.13";

const extension = process.platform === "darwin" ? "dylib" : "so";
const libtorchCpu = `libtorch_cpu.${extension}`;

/** Where a libtorch may be: header root (the folder that holds ATen/), library folder, and its own folder if any. */
export interface Place {
  include: string;
  lib: string;
  home?: string;
}

/** The libtorch at `place`, or a phrase that says what is missing there. */
export function inspectLibtorch(place: Place, source: FoundIn): Libtorch | string {
  const api = join(place.include, "torch", "csrc", "api", "include");
  if (!existsSync(join(place.include, "ATen", "ATen.h"))) return `no ATen/ATen.h in ${place.include}`;
  if (!existsSync(join(api, "torch", "torch.h"))) return `no torch/torch.h in ${api}`;
  if (!existsSync(join(place.lib, libtorchCpu))) return `no ${libtorchCpu} in ${place.lib}`;
  const version = readVersion(place, api);
  if (version === undefined) return `no version in the headers of ${place.include}`;
  if (isOlder(version, oldestLibtorch)) return `libtorch ${version} in ${place.lib} is older than ${oldestLibtorch}`;
  if (/^2\.[0-3]\b/.test(version))
    return `libtorch ${version} in ${place.lib} lacks what the addon needs: 1.13, 2.4 or newer`;
  return {
    version,
    includeDirs: [place.include, api],
    libDirs: [place.lib],
    abi: readAbi(place.lib),
    source,
    cuda: existsSync(join(place.lib, `libtorch_cuda.${extension}`)),
  };
}

/** Looks again at a libtorch found earlier: another version may have been installed over it. Returns what is there now, as above. */
export function inspectAgain({
  includeDirs: [include = ""],
  libDirs: [lib = ""],
  source,
}: Libtorch): Libtorch | string {
  return inspectLibtorch({ include, lib, ...(source !== "system" && { home: dirname(lib) }) }, source);
}

/** A folder laid out like the archive and Python's site-packages/torch: include/ and lib/ inside. */
export function folderPlace(home: string): Place {
  return { include: join(home, "include"), lib: join(home, "lib"), home };
}

/** The ways to find a libtorch, in the order they are tried. Each returns it, or why there is none. */
export const finders = {
  env: async () => findInEnvironment(process.env),
  python: findInPython,
  system: async () => findInSystem(),
  archive: async () => findInCache(archiveFolder(), "archive"),
  pip: async () => findInCache(join(pipFolder(), "torch"), "pip"),
} satisfies Record<FoundIn, () => Promise<Libtorch | string>>;

/** $LIBTORCH, or $LIBTORCH_INCLUDE and $LIBTORCH_LIB, which tch-rs reads too: folders that hold include/ and lib/. */
export function findInEnvironment(env: Record<string, string | undefined>): Libtorch | string {
  const folder = (name: string) => env[name] && resolve(env[name]); // CMake works in another folder
  const home = folder("LIBTORCH");
  const includeHome = folder("LIBTORCH_INCLUDE") ?? home;
  const libHome = folder("LIBTORCH_LIB") ?? home;
  if (!includeHome || !libHome) return "$LIBTORCH is not set";
  const include = existsSync(join(includeHome, "include")) ? join(includeHome, "include") : includeHome;
  const lib = existsSync(join(libHome, "lib")) ? join(libHome, "lib") : libHome;
  const found = inspectLibtorch(home ? { include, lib, home } : { include, lib }, "env");
  return typeof found === "string" ? `$LIBTORCH names no libtorch: ${found}` : found;
}

function findInCache(home: string, source: FoundIn): Libtorch | string {
  return existsSync(home) ? inspectLibtorch(folderPlace(home), source) : `nothing was fetched into ${home} yet`;
}

// `-c` puts the working folder on sys.path; a folder there named torch would be taken for the package.
const whereIsTorch = `
import sys
sys.path = [p for p in sys.path if p]
import importlib.util
spec = importlib.util.find_spec("torch")
print(spec.submodule_search_locations[0] if spec and spec.origin else "")
`;

async function findInPython(): Promise<Libtorch | string> {
  const reasons: string[] = [];
  for (const name of ["python3", "python"]) {
    const python = which(name);
    if (!python) continue;
    const { code, stdout } = await run(python, ["-c", whereIsTorch], { timeoutSeconds: 20 });
    const home = stdout.trim().split("\n").at(-1) ?? "";
    const found = code === 0 && home ? inspectLibtorch(folderPlace(home), "python") : `${python} has no torch`;
    if (typeof found !== "string") return found;
    reasons.push(found);
  }
  return reasons.join("; ") || "there is no Python on PATH";
}

function findInSystem(): Libtorch | string {
  const reasons: string[] = [];
  for (const prefix of ["/usr/local", "/usr", "/opt/homebrew/opt/pytorch", "/usr/local/opt/pytorch", "/opt/libtorch"]) {
    const include = join(prefix, "include");
    if (!existsSync(join(include, "ATen"))) continue;
    const lib = libraryFolders(join(prefix, "lib"), join(prefix, "lib64")).find((f) =>
      existsSync(join(f, libtorchCpu)),
    );
    const found = inspectLibtorch({ include, lib: lib ?? join(prefix, "lib") }, "system");
    if (typeof found !== "string") return found;
    reasons.push(found);
  }
  return reasons.join("; ") || "no libtorch headers in /usr/include, /usr/local/include or Homebrew";
}

/** The folders themselves and, for Debian, lib/<architecture>-linux-gnu. */
function libraryFolders(...folders: string[]): string[] {
  return folders.filter(existsSync).flatMap((folder) => {
    const inside = readdirSync(folder).filter((name) => name.endsWith("-linux-gnu"));
    return [folder, ...inside.map((name) => join(folder, name))];
  });
}

/** From build-version (archives), version.py (Python packages) or the headers, in this order. */
function readVersion(place: Place, api: string): string | undefined {
  const buildVersion = place.home && readText(join(place.home, "build-version"))?.trim();
  if (buildVersion) return buildVersion;
  const python = place.home && readText(join(place.home, "version.py"));
  const inPython = python ? /^__version__\s*=\s*['"]([^'"]+)/m.exec(python)?.[1] : undefined;
  if (inPython) return inPython;
  for (const header of [join(api, "torch", "version.h"), join(place.include, "torch", "headeronly", "version.h")]) {
    const text = readText(header) ?? "";
    const part = (name: string) => new RegExp(`#define\\s+TORCH_VERSION_${name}\\s+(\\d+)`).exec(text)?.[1];
    const numbers = [part("MAJOR"), part("MINOR"), part("PATCH")];
    if (numbers.every((n) => n !== undefined)) return numbers.join(".");
  }
  return undefined;
}

/** Reads the ABI from the exported names: the new one has std::__cxx11::basic_string in them. macOS has only one. */
function readAbi(lib: string): 0 | 1 {
  if (process.platform === "darwin") return 1;
  return readFileSync(join(lib, `libc10.${extension}`)).includes("NSt7__cxx1112basic_string") ? 1 : 0;
}

function isOlder(version: string, than: string): boolean {
  const [a = 0, b = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  const [c = 0, d = 0] = than.split(".").map(Number);
  return a < c || (a === c && b < d);
}

function readText(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
