/** Where `embed` writes: under names that end in .part until everything is complete. */
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, extname } from "node:path";
import { onDisk, UsageError } from "../errors.ts";

export interface Place {
  kind: "parquet" | "npy";
  /** The features as they are computed: in the end NumPy's file, or thrown away. */
  features: string;
  /** What is said of each image: the Parquet file, which repeats the features, or the CSV file. */
  table: string;
  /** The parts that are kept, and their names. */
  results: readonly { part: string; file: string }[];
}

/**
 * Writes nothing yet: the images may lie in the same folder.
 * @throws UsageError for another ending than .parquet and .npy, a file that exists, or a missing folder; SelfsightError for a
 *   folder that cannot be written
 */
export function placeOf(out: string): Place {
  const ending = extname(out);
  const kind = ending.slice(1).toLowerCase();
  if (kind !== "parquet" && kind !== "npy")
    throw new UsageError(`Expected --out to end in .parquet or .npy; got "${out}". Choose one of the two.`);
  const partOf = (file: string, what = "") => `${file}.${process.pid}${what}.part`;
  const csv = `${out.slice(0, -ending.length)}.csv`;
  const features = partOf(out, ".features");
  const table = partOf(kind === "parquet" ? out : csv);
  const results =
    kind === "parquet"
      ? [{ part: table, file: out }]
      : [
          { part: features, file: out },
          { part: table, file: csv },
        ];
  for (const { file } of results) refuseExisting(file);
  const folder = dirname(out);
  if (!onDisk(failure(out), () => statSync(folder, { throwIfNoEntry: false })?.isDirectory()))
    throw new UsageError(`There is no folder "${folder}". Make it first, or choose another --out.`);
  onDisk(failure(out), () => accessSync(folder, constants.W_OK));
  return { kind, features, table, results };
}

const failure = (file: string) => `${file} cannot be written`;

function refuseExisting(file: string): void {
  if (onDisk(failure(file), () => lstatSync(file, { throwIfNoEntry: false })))
    throw new UsageError(`${file} exists and is never overwritten. Delete it, or choose another --out.`);
}

/** Removes the parts in the end, also when the process is told to end at once. */
export function removeParts({ features, table }: Place, cleanup: (() => unknown)[]): void {
  const remove = () => {
    for (const part of [features, table]) rmSync(part, { force: true });
  };
  process.on("exit", remove);
  cleanup.push(() => {
    process.off("exit", remove);
    remove();
  });
}

/** Gives complete parts their names. @throws UsageError if one of these is taken by now */
export function keepParts({ results }: Place): void {
  for (const { file } of results) refuseExisting(file);
  for (const { part, file } of results)
    onDisk(failure(file), () => {
      const descriptor = openSync(part, "r+");
      fsyncSync(descriptor);
      closeSync(descriptor);
      renameSync(part, file);
    });
}
