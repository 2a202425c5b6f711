/** Images of one size, end to end in a file that is either complete or absent. */
import { randomBytes } from "node:crypto";
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { onDisk, SelfsightError } from "../errors.ts";
import { makeFolder } from "../setup/folders.ts";

/** Why an image is missing from the file, by its position in the set. */
export type Skipped = ReadonlyMap<number, string>;

/** Result of decoding a set's images. */
export interface Decoded {
  skipped: Skipped;
  /** By position in the set; "" for a skipped image. */
  digests: readonly string[];
  /** Whether some files could not even be read: the next time they may be, so that nothing is kept. */
  unread?: boolean;
}

/** Stores image i. Several calls may be in flight at once. */
export type Put = (i: number, image: Uint8Array) => void | Promise<void>;

export interface PackedShape {
  /** Number of images, including skipped ones. */
  count: number;
  /** Bytes per image. */
  bytes: number;
}

/**
 * Opens the file. If there is none, writes it first with `fill`.
 * @throws SelfsightError when the disk is full; also whatever `fill` throws. A partial file is never used later.
 */
export async function openPacked(
  file: string,
  shape: PackedShape,
  fill: (put: Put) => Promise<Decoded>,
): Promise<Decoded & { handle: FileHandle }> {
  const decoded = (await readList(file, shape)) ?? (await pack(file, shape, fill));
  return { handle: await open(file, "r"), ...decoded };
}

/** The list is written last: if it exists, the packed file is complete. */
async function readList(file: string, { count, bytes }: PackedShape): Promise<Decoded | undefined> {
  try {
    if ((await stat(file)).size !== count * bytes) return undefined;
    const { skipped, digests } = JSON.parse(await readFile(listOf(file), "utf8")) as {
      skipped: [number, string][];
      digests: string[];
    };
    return { skipped: new Map(skipped), digests };
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
  fill: (put: Put) => Promise<Decoded>,
): Promise<Decoded> {
  const part = `${file}.${process.pid}-${randomBytes(4).toString("hex")}.part`; // unique on other machines, too
  try {
    makeFolder(dirname(file));
    const handle = await open(part, "wx");
    let decoded: Decoded;
    try {
      decoded = await fill((i, image) => writeAll(handle, image, i * bytes));
      await handle.truncate(count * bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, file);
    const { unread, ...kept } = decoded;
    if (!unread) await writeFile(listOf(file), JSON.stringify({ ...kept, skipped: [...kept.skipped] }));
    return decoded;
  } catch (error) {
    await rm(part, { force: true });
    if (isDiskFull(error)) throw diskFull(file, count * bytes, error);
    return onDisk(`${file} cannot be written (SELFSIGHT_CACHE names another folder for the cache)`, () => {
      throw error;
    });
  }
}

/** A nearly full disk may write fewer bytes than asked, and reports an error only at the next write. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

/** Fills `target` with bytes from `position`. @throws SelfsightError when the file ends too early */
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
