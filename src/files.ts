/** Writing files whole or not at all: a reader sees the old one or the new one, never half of it. */
import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { onDisk } from "./errors.ts";

/**
 * Replaces a file, or makes it.
 * @throws SelfsightError when the disk is full or may not be written to
 */
export function replaceFile(file: string, contents: string | Uint8Array): void {
  onDisk(`${file} cannot be written`, () => replace(file, contents));
}

function replace(named: string, contents: string | Uint8Array): void {
  const before = statSync(named, { throwIfNoEntry: false });
  if (before && !before.isFile()) {
    writeFileSync(named, contents); // a pipe, a device: it is not to be replaced
    return;
  }
  const file = before ? realpathSync(named) : named; // a link stays, and what it leads to is replaced
  const part = `${file}.${process.pid}.part`; // two processes may write a preview at once
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

/** As {@link replaceFile}, for a value as indented JSON. */
export function writeJson(file: string, value: unknown): void {
  replaceFile(file, `${JSON.stringify(value, null, 2)}\n`);
}
