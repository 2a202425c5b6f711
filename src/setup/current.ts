/** The addon in use: build/current.json, written by setup and read when the addon is loaded. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { SelfsightError } from "../errors.ts";
import { makeFolder } from "./folders.ts";
import type { Libtorch } from "./libtorch.ts";
import { buildFolder } from "./places.ts";

/** What build/current.json holds. */
export interface CurrentBuild {
  /** Absolute path of selfsight.node. */
  addon: string;
  libtorch: Libtorch;
  /** Digest of the addon's sources and of the libtorch they were compiled against. */
  builtFrom: string;
}

const currentFile = (): string => join(buildFolder(), "current.json");

/** The last build, or undefined when there is none (or its addon is gone). */
export function currentBuild(): CurrentBuild | undefined {
  try {
    const build = JSON.parse(readFileSync(currentFile(), "utf8")) as CurrentBuild;
    return existsSync(build.addon) ? build : undefined;
  } catch {
    return undefined;
  }
}

/** Absolute path of the addon to load: $SELFSIGHT_ADDON, or the last build. Throws SelfsightError if there is none. */
export function addonPath(): string {
  const path = process.env["SELFSIGHT_ADDON"] ?? currentBuild()?.addon;
  if (path) return path;
  throw new SelfsightError(
    "The addon that calls libtorch has not been built. Run `npx selfsight setup` (in a clone: `npm run setup`).",
  );
}

/** Makes `build` the one in use. */
export function writeCurrentBuild(build: CurrentBuild): void {
  const file = currentFile();
  makeFolder(dirname(file));
  writeFileSync(`${file}.new`, `${JSON.stringify(build, null, 2)}\n`);
  renameSync(`${file}.new`, file); // atomic, for readers in other processes
}
