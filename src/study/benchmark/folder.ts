/** The folder of a benchmark: the same command goes on where it was, another command is refused. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { listed } from "../../data/names.ts";
import { onDisk, SelfsightError, UsageError } from "../../errors.ts";
import { writeJson } from "../../files.ts";
import { inUse, nameForFolder } from "../../run/folder.ts";
import { makeFolder } from "../../setup/folders.ts";
import { isSign, takeLock } from "../../setup/lock.ts";
import type { BenchmarkConfig } from "./options.ts";

/** Bump when what an older benchmark trained or measured could not be compared with what is added. */
const VERSION = 2;

/** Paths inside the folder. */
export const benchmarkFiles = (folder: string) => ({
  config: join(folder, "benchmark.json"),
  runs: join(folder, "runs"),
  /** What was measured, by content. */
  measured: join(folder, "measured"),
  /** What was decided by the time there was. */
  plan: join(folder, "plan.json"),
  /** How long measuring has taken. */
  spent: join(folder, "spent.json"),
  report: join(folder, "report.json"),
  page: join(folder, "report.html"),
  /** Training images whose label looks wrong. */
  suspects: join(folder, "label-suspects.csv"),
});

export const defaultFolder = (images: string): string => join("runs", `benchmark-${nameForFolder(images)}`);

/** Settings that may differ when it goes on: what was computed is still right. */
const MAY_CHANGE = [
  "out",
  "device",
  "threads",
  "scratchDraws",
  "scratchSteps",
  "labelsPerClass",
  "weights",
  "weightsSize",
];
/** Settings of which there may be more when it goes on. */
const MAY_GROW = ["draws", "seeds", "protocol"];

/** Whether a number is as large as before, or a list holds all that it held. */
function hasGrown(before: unknown, now: unknown): boolean {
  return Array.isArray(before) && Array.isArray(now)
    ? before.every((one) => now.includes(one))
    : typeof before === "number" && typeof now === "number" && now >= before;
}

/**
 * Claims the folder, new or begun by the same command. Returns a function that releases it.
 * @param collection identifies the images
 * @throws UsageError for a folder of another benchmark or of anything else, for one in use, and for other images than it began with
 */
export async function claimFolder(config: BenchmarkConfig, collection: string): Promise<() => void> {
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
  onDisk(`${out} cannot be made`, () => makeFolder(out));
  const release = await takeLock(join(out, "lock"));
  if (typeof release !== "function") throw inUse(out, release);
  try {
    if (existsSync(files.config)) refuseOther(config, collection, files.config);
    writeJson(files.config, { version: VERSION, collection, ...config }); // first: without it, the folder would count as another's
    onDisk(`${files.measured} cannot be made`, () => makeFolder(files.measured));
    return release;
  } catch (error) {
    release();
    throw error;
  }
}

function refuseOther(config: BenchmarkConfig, collection: string, file: string): void {
  let before: Readonly<Record<string, unknown>>;
  let [version, images]: unknown[] = [];
  try {
    ({ version, collection: images, ...before } = JSON.parse(readFileSync(file, "utf8")) as typeof before);
  } catch (cause) {
    throw new SelfsightError(`${file} is damaged: it is no JSON. Delete the folder, or choose another --out.`, {
      cause,
    });
  }
  if (version !== VERSION)
    throw new UsageError(
      `${config.out} holds a benchmark of another version of Selfsight. Choose another --out, or go on with that version.`,
    );
  const now: Readonly<Record<string, unknown>> = { ...config };
  const changed = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
    (key) =>
      JSON.stringify(before[key]) !== JSON.stringify(now[key]) &&
      !MAY_CHANGE.includes(key) &&
      !(MAY_GROW.includes(key) && hasGrown(before[key], now[key])),
  );
  if (!changed.length) {
    if (images === undefined || images === collection) return; // the user may have deleted it, see below
    const [were, are] = [images, collection].map((one) => String(one).split(" ")[0]);
    throw new UsageError(
      `${config.images} holds other images than when ${config.out} was begun (${were} then, ${are} now${were === are ? ", but with other names, sizes or dates" : ""}): ` +
        `what was trained and measured is of those. Put the images back, or choose another --out. If only dates or places of the files have changed, delete "collection" from ${file}.`,
    );
  }
  const list = changed.map((key) => `${key} was ${JSON.stringify(before[key])}, is ${JSON.stringify(now[key])}`);
  throw new UsageError(
    `${config.out} holds a benchmark with other settings: ${list.join("; ")}. Repeat its command to go on with it, or choose another --out.${changed.some((key) => MAY_GROW.includes(key)) ? ` It may have more ${listed(MAY_GROW)} then, never fewer.` : ""}`,
  );
}
