/** Finds the images that the paths in a table of labels name. */
import { isAbsolute, relative, resolve, sep } from "node:path";
import { UsageError } from "../errors.ts";
import { rowsOf } from "./images.ts";
import { isImageName } from "./magic.ts";
import { plural, some } from "./names.ts";

export interface Places {
  /** Folder of the images, if they are in one. */
  root: string | undefined;
  /** Folder of the table. */
  folder: string;
  /** Names for messages: the table's and the images'. */
  table: string;
  images: string;
}

export interface Matches {
  /** For each path: the image's index, or -1 for none. */
  at: Int32Array;
  notes: string[];
}

/**
 * Paths are relative to the images' folder or to the table's, with / or \, and may lack the ending. A path that is neither
 * counts by its file name, if only one such image and one such path are left.
 * @param ids the images' paths in their folder
 * @throws UsageError if no path names an image
 */
export function matchPaths(paths: readonly string[], ids: readonly string[], places: Places): Matches {
  const byPath = new Index(ids);
  const at = Int32Array.from(paths, (path) => exact(path, byPath, places));
  const taken = new Set(at);
  const left = [...rowsOf(at, (row) => at[row] === -1)];
  const names = new Index(ids.map((id, i) => (taken.has(i) ? "" : lastOf(id))));
  const wanted = counts([...new Set(left.map((row) => slashed(paths[row] as string)))].map(lastOf));
  const byName: string[] = [];
  for (const row of left) {
    const name = lastOf(slashed(paths[row] as string));
    const found = wanted.get(name) === 1 ? names.find(name) : -1;
    if (found < 0) continue;
    at[row] = found;
    byName.push(`${paths[row]} is ${ids[found]}`);
  }
  const missing = [...rowsOf(at, (row) => at[row] === -1)].map((row) => paths[row] as string);
  const [first] = missing;
  if (missing.length === paths.length)
    throw new UsageError(
      `None of the ${plural(paths.length, "path")} in ${places.table} names an image of ${places.images}: the table has "${first}", ` +
        `the folder has "${ids[0]}". Write paths relative to the folder of the images or of the table.`,
    );
  const notes = [];
  if (byName.length)
    notes.push(
      `${plural(byName.length, "path")} in ${places.table} ${byName.length === 1 ? "was" : "were"} found by file name alone: ${some(byName)}.`,
    );
  if (missing.length)
    notes.push(
      `${plural(missing.length, "path")} in ${places.table} ${missing.length === 1 ? "names" : "name"} no image: ${some(missing)}.`,
    );
  return { at, notes };
}

/** Image of a path relative to the images' folder, else to the table's; -1 for none. */
function exact(path: string, index: Index, { root, folder }: Places): number {
  const own = slashed(path);
  const found = isAbsolute(own) ? -1 : index.find(own);
  if (found >= 0 || root === undefined) return found;
  return index.find(relative(resolve(root), resolve(folder, own)).replaceAll(sep, "/"));
}

/** Positions by name, and by name without the image's ending. A name of several images has none. */
class Index {
  private readonly whole: Map<string, number>;
  private readonly stems: Map<string, number>;

  constructor(names: readonly string[]) {
    const normal = names.map((name) => name.replaceAll("\\", "/").normalize("NFC"));
    this.whole = positions(normal);
    this.stems = positions(normal.map((name) => (isImageName(name) ? name.replace(/\.\w+$/, "") : "")));
  }

  find(name: string): number {
    const key = name.normalize("NFC");
    if (key === "") return -1;
    return this.whole.get(key) ?? this.stems.get(key) ?? -1;
  }
}

function positions(names: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const [i, name] of names.entries()) found.set(name, found.has(name) ? -1 : i);
  return found;
}

/** With / between folders, and without ./ at the start. */
const slashed = (path: string) => path.replaceAll("\\", "/").replace(/^(\.\/+)+/, "");

const lastOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

function counts(names: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of names) found.set(name, (found.get(name) ?? 0) + 1);
  return found;
}
