/** Where Selfsight keeps files that can be fetched or made again. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Absolute: `$SELFSIGHT_CACHE`, else a folder in the system's location for caches. */
export function cacheDir(environment: NodeJS.ProcessEnv = process.env, platform = process.platform): string {
  if (environment["SELFSIGHT_CACHE"]) return resolve(environment["SELFSIGHT_CACHE"]);
  if (environment["XDG_CACHE_HOME"]) return resolve(environment["XDG_CACHE_HOME"], "selfsight");
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "selfsight");
  if (platform === "win32") return resolve(environment["LOCALAPPDATA"] ?? homedir(), "selfsight", "cache");
  return join(homedir(), ".cache", "selfsight");
}
