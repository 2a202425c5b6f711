/** The programs the build needs: a C++ compiler, which we only look for, and CMake, which we can fetch. */
import { join } from "node:path";
import { SelfsightError } from "../errors.ts";
import { aptInstall } from "./apt.ts";
import { pipInstall } from "./pip.ts";
import { fetchLog, toolsFolder } from "./places.ts";
import { isProgram, which, works } from "./process.ts";

/** CMake and the program it drives. */
export interface BuildTools {
  cmake: string;
  generator: "Unix Makefiles" | "Ninja";
  /** Path of make or ninja. */
  maker: string;
}

/** The C++ compiler that CMake would use, or undefined. */
export function findCompiler(): string | undefined {
  const named = process.env["CXX"];
  if (named) return isProgram(named) ? named : which(named);
  return ["c++", "g++", "clang++"].map(which).find((path) => path !== undefined && works(path));
}

/** Like findCompiler, but throws SelfsightError with the package to install. */
export function requireCompiler(): string {
  const compiler = findCompiler();
  if (!compiler) throw new SelfsightError(noCompiler(process.env["CXX"]));
  return compiler;
}

/** The error message when there is no C++ compiler. */
export function noCompiler(named?: string): string {
  const what = named
    ? `$CXX names the C++ compiler "${named}", which is not there.`
    : "There is no C++ compiler on PATH.";
  return [
    `${what} The addon is compiled on your machine, once. Install one and run setup again:`,
    "  - Debian, Ubuntu:  sudo apt-get install g++ make",
    "  - Fedora:          sudo dnf install gcc-c++ make",
    "  - Arch:            sudo pacman -S gcc make",
    "  - macOS:           xcode-select --install",
  ].join("\n");
}

/** CMake with make or ninja, from PATH or from an earlier fetch; undefined when one is missing. */
export function findBuildTools(): BuildTools | undefined {
  const fetched = [join(toolsFolder(), "cmake", "data", "bin"), join(toolsFolder(), "bin")];
  const find = (name: string) => which(name) ?? fetched.map((f) => join(f, name)).find(isProgram);
  const cmake = which("cmake") ?? find("cmake");
  const make = which("make");
  const ninja = make ? undefined : find("ninja");
  if (!cmake) return undefined;
  if (make) return { cmake, generator: "Unix Makefiles", maker: make };
  return ninja ? { cmake, generator: "Ninja", maker: ninja } : undefined;
}

/** Like findBuildTools, but fetches what is missing: with apt-get as root on Debian, else with pip into the cache. */
export async function getBuildTools(say: (line: string) => void): Promise<BuildTools> {
  const found = findBuildTools();
  if (found) return found;
  say("CMake or make is missing. Trying apt-get ...");
  const aptFailure = await aptInstall(["cmake", "make"]);
  const fromApt = findBuildTools();
  if (fromApt) return fromApt;
  say(`That failed (${aptFailure}). Trying pip ...`);
  const pipFailure = await pipInstall(["cmake", "ninja"], toolsFolder());
  const fromPip = findBuildTools();
  if (fromPip) return fromPip;
  throw new SelfsightError(noBuildTools([aptFailure, pipFailure]));
}

/** The error message when CMake is missing and cannot be fetched. */
export function noBuildTools(reasons: readonly (string | undefined)[]): string {
  return [
    "CMake (with make or ninja) is not here and could not be fetched:",
    ...reasons.filter((reason) => reason !== undefined).map((reason) => `  - ${reason}`),
    "Install it and run setup again:",
    "  - Debian, Ubuntu:  sudo apt-get install cmake make",
    "  - Fedora:          sudo dnf install cmake make",
    "  - macOS:           brew install cmake",
    "  - any system:      pip install cmake ninja",
    `What the tools printed is in ${fetchLog()}`,
  ].join("\n");
}
