/**
 * File names as stored on disk. A name is bytes, and not always UTF-8: older systems wrote Latin-1. A byte that is not
 * UTF-8 becomes a lone surrogate (U+DC80 to U+DCFF), so that names stay strings and no byte is lost.
 */
import { isUtf8 } from "node:buffer";
import { type Dirent, opendirSync, readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";

const LONE = /[\udc80-\udcff]/u;

/** Whether a name has bytes that are not UTF-8. */
export const isForeign = (name: string): boolean => LONE.test(name);

/** A path as the file system takes it. */
export function diskPath(path: string): string | Buffer {
  return isForeign(path) ? encodeName(path) : path;
}

/** A name for display: a byte that is not UTF-8 is shown as `\xE9`. */
export function shown(name: string): string {
  if (!isForeign(name)) return name;
  return name.replace(/[\udc80-\udcff]/gu, (byte) => `\\x${(byte.charCodeAt(0) - 0xdc00).toString(16).toUpperCase()}`);
}

/** The bytes of a name. */
export function encodeName(name: string): Buffer {
  if (!isForeign(name)) return Buffer.from(name);
  const pieces = name.split(/([\udc80-\udcff])/u);
  return Buffer.concat(
    pieces.map((piece) => (isForeign(piece) ? Buffer.of(piece.charCodeAt(0) - 0xdc00) : Buffer.from(piece))),
  );
}

/** The inverse of {@link encodeName}. */
export function decodeName(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  // Character by character: up to four bytes each.
  let name = "";
  for (let i = 0; i < bytes.length; ) {
    const first = bytes[i] as number;
    const character = bytes.subarray(i, i + (first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4));
    const valid = isUtf8(character);
    name += valid ? character.toString() : String.fromCharCode(0xdc00 + first);
    i += valid ? character.length : 1;
  }
  return name;
}

export interface Entry {
  name: string;
  kind: "file" | "folder" | "other";
  /** Whether it is a link. Links to folders and files are followed; a broken one is of kind "other". */
  link: boolean;
}

/**
 * Yields a folder's entries one by one: a list of a million would take more memory than all that is kept.
 * @throws UsageError when the folder cannot be read
 */
export function* entriesOf(folder: string): Generator<Entry> {
  const path = diskPath(folder);
  const open = readable(folder, () => opendirSync(path as string, { bufferSize: 1024 }));
  let garbled = false;
  try {
    for (let entry = open.readSync(); entry; entry = open.readSync()) {
      // Node puts U+FFFD into names that are not UTF-8: these are read again, as bytes.
      if (entry.name.includes("\ufffd")) garbled = true;
      else yield describe(folder, entry.name, entry);
    }
  } finally {
    open.closeSync();
  }
  if (!garbled) return;
  for (const entry of readable(folder, () => readdirSync(path, { withFileTypes: true, encoding: "buffer" }))) {
    const name = decodeName(entry.name);
    if (isForeign(name) || name.includes("\ufffd")) yield describe(folder, name, entry);
  }
}

function describe(folder: string, name: string, entry: Dirent<string> | Dirent<Buffer>): Entry {
  const link = entry.isSymbolicLink();
  const stats = link ? statIfThere(join(folder, name)) : entry;
  return { name, link, kind: stats?.isDirectory() ? "folder" : stats?.isFile() ? "file" : "other" };
}

/** Undefined for a missing path or a broken or circular link. @throws UsageError when access fails otherwise */
export function statIfThere(path: string): Stats | undefined {
  return readable(path, () => {
    try {
      return statSync(diskPath(path));
    } catch (error) {
      if (["ENOENT", "ELOOP"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
      throw error;
    }
  });
}

/** Runs `read`, which reads `path`. @throws UsageError when that fails */
export function readable<Result>(path: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const remedy = code === "EACCES" || code === "EPERM" ? " Check its permissions." : "";
    throw new UsageError(`${shown(path)} cannot be read: ${message}.${remedy}`, { cause });
  }
}

/**
 * The canonical path of a file or folder. It tells folders with equal names, sizes and dates apart.
 */
export function realPath(path: string): string {
  const bytes = readable(path, () => realpathSync.native(diskPath(path) as string, { encoding: "buffer" }));
  return decodeName(bytes);
}

/** "a, b, c and 4 more" */
export function some(names: Iterable<string>, count?: number, most = 3): string {
  const all = [...names];
  const total = count ?? all.length;
  const first = all.slice(0, most).map(shown).join(", ");
  return total > most ? `${first} and ${total - Math.min(most, all.length)} more` : first;
}

/** "a, b and c" */
export const listed = (words: readonly (string | number)[]): string =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;

/** "1 image", "3 images" */
export const plural = (count: number, one: string, many = `${one}s`) =>
  `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
