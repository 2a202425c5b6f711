/** Setup: finds or fetches libtorch and builds the addon against it. Done once; later calls only check. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { SelfsightError } from "../errors.ts";
import { openblasPackage, referenceBlas } from "./blas.ts";
import { buildAddon, buildDigest, earlierBuild } from "./build.ts";
import { type CurrentBuild, currentBuild, writeCurrentBuild } from "./current.ts";
import { askedSource, findLibtorch, getLibtorch, type LibtorchSource, libtorchSources } from "./fetch.ts";
import { makeFolder } from "./folders.ts";
import { finders, inspectAgain, type Libtorch } from "./libtorch.ts";
import { withLock } from "./lock.ts";
import { cacheDir } from "./paths.ts";
import { buildFolder } from "./places.ts";
import { findBuildTools, getBuildTools, requireCompiler } from "./tools.ts";

type Say = (line: string) => void;
type Asked = LibtorchSource | undefined;

export interface SetupOptions {
  /**
   * Use only this source of libtorch: env, python, system, archive, apt or pip. By default
   * $SELFSIGHT_LIBTORCH, $LIBTORCH, what the last build used, or the first that works.
   */
  libtorch?: string | undefined;
  /** Search and build again even if nothing changed. */
  force?: boolean;
  /** Receives progress messages, one line each. Not called when there is nothing to do. */
  say?: Say;
}

/**
 * Makes sure that the addon is built, and returns the build. Needs a C++ compiler; fetches the rest.
 * Throws UsageError for an unknown source, SelfsightError with the remedies when something cannot be fetched or built.
 */
export async function setup(options: SetupOptions = {}): Promise<CurrentBuild> {
  const { say = () => {}, force = false } = options;
  const only = askedSource(options.libtorch);
  const current = currentBuild();
  if (!force && current && (await isUpToDate(current, only))) return current;
  if (!canWrite(buildFolder()))
    throw new SelfsightError(
      `The addon is built in ${buildFolder()}, which cannot be written to. Run setup as the owner of that folder.`,
    );
  const waiting = (holder: string) => say(`Another process is setting up; waiting for it (${holder}) ...`);
  return withLock(join(buildFolder(), "lock"), waiting, async () => {
    const meanwhile = currentBuild();
    if (!force && meanwhile && (await isUpToDate(meanwhile, only))) return meanwhile;
    const kept = !only && !force && meanwhile ? inspectAgain(meanwhile.libtorch) : undefined;
    return build(say, only, typeof kept === "string" ? undefined : kept, force);
  });
}

async function build(say: Say, only: Asked, kept: Libtorch | undefined, force: boolean): Promise<CurrentBuild> {
  const compiler = requireCompiler();
  const tools = findBuildTools() ?? (await fetching(say, () => getBuildTools(say)));
  const found = kept ?? (await findLibtorch(only)).found;
  const libtorch = found ?? (await fetching(say, () => getLibtorch(tools.cmake, say, only)));
  const builtFrom = buildDigest(libtorch);
  const earlier = force ? undefined : earlierBuild(libtorch, builtFrom);
  if (earlier) {
    writeCurrentBuild(earlier);
    return earlier;
  }
  say(`Building the addon against libtorch ${libtorch.version} (${libtorch.libDirs[0]}): about a minute ...`);
  if (referenceBlas(libtorch))
    say(`fp32 would be many times faster with OpenBLAS: sudo apt-get install ${openblasPackage}`);
  const built = await buildAddon(libtorch, tools, compiler, builtFrom);
  writeCurrentBuild(built);
  say(`Ready: ${built.addon}`);
  return built;
}

/** One process at a time fetches into the cache, which other clones share. Without a cache that can be written to, only apt-get can help. */
function fetching<T>(say: Say, work: () => Promise<T>): Promise<T> {
  if (!canWrite(cacheDir())) return work();
  const waiting = (holder: string) =>
    say(`Another process is fetching what setup needs; waiting for it (${holder}) ...`);
  return withLock(join(cacheDir(), "fetch.lock"), waiting, work);
}

function canWrite(folder: string): boolean {
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether the last build is still valid: same sources, same libtorch, and no other libtorch is requested. */
async function isUpToDate(current: CurrentBuild, only: Asked): Promise<boolean> {
  const wanted = await wantedLibtorch(current, only);
  if (!wanted || !isSame(wanted, current.libtorch)) return false;
  try {
    return buildDigest(current.libtorch) === current.builtFrom;
  } catch {
    return false; // its library is gone
  }
}

/** The requested libtorch; by default the one that the last build used. */
async function wantedLibtorch(current: CurrentBuild, only: Asked): Promise<Libtorch | undefined> {
  if (!only) return current.libtorch;
  const found = await finders[libtorchSources[only].find]();
  return typeof found === "string" ? undefined : found;
}

function isSame(a: Libtorch, b: Libtorch): boolean {
  return (
    a.version === b.version && a.libDirs.join() === b.libDirs.join() && a.includeDirs.join() === b.includeDirs.join()
  );
}
