import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { cacheDir } from "../../src/setup/paths.ts";

it.each<[NodeJS.ProcessEnv, NodeJS.Platform, string]>([
  [{}, "linux", join(homedir(), ".cache", "selfsight")],
  [{}, "darwin", join(homedir(), "Library", "Caches", "selfsight")],
  [{ LOCALAPPDATA: "local" }, "win32", resolve("local", "selfsight", "cache")],
  [{ XDG_CACHE_HOME: "xdg" }, "linux", resolve("xdg", "selfsight")],
  [{ XDG_CACHE_HOME: "xdg", SELFSIGHT_CACHE: "own" }, "darwin", resolve("own")],
])("with %j on %s, things are kept in %s", (environment, platform, expected) => {
  expect(cacheDir(environment, platform)).toBe(expected);
});
