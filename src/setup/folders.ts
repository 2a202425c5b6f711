/** Making folders. */
import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes a folder and those above it that are missing, and returns what it made, the uppermost first. Node's own
 * `recursive` never ends where a file system makes no folders and says that there is none (/proc on Linux).
 */
export function makeFolder(path: string): string[] {
  const missing: string[] = [];
  let folder = resolve(path);
  for (; !isThere(folder) && folder !== missing[0]; folder = dirname(folder)) missing.unshift(folder);
  return missing.filter(makeOne);
}

/** Removes folders, the last first, as far as they are empty. */
export function removeEmpty(folders: readonly string[]): void {
  try {
    for (const folder of folders.toReversed()) rmdirSync(folder);
  } catch {
    // something was put into it: it stays
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

/** False where another process made it in the meantime. */
function makeOne(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST" && isThere(folder)) return false;
    throw error;
  }
}
