/** Downloads that resume, and are checked before they are used. */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { SelfsightError } from "../errors.ts";

export interface DownloadOptions {
  sha256?: string;
  md5?: string;
  onProgress?: (received: number, total: number | undefined) => void;
  /** Further tries after a broken connection; each goes on where the last one ended. */
  retries?: number;
  /** Seconds without a byte before a connection counts as broken. */
  patience?: number;
}

/**
 * Fetches a file to `file.part` and renames it once its length and checksum are right.
 * @throws SelfsightError saying what was expected and what came; a part that may go on is kept
 */
export async function download(url: string, file: string, options: DownloadOptions = {}): Promise<void> {
  const { retries = 3 } = options;
  mkdirSync(dirname(file), { recursive: true });
  const part = `${file}.part`;
  for (let attempt = 0; ; attempt++) {
    try {
      await fetchPart(url, part, options);
      break;
    } catch (error) {
      if (error instanceof SelfsightError || attempt >= retries) throw unreachable(url, error as Error);
    }
  }
  await verify(part, url, options);
  renameSync(part, file);
}

/** Asks for the bytes that are missing, and appends them. */
async function fetchPart(url: string, part: string, { onProgress, patience = 20 }: DownloadOptions): Promise<void> {
  const have = existsSync(part) ? statSync(part).size : 0;
  const watchdog = new AbortController();
  let timer = setTimeout(() => watchdog.abort(), patience * 1000);
  try {
    const response = await fetch(url, {
      signal: watchdog.signal,
      ...(have && { headers: { Range: `bytes=${have}-` } }),
    });
    const resumed = response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${have}-`);
    if (response.status === 416) {
      // Nothing lies beyond what we have: either it is whole, or it is not this file. The checksum tells.
      await response.body?.cancel();
      return;
    }
    if (!response.ok || (response.status === 206 && !resumed)) {
      await response.body?.cancel();
      throw new SelfsightError(`${url} answered ${response.status} ${response.statusText}.`);
    }
    if (!response.body) throw new SelfsightError(`${url} sent nothing.`);
    const length = response.headers.get("content-encoding") ? null : response.headers.get("content-length");
    let received = resumed ? have : 0;
    const total = length === null ? undefined : received + Number(length);
    const counted = async function* (source: AsyncIterable<Uint8Array>) {
      for await (const chunk of source) {
        clearTimeout(timer);
        timer = setTimeout(() => watchdog.abort(), patience * 1000);
        received += chunk.length;
        onProgress?.(received, total);
        yield chunk;
      }
    };
    await pipeline(
      Readable.fromWeb(response.body as never),
      counted,
      createWriteStream(part, { flags: resumed ? "a" : "w" }),
    );
    if (total !== undefined && received !== total) throw new Error(`${received} of ${total} bytes came`);
  } finally {
    clearTimeout(timer);
  }
}

async function verify(part: string, url: string, { sha256, md5 }: DownloadOptions): Promise<void> {
  for (const [algorithm, expected] of [
    ["sha256", sha256],
    ["md5", md5],
  ] as const) {
    if (!expected) continue;
    const actual = await checksum(part, algorithm);
    if (actual === expected) continue;
    rmSync(part);
    throw new SelfsightError(
      `${url} sent other bytes than expected: ${algorithm} ${actual} instead of ${expected}. They are deleted; try again later.`,
    );
  }
}

/** Of a file, in hexadecimal. */
export async function checksum(file: string, algorithm: "sha256" | "md5"): Promise<string> {
  const digest = createHash(algorithm);
  await pipeline(createReadStream(file), digest);
  return digest.digest("hex");
}

function unreachable(url: string, error: Error): SelfsightError {
  if (error instanceof SelfsightError) return error;
  const reason =
    error.name === "AbortError"
      ? "nothing came for a while"
      : ((error.cause as Error | undefined)?.message ?? error.message);
  return new SelfsightError(
    `${url} cannot be downloaded: ${reason}. What came is kept; the next try goes on from there.`,
    { cause: error },
  );
}
