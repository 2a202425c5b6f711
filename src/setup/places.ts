/** Where setup keeps its files: builds in the package, downloads in the cache. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheDir } from "./paths.ts";

/** The release of libtorch that is fetched if none is found. Its checksums are in archive.ts. */
export const pinnedLibtorch = "2.7.1";

/** The package's own folder: two levels above both src/setup and dist/setup. */
export const packageRoot = (): string => fileURLToPath(new URL("../../", import.meta.url));

/** Holds one folder for each libtorch the addon was built against, and current.json. */
export const buildFolder = (): string => join(packageRoot(), "build");

/** The unpacked archive of libtorch. */
export const archiveFolder = (): string => join(cacheDir(), `libtorch-${pinnedLibtorch}`);

/** PyTorch from pip, in a separate folder. */
export const pipFolder = (): string => join(cacheDir(), "pip-torch");

/** CMake and Ninja from pip, for a system that has none. */
export const toolsFolder = (): string => join(cacheDir(), "pip-tools");

/** Output of the programs that fetch things. */
export const fetchLog = (): string => join(cacheDir(), "setup.log");
