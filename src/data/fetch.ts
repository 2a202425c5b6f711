/** Fetches data sets: unpacks archives, and checks their files if the archive itself cannot be checked. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, rmSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { unpackTar } from "modern-tar/fs";
import { SelfsightError } from "../errors.ts";
import { checksum, type DownloadOptions, download } from "../setup/download.ts";

/** Called with lines about the progress. */
export type Say = (line: string) => void;

export interface RemoteFile extends Pick<DownloadOptions, "md5" | "sha256"> {
  url: string;
  /** Local file name. */
  name: string;
}

/** Downloads a file into a folder, unless an earlier try already did. */
export async function fetchFile({ url, name, ...sums }: RemoteFile, folder: string, say: Say): Promise<void> {
  const file = join(folder, name);
  if (existsSync(file)) return;
  let said = 0;
  const onProgress = (received: number, total: number | undefined) => {
    if (received - said < 10e6) return;
    said = received;
    say(`Downloading ${name}: ${megabytes(received)}${total ? ` of ${megabytes(total)}` : ""} MB`);
  };
  say(`Downloading ${url}`);
  await download(url, file, { ...sums, onProgress });
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);

/** Unpacks a .tar.gz, without its top-level folder. */
export async function unpack(archive: string, folder: string): Promise<void> {
  try {
    await pipeline(createReadStream(archive), createGunzip(), unpackTar(folder, { strip: 1, strict: true }));
  } catch (cause) {
    rmSync(archive); // otherwise the next try would fail on it again
    throw new SelfsightError(`${basename(archive)} cannot be unpacked: ${(cause as Error).message}.`, { cause });
  }
}

/**
 * Checks the files of some sub-folders against the SHA-256 of the sorted `sha256sum` listing of them all.
 * @throws SelfsightError with the number of files and the actual sum
 */
export async function checkListing(folder: string, parts: readonly string[], expected: string): Promise<void> {
  const files = parts.flatMap((part) => filesUnder(join(folder, part)).map((file) => `${part}/${file}`)).sort();
  const lines: string[] = [];
  for (const file of files) lines.push(`${await checksum(join(folder, file), "sha256")}  ${file}\n`);
  // Sorted by path or by whole line: both are called a sorted listing.
  const sums = [lines, [...lines].sort()].map((list) => createHash("sha256").update(list.join("")).digest("hex"));
  if (sums.includes(expected)) return;
  throw new SelfsightError(
    `The ${files.length} files under ${parts.join(", ")} are not those expected: sha256 of their sorted listing ${sums[1]} instead of ${expected}.`,
  );
}

/** Paths below a folder, with "/" on every system. */
export function filesUnder(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"));
}
