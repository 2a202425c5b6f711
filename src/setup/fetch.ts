/** Getting libtorch: what is on this machine first, then the official archive, Debian's package, or pip's. */
import { SelfsightError, unknownName } from "../errors.ts";
import { aptInstall } from "./apt.ts";
import { fetchArchive, pytorchAnswers } from "./archive.ts";
import { openblasPackage } from "./blas.ts";
import { type FoundIn, finders, type Libtorch } from "./libtorch.ts";
import { pipInstall } from "./pip.ts";
import { fetchLog, pipFolder } from "./places.ts";

type Say = (line: string) => void;

interface Source {
  /** What is said while it is fetched. */
  title: string;
  /** Where to look for it, before and after fetching. */
  find: FoundIn;
  /** Returns why it could not be fetched, or undefined when it was. */
  fetch?: (cmake: string, say: Say) => Promise<string | undefined>;
}

/** Where libtorch can come from, as $SELFSIGHT_LIBTORCH and `setup --libtorch` name it, in the order of trying. */
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
 * The source that is asked for: `name`, else $SELFSIGHT_LIBTORCH, else "env" when $LIBTORCH is set (one that leads
 * nowhere is a mistake to hear about, not one to pass over). Undefined: the first that works.
 * Throws UsageError, naming the sources, if there is none of that name.
 */
export function askedSource(name = process.env["SELFSIGHT_LIBTORCH"]): LibtorchSource | undefined {
  const names = Object.keys(libtorchSources);
  if (name && !names.includes(name)) throw unknownName("libtorch source", name, names);
  if (name) return name as LibtorchSource;
  return process.env["LIBTORCH"] || process.env["LIBTORCH_LIB"] ? "env" : undefined;
}

/**
 * The first libtorch on this machine, from `only` that source if given.
 * `misses` tells for each place looked at why it is not there.
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
 * Finds libtorch or gets it. Says, one line each, what it tries and why what came before did not work.
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

/** The refusal when there is no libtorch and none can be had. */
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
  // On Linux the usual index has CUDA builds of several gigabytes; PyTorch's own has one for the CPU alone.
  const cpuOnly = process.platform === "linux" && (await pytorchAnswers("whl/cpu/torch/"));
  if (!cpuOnly && process.platform === "linux")
    say("PyTorch's CPU index does not answer: pip's usual one it is (large).");
  return pipInstall(["torch"], pipFolder(), cpuOnly ? ["--index-url", "https://download.pytorch.org/whl/cpu"] : []);
}
