/** The folder of a benchmark: the same command goes on where it was, another command is refused. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { onDisk, SelfsightError, UsageError } from "../errors.ts";
import { writeJson } from "../files.ts";
import { makeFolder } from "../setup/folders.ts";
import { isSign, takeLock } from "../setup/lock.ts";
import type { BenchmarkConfig } from "./options.ts";
import { nameOf } from "./study-folder.ts";

/** Paths inside the folder. */
export const benchmarkFiles = (folder: string) => ({
  config: join(folder, "benchmark.json"),
  runs: join(folder, "runs"),
  /** What was measured, by content. */
  measured: join(folder, "measured"),
  report: join(folder, "report.json"),
  page: join(folder, "report.html"),
});

export const defaultFolder = (images: string): string => join("runs", `benchmark-${nameOf(images)}`);

/** Settings that may differ when it goes on: they do not change what is computed. */
const MAY_CHANGE = ["out", "device", "threads"];

/**
 * Claims the folder, new or begun by the same command. Returns a function that releases it.
 * @throws UsageError for a folder of another benchmark, or of anything else, and for one in use
 */
export async function claimFolder(config: BenchmarkConfig): Promise<() => void> {
  const { out, images } = config;
  if (resolve(out) === resolve(images)) {
    throw new UsageError(
      `--out ${out} is also what the images are called: they could not be found again. Choose another.`,
    );
  }
  const files = benchmarkFiles(out);
  const others = onDisk(`${out} cannot be read`, () => (existsSync(out) ? readdirSync(out) : []));
  if (others.length && !existsSync(files.config) && !others.every((name) => isSign(join(out, "lock"), name))) {
    throw new UsageError(`${out} exists and is not a benchmark's folder. Choose another with --out.`);
  }
  onDisk(`${out} cannot be made`, () => makeFolder(files.measured));
  const release = await takeLock(join(out, "lock"));
  if (typeof release !== "function") {
    throw new UsageError(`${out} is in use by process ${release.pid}. Wait until it is done, or choose another --out.`);
  }
  try {
    if (existsSync(files.config)) refuseOther(config, files.config);
    else writeJson(files.config, config);
    return release;
  } catch (error) {
    release();
    throw error;
  }
}

function refuseOther(config: BenchmarkConfig, file: string): void {
  let before: Readonly<Record<string, unknown>>;
  try {
    before = JSON.parse(readFileSync(file, "utf8")) as typeof before;
  } catch (cause) {
    throw new SelfsightError(`${file} is damaged: it is no JSON. Delete the folder, or choose another --out.`, {
      cause,
    });
  }
  const now: Readonly<Record<string, unknown>> = { ...config };
  const changed = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
    (key) => !MAY_CHANGE.includes(key) && JSON.stringify(before[key]) !== JSON.stringify(now[key]),
  );
  if (!changed.length) return;
  const list = changed.map((key) => `${key} was ${JSON.stringify(before[key])}, is ${JSON.stringify(now[key])}`);
  throw new UsageError(
    `${config.out} holds a benchmark with other settings: ${list.join("; ")}. Repeat its command to go on with it, or choose another --out.`,
  );
}
