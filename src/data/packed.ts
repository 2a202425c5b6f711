/** Images of one size, one after the other in a file that is either complete or not there. */
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { onDisk, SelfsightError } from "../errors.ts";
import { makeFolder } from "../setup/folders.ts";

/** Why an image is not in the file, by its position in the set. */
export type Skipped = ReadonlyMap<number, string>;

/** Puts an image where it belongs. Several may be on their way at once. */
export type Put = (i: number, image: Uint8Array) => void | Promise<void>;

export interface PackedShape {
  /** How many, those skipped included. */
  count: number;
  /** Bytes of each. */
  bytes: number;
}

/**
 * Opens the file, and before that has it filled where there is none.
 * @throws SelfsightError when the disk is full; whatever `fill` throws. What is left behind then is never taken for the file.
 */
export async function openPacked(
  file: string,
  shape: PackedShape,
  fill: (put: Put) => Promise<Skipped>,
): Promise<{ handle: FileHandle; skipped: Skipped }> {
  const skipped = (await readSkipped(file, shape)) ?? (await pack(file, shape, fill));
  return { handle: await open(file, "r"), skipped };
}

/** The list of what was skipped is written last: where it is, the packed file is complete. */
async function readSkipped(file: string, { count, bytes }: PackedShape): Promise<Skipped | undefined> {
  try {
    if ((await stat(file)).size !== count * bytes) return undefined;
    return new Map(JSON.parse(await readFile(listOf(file), "utf8")) as [number, string][]);
  } catch {
    return undefined;
  }
}

function listOf(file: string): string {
  return `${file}.json`;
}

async function pack(
  file: string,
  { count, bytes }: PackedShape,
  fill: (put: Put) => Promise<Skipped>,
): Promise<Skipped> {
  const part = `${file}.${process.pid}.part`;
  try {
    makeFolder(dirname(file));
    const handle = await open(part, "w");
    let skipped: Skipped;
    try {
      skipped = await fill((i, image) => writeAll(handle, image, i * bytes));
      await handle.truncate(count * bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, file);
    await writeFile(listOf(file), JSON.stringify([...skipped]));
    return skipped;
  } catch (error) {
    await rm(part, { force: true });
    if (isDiskFull(error)) throw diskFull(file, count * bytes, error);
    return onDisk(`${file} cannot be written (SELFSIGHT_CACHE names another folder for the cache)`, () => {
      throw error;
    });
  }
}

/** A disk that is nearly full takes a part, and says so only when asked again. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

/** Fills `target` from `position`. @throws SelfsightError when the file ends before */
export async function readAll(handle: FileHandle, target: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await handle.read(target, done, target.length - done, position + done);
    if (bytesRead === 0) throw new SelfsightError("The file of decoded images became shorter while it was read.");
    done += bytesRead;
  }
}

function isDiskFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function diskFull(file: string, bytes: number, cause: unknown): SelfsightError {
  return new SelfsightError(
    `No room in the cache: ${file} needs ${(bytes / 1e6).toFixed(1)} MB. Make room, or set SELFSIGHT_CACHE to another disk.`,
    { cause },
  );
}
