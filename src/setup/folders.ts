/** Makes and removes folders. */
import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes a folder and its missing parents, and returns those it made, topmost first. Node's own `recursive` never ends
 * on a file system that answers ENOENT when asked to make a folder (/proc on Linux).
 */
export function makeFolder(path: string): string[] {
  const missing: string[] = [];
  let folder = resolve(path);
  for (; !isThere(folder) && folder !== missing[0]; folder = dirname(folder)) missing.unshift(folder);
  return missing.filter(makeOne);
}

/** Removes folders, last first, up to the first that is not empty. */
export function removeEmpty(folders: readonly string[]): void {
  try {
    for (const folder of folders.toReversed()) rmdirSync(folder);
  } catch {
    // not empty: it stays
  }
}

function isThere(folder: string): boolean {
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (stats && !stats.isDirectory()) {
    throw Object.assign(new Error(`ENOTDIR: not a directory, mkdir '${folder}'`), {
      code: "ENOTDIR",
      syscall: "mkdir",
      path: folder,
    });
  }
  return stats !== undefined;
}

/** False if another process made it in the meantime. */
function makeOne(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST" && isThere(folder)) return false;
    throw error;
  }
}
