/**
 * TensorBoard's event files: records framed by lengths and masked CRC32C, each a protobuf `Event`.
 * Framing: tensorflow/core/lib/io/record_writer.h; messages: tensorflow/core/util/event.proto and framework/summary.proto
 */
import { appendFileSync, closeSync, openSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

export interface EventWriter {
  scalars(step: number, values: Readonly<Record<string, number>>): void;
  image(step: number, name: string, png: Uint8Array): void;
  close(): void;
}

export interface EventOptions {
  /** TensorBoard drops later steps of earlier files in the folder. 0 for a new run. */
  resumeAtStep?: number;
  /** Milliseconds. */
  now?: () => number;
}

/** Opens a new event file in `folder`; TensorBoard joins a folder's files by step. */
export function openEvents(folder: string, { resumeAtStep = 0, now = Date.now }: EventOptions = {}): EventWriter {
  const name = `events.out.tfevents.${Math.floor(now() / 1000)}.${hostname()}.${process.pid}`;
  const file = openSync(join(folder, name), "a");
  const write = (...fields: Buffer[]) => appendFileSync(file, frame(concat(double(1, now() / 1000), ...fields)));
  const summary = (step: number, values: Buffer[]) => write(integer(2, step), bytes(5, concat(...values)));
  write(text(3, "brain.Event:2"));
  if (resumeAtStep) write(integer(2, resumeAtStep + 1), bytes(7, integer(1, SESSION_START)));
  return {
    scalars(step, values) {
      const entries = Object.entries(values);
      summary(
        step,
        entries.map(([tag, value]) => bytes(1, concat(text(1, tag), float(2, value)))),
      );
    },
    image(step, tag, png) {
      const [width, height] = pngSize(png);
      const image = concat(integer(1, height), integer(2, width), integer(3, RGB), bytes(4, Buffer.from(png)));
      summary(step, [bytes(1, concat(text(1, tag), bytes(4, image)))]);
    },
    close: () => closeSync(file),
  };
}

/** SessionLog.SessionStatus.START: a reader drops this step and later ones. */
const SESSION_START = 1;
/** Summary.Image.colorspace. */
const RGB = 3;

/** Reads width and height from a PNG's first chunk. */
function pngSize(png: Uint8Array): [width: number, height: number] {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  return [view.getUint32(16), view.getUint32(20)];
}

/** length (u64), CRC of the length, data, CRC of the data. */
export function frame(data: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(data.length));
  return concat(length, masked(length), data, masked(data));
}

function masked(data: Buffer): Buffer {
  const crc = crc32c(data);
  const result = Buffer.alloc(4);
  result.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return result;
}

/** Castagnoli's CRC, bit-reversed polynomial 0x82F63B78: RFC 3720, appendix B.4. */
export function crc32c(data: Uint8Array): number {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0x82f63b78 & -(crc & 1));
  }
  return ~crc >>> 0;
}

// Protobuf fields: a key (number << 3 | wire type), then the value. https://protobuf.dev/programming-guides/encoding
function varint(value: number): Buffer {
  const parts: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) parts.push((value % 0x80) | 0x80);
  return Buffer.from([...parts, value]);
}

function integer(field: number, value: number): Buffer {
  return concat(varint(field << 3), varint(value));
}

function bytes(field: number, value: Buffer): Buffer {
  return concat(varint((field << 3) | 2), varint(value.length), value);
}

function text(field: number, value: string): Buffer {
  return bytes(field, Buffer.from(value));
}

function double(field: number, value: number): Buffer {
  const data = Buffer.alloc(8);
  data.writeDoubleLE(value);
  return concat(varint((field << 3) | 1), data);
}

function float(field: number, value: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeFloatLE(value);
  return concat(varint((field << 3) | 5), data);
}

function concat(...parts: Buffer[]): Buffer {
  return Buffer.concat(parts);
}
