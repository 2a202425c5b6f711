/** Writes files atomically: a reader sees the old one or the new one, never half of it. Reads what may be missing. */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { onDisk } from "./errors.ts";

/**
 * Replaces or creates a file.
 * @throws SelfsightError when the disk is full or the file cannot be written
 */
export function replaceFile(file: string, contents: string | Uint8Array): void {
  onDisk(`${file} cannot be written`, () => replace(file, contents));
}

function replace(named: string, contents: string | Uint8Array): void {
  const before = statSync(named, { throwIfNoEntry: false });
  if (before && !before.isFile()) {
    writeFileSync(named, contents); // a pipe or a device must not be replaced
    return;
  }
  const file = before ? realpathSync(named) : named; // keep a link, and replace its target
  const part = `${file}.${process.pid}-${randomBytes(4).toString("hex")}.part`; // others may write it at once, also on other machines
  try {
    const descriptor = openSync(part, "w");
    try {
      writeFileSync(descriptor, contents);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(part, file);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

/** Writes a value as indented JSON, like {@link replaceFile}. */
export function writeJson(file: string, value: unknown): void {
  replaceFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

/** The value in a file of JSON; `otherwise` if it is missing or damaged. */
export function readJson<Value>(file: string, otherwise: Value): Value {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Value;
  } catch {
    return otherwise;
  }
}
