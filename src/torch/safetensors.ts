/**
 * Reads and writes safetensors files tensor by tensor: 8 bytes of header length, the header, the data.
 * https://github.com/huggingface/safetensors#format
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { onDisk, SelfsightError, UsageError } from "../errors.ts";
import {
  decodeHeader,
  encodeHeader,
  MAX_HEADER_BYTES,
  type SafetensorsMetadata,
  type SafetensorsPlace,
  type SafetensorsType,
  widestFirst,
} from "./safetensors-header.ts";

export type { SafetensorsMetadata, SafetensorsPlace, SafetensorsType };

export interface SafetensorsEntry {
  name: string;
  dtype: SafetensorsType;
  shape: readonly number[];
  /** The bytes in row-major order, little-endian. Called once, just before they are written. */
  data: () => Uint8Array;
}

export interface SafetensorsFile {
  readonly metadata: SafetensorsMetadata;
  readonly entries: ReadonlyMap<string, SafetensorsPlace>;
  /** A copy of one tensor's bytes. @throws SelfsightError for an unknown name, and after `close` */
  read(name: string): Uint8Array;
  /** Closing twice is harmless. */
  close(): void;
}

/** Node reads and writes at most 2^31 - 1 bytes at a time. */
const CHUNK_BYTES = 2 ** 30;

/**
 * Writes `file.part` and renames it to `file` once all of it is on the disk: after a kill or on a full disk, the previous
 * file is intact. Holds one tensor's bytes at a time.
 * @throws SelfsightError when the disk is full, with the bytes needed and free; for names, types, shapes and data that
 *   do not match
 */
export function writeSafetensors(
  file: string,
  entries: Iterable<SafetensorsEntry>,
  metadata: SafetensorsMetadata = {},
): void {
  const all = [...entries];
  const { header, places } = encodeHeader(all, metadata);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const part = `${file}.part`;
  try {
    const descriptor = openSync(part, "w");
    try {
      writeAll(descriptor, length);
      writeAll(descriptor, header);
      for (const i of widestFirst(all))
        writeAll(descriptor, dataOf(all[i] as SafetensorsEntry, places[i] as SafetensorsPlace));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(part, file);
  } catch (error) {
    rmSync(part, { force: true });
    const bytes = 8 + header.length + places.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (isDiskFull(error)) throw diskFull(file, bytes, error);
    onDisk(`${file} cannot be written`, () => {
      throw error;
    });
  }
}

/**
 * Opens a file and checks its whole header. Reads a tensor's data only on request.
 * @throws UsageError when there is no such file; SelfsightError, with the reason, when it is invalid
 */
export function openSafetensors(file: string): SafetensorsFile {
  if (!existsSync(file)) throw new UsageError(`There is no file ${file}.`);
  const descriptor = openSync(file, "r");
  try {
    const { header, dataStart, dataBytes } = readHeader(descriptor);
    const { metadata, places } = decodeHeader(header, dataBytes);
    // The system gives the number of a closed descriptor to the next file.
    let isOpen = true;
    return {
      metadata,
      entries: places,
      read(name) {
        if (!isOpen) throw new SelfsightError(`${file} was closed: read "${name}" before, or open the file again.`);
        const place = places.get(name);
        if (!place) throw new SelfsightError(`${file} has no tensor "${name}".`);
        return readExactly(descriptor, dataStart + place.offset, place.byteLength);
      },
      close() {
        if (isOpen) closeSync(descriptor);
        isOpen = false;
      },
    };
  } catch (cause) {
    closeSync(descriptor);
    throw new SelfsightError(
      `${file} is not a sound safetensors file: ${(cause as Error).message}. Use another copy of it, or make it anew.`,
      { cause },
    );
  }
}

function readHeader(descriptor: number): { header: Uint8Array; dataStart: number; dataBytes: number } {
  const size = fstatSync(descriptor).size;
  if (size < 8) throw new Error(`it has ${size} bytes, too few for a header`);
  const length = Number(Buffer.from(readExactly(descriptor, 0, 8).buffer).readBigUInt64LE());
  if (length > MAX_HEADER_BYTES)
    throw new Error(`it claims a header of ${length} bytes, over the limit of ${MAX_HEADER_BYTES}`);
  if (length > size - 8) throw new Error(`it claims a header of ${length} bytes and has ${size}: it was cut short`);
  return { header: readExactly(descriptor, 8, length), dataStart: 8 + length, dataBytes: size - 8 - length };
}

function dataOf({ name, data }: SafetensorsEntry, { byteLength }: SafetensorsPlace): Uint8Array {
  const bytes = data();
  if (bytes.byteLength === byteLength) return bytes;
  throw new SelfsightError(`"${name}" takes ${byteLength} bytes by its type and shape, and has ${bytes.byteLength}.`);
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, Math.min(CHUNK_BYTES, bytes.length - done));
  }
}

function readExactly(descriptor: number, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const count = readSync(descriptor, bytes, done, Math.min(CHUNK_BYTES, length - done), position + done);
    if (count === 0) throw new SelfsightError("The file became shorter while it was read.");
    done += count;
  }
  return bytes;
}

function isDiskFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function diskFull(file: string, bytes: number, cause: unknown): SelfsightError {
  const { bavail, bsize } = statfsSync(dirname(file));
  const room = `It needs ${megabytes(bytes)}, and ${megabytes(bavail * bsize)} are free.`;
  const before = existsSync(file) ? " The previous file is intact." : "";
  return new SelfsightError(`The disk is full: ${file} was not written. ${room}${before} Make room and try again.`, {
    cause,
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
