/** Downloads that resume, and are checked before they are used. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, renameSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { SelfsightError } from "../errors.ts";
import { makeFolder } from "./folders.ts";

export interface DownloadOptions {
  sha256?: string;
  md5?: string;
  onProgress?: (received: number, total: number | undefined) => void;
  /** Retries after a broken connection; each resumes where the last one ended. */
  retries?: number;
  /** Seconds without a byte before a connection counts as broken. */
  patience?: number;
}

/**
 * Fetches a file to `file.part` and renames it once its length and checksum are right.
 * @throws SelfsightError with what was expected and what was received; a part that can be resumed is kept
 */
export async function download(url: string, file: string, options: DownloadOptions = {}): Promise<void> {
  makeFolder(dirname(file));
  const part = `${file}.part`;
  const resumed = existsSync(part);
  await fetchAll(url, part, options);
  let complaint = await verify(part, options);
  if (complaint && resumed) {
    // The part that an earlier run left may belong to another file.
    rmSync(part);
    await fetchAll(url, part, options);
    complaint = await verify(part, options);
  }
  if (complaint) {
    rmSync(part);
    throw new SelfsightError(`${url} sent other bytes than expected: ${complaint}. They are deleted; try again later.`);
  }
  renameSync(part, file);
}

/** Retries broken connections, resuming where each broke off. */
async function fetchAll(url: string, part: string, options: DownloadOptions): Promise<void> {
  const { retries = 3 } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      return await fetchPart(url, part, options);
    } catch (error) {
      if (error instanceof SelfsightError) throw error;
      if (attempt >= retries) throw unreachable(url, error as Error);
    }
  }
}

/** Requests the missing bytes and appends them. */
async function fetchPart(url: string, part: string, { onProgress, patience = 20 }: DownloadOptions): Promise<void> {
  const have = existsSync(part) ? statSync(part).size : 0;
  const watchdog = new AbortController();
  let timer = setTimeout(() => watchdog.abort(), patience * 1000);
  try {
    const response = await fetch(url, {
      signal: watchdog.signal,
      headers: { "Accept-Encoding": "identity", ...(have && { Range: `bytes=${have}-` }) },
    });
    if (response.status === 416) {
      // The server has nothing beyond our bytes: the part is complete, or of another file ("bytes */LENGTH", RFC 9110, 14.4).
      await response.body?.cancel();
      if (response.headers.get("content-range") === `bytes */${have}`) return;
      rmSync(part, { force: true });
      throw new Error(`it has no bytes after the first ${have}`);
    }
    const resumed = response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${have}-`);
    if (!response.ok || (response.status === 206 && !resumed)) {
      await response.body?.cancel();
      throw new SelfsightError(`${url} answered ${response.status} ${response.statusText}.`);
    }
    if (!response.body) throw new SelfsightError(`${url} sent nothing.`);
    const length = response.headers.get("content-encoding") ? null : response.headers.get("content-length");
    let received = resumed ? have : 0;
    const total = length === null ? undefined : received + Number(length);
    // Each write is awaited: when the connection breaks, the part holds exactly what has arrived, and no write is pending.
    const target = await open(part, resumed ? "a" : "w");
    try {
      for await (const chunk of response.body) {
        clearTimeout(timer);
        timer = setTimeout(() => watchdog.abort(), patience * 1000);
        await target.writeFile(chunk);
        received += chunk.length;
        onProgress?.(received, total);
      }
    } finally {
      await target.close();
    }
    if (total !== undefined && received !== total) throw new Error(`${received} of ${total} bytes came`);
  } finally {
    clearTimeout(timer);
  }
}

/** What is wrong with the file, or undefined. */
async function verify(file: string, { sha256, md5 }: DownloadOptions): Promise<string | undefined> {
  for (const [algorithm, expected] of Object.entries({ sha256, md5 })) {
    if (!expected) continue;
    const actual = await checksum(file, algorithm);
    if (actual !== expected) return `${algorithm} ${actual} instead of ${expected}`;
  }
  return undefined;
}

/** Checksum of a file, in hexadecimal. `algorithm` is one that node:crypto knows, e.g. sha256. */
export async function checksum(file: string, algorithm: string): Promise<string> {
  const digest = createHash(algorithm);
  await pipeline(createReadStream(file), digest);
  return digest.digest("hex");
}

function unreachable(url: string, error: Error): SelfsightError {
  const reason =
    error.name === "AbortError"
      ? "nothing came for a while"
      : ((error.cause as Error | undefined)?.message ?? error.message);
  return new SelfsightError(
    `${url} cannot be downloaded: ${reason}. What came is kept; the next try goes on from there.`,
    { cause: error },
  );
}
