/**
 * TensorBoard's event files: records framed by lengths and masked CRC32C, each a protobuf `Event`.
 * Framing: tensorflow/core/lib/io/record_writer.h; messages: tensorflow/core/util/event.proto and framework/summary.proto
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

export interface EventWriter {
  scalars(step: number, values: Readonly<Record<string, number>>): void;
  close(): void;
}

/** A new event file in `folder`; TensorBoard joins those of one folder by step. */
export function openEvents(folder: string, now: () => number = Date.now): EventWriter {
  const file = openSync(
    join(folder, `events.out.tfevents.${Math.floor(now() / 1000)}.${hostname()}.${process.pid}`),
    "a",
  );
  const write = (...fields: Buffer[]) => writeSync(file, frame(Buffer.concat([double(1, now() / 1000), ...fields])));
  write(bytes(3, Buffer.from("brain.Event:2")));
  return {
    scalars(step, values) {
      const summary = Object.entries(values).map(([tag, value]) =>
        bytes(1, Buffer.concat([bytes(1, Buffer.from(tag)), float(2, value)])),
      );
      write(integer(2, step), bytes(5, Buffer.concat(summary)));
    },
    close: () => closeSync(file),
  };
}

/** length (u64), CRC of the length, data, CRC of the data. */
export function frame(data: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(data.length));
  return Buffer.concat([length, masked(length), data, masked(data)]);
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

// Protobuf fields: a key (number << 3 | wire type), then the value.
function varint(value: number): Buffer {
  const parts: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) parts.push((value % 0x80) | 0x80);
  return Buffer.from([...parts, value]);
}

function integer(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(value.length), value]);
}

function double(field: number, value: number): Buffer {
  const data = Buffer.alloc(8);
  data.writeDoubleLE(value);
  return Buffer.concat([varint((field << 3) | 1), data]);
}

function float(field: number, value: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeFloatLE(value);
  return Buffer.concat([varint((field << 3) | 5), data]);
}
