/** Gets libtorch: one that is on this machine, else the official archive, Debian's package or pip's. */
import { SelfsightError, unknownName } from "../errors.ts";
import { aptInstall } from "./apt.ts";
import { fetchArchive, proxy, pytorchAnswers } from "./archive.ts";
import { openblasPackage } from "./blas.ts";
import { type FoundIn, finders, type Libtorch } from "./libtorch.ts";
import { pipInstall } from "./pip.ts";
import { fetchLog, pipFolder } from "./places.ts";

type Say = (line: string) => void;

interface Source {
  /** What messages call it. */
  title: string;
  /** Where to look for it, before and after fetching. */
  find: FoundIn;
  /** Fetches it. Returns undefined, or why it failed. */
  fetch?: (cmake: string, say: Say) => Promise<string | undefined>;
}

/** Sources of libtorch in the order they are tried, named as in $SELFSIGHT_LIBTORCH and `setup --libtorch`. */
export const libtorchSources = {
  env: { title: "the folder that $LIBTORCH names", find: "env" },
  python: { title: "Python's torch package", find: "python" },
  system: { title: "the system's libtorch", find: "system" },
  archive: { title: "PyTorch's official archive", find: "archive", fetch: fetchArchive },
  apt: {
    title: "Debian's package libtorch-dev",
    find: "system",
    fetch: () => aptInstall(["libtorch-dev", openblasPackage]),
  },
  pip: { title: "pip's torch package", find: "pip", fetch: fetchPip },
} satisfies Record<string, Source>;

export type LibtorchSource = keyof typeof libtorchSources;

/**
 * The requested source: `name`, else $SELFSIGHT_LIBTORCH, else "env" when $LIBTORCH is set (if its path is wrong, that
 * is reported, not ignored). Undefined: the first that works.
 * Throws UsageError, naming the sources, for an unknown name.
 */
export function askedSource(name = process.env["SELFSIGHT_LIBTORCH"]): LibtorchSource | undefined {
  const names = Object.keys(libtorchSources);
  if (name && !names.includes(name)) throw unknownName("libtorch source", name, names);
  if (name) return name as LibtorchSource;
  return process.env["LIBTORCH"] || process.env["LIBTORCH_LIB"] ? "env" : undefined;
}

/**
 * The first libtorch on this machine, or the one from the source `only`.
 * `misses` tells, for each place searched, why it is not there.
 */
export async function findLibtorch(only?: LibtorchSource): Promise<{ found?: Libtorch; misses: string[] }> {
  const misses: string[] = [];
  for (const place of only ? [libtorchSources[only].find] : (Object.keys(finders) as FoundIn[])) {
    const found = await finders[place]();
    if (typeof found !== "string") return { found, misses };
    misses.push(found);
  }
  return { misses };
}

/**
 * Finds or fetches libtorch. Reports, one line each, what it tries and why the previous attempt failed.
 * Throws SelfsightError with all reasons and the remedies when nothing worked.
 */
export async function getLibtorch(cmake: string, say: Say, only?: LibtorchSource): Promise<Libtorch> {
  const { found, misses } = await findLibtorch(only);
  if (found) return found;
  const reasons = [...misses];
  for (const name of only ? [only] : (Object.keys(libtorchSources) as LibtorchSource[])) {
    const source: Source = libtorchSources[name];
    if (!source.fetch) continue;
    say(`No libtorch yet (${reasons.at(-1)}). Trying ${source.title} ...`);
    const failure = await source.fetch(cmake, say);
    const now = failure ?? (await finders[source.find]());
    if (typeof now !== "string") return now;
    reasons.push(now);
  }
  throw new SelfsightError(noLibtorch(reasons));
}

/** The error message when there is no libtorch and none can be fetched. */
export function noLibtorch(reasons: readonly string[]): string {
  return [
    "No usable libtorch (the library that does the arithmetic):",
    ...reasons.map((reason) => `  - ${reason}`),
    "Do one of these and run setup again:",
    "  - Debian, Ubuntu:  sudo apt-get install libtorch-dev libopenblas0-openmp",
    "  - any system:      pip install torch",
    "  - or unpack an archive from https://pytorch.org/get-started/locally/ (LibTorch) and set LIBTORCH=<its folder>",
    `What the tools printed is in ${fetchLog()}`,
  ].join("\n");
}

async function fetchPip(_cmake: string, say: Say): Promise<string | undefined> {
  // On Linux the default index has CUDA builds of several gigabytes; PyTorch's own has one for the CPU only.
  // pip goes through a proxy, Node does not: its silence says nothing then.
  const cpuOnly = process.platform === "linux" && (proxy() !== undefined || (await pytorchAnswers("whl/cpu/torch/")));
  if (!cpuOnly && process.platform === "linux")
    say("PyTorch's CPU index does not answer: pip's usual one it is (large).");
  return pipInstall(["torch"], pipFolder(), cpuOnly ? ["--index-url", "https://download.pytorch.org/whl/cpu"] : []);
}
