/** Where setup keeps what it makes: the build in the package, what it fetches in the cache. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheDir } from "./paths.ts";

/** The release of libtorch that is fetched where none is found. See archive.ts for its checksums. */
export const pinnedLibtorch = "2.7.1";

/** The package's own folder; the same seen from src/setup and from dist/setup. */
export const packageRoot = (): string => fileURLToPath(new URL("../../", import.meta.url));

/** Holds one folder for each libtorch the addon was built against, and current.json. */
export const buildFolder = (): string => join(packageRoot(), "build");

/** The unpacked archive. */
export const archiveFolder = (): string => join(cacheDir(), `libtorch-${pinnedLibtorch}`);

/** Python packages with PyTorch, in a folder of their own. */
export const pipFolder = (): string => join(cacheDir(), "pip-torch");

/** CMake and Ninja from pip, where the system has none. */
export const toolsFolder = (): string => join(cacheDir(), "pip-tools");

/** What the programs that fetch things print. */
export const fetchLog = (): string => join(cacheDir(), "setup.log");
