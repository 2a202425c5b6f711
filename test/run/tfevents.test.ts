import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, expect, it } from "vitest";
import { crc32c, openEvents } from "../../src/run/tfevents.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "events-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const now = () => 1_700_000_000_500;

it("computes the CRCs of RFC 3720, appendix B.4", () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
});

it("starts with the frame that starts every TensorBoard file", () => {
  openEvents(folder, { now }).close();
  const name = readdirSync(folder)[0] ?? "";
  expect(name).toMatch(/^events\.out\.tfevents\.1700000000\./);
  const file = readFileSync(join(folder, name));
  // Length 24 and its masked CRC, as in any file that TensorFlow writes: 24 bytes hold time and version.
  expect(file.subarray(0, 12).toString("hex")).toBe("1800000000000000a37f4b22");
  expect(file.subarray(12 + 11, 12 + 24).toString()).toBe("brain.Event:2");
});

it("writes scalars that read back", () => {
  const events = openEvents(folder, { now });
  events.scalars(300, { loss: 0.5, größe: -2 });
  events.close();
  const [, event] = readEvents();
  expect(event?.[1]?.[0]?.readDoubleLE()).toBe(1_700_000_000.5);
  expect(event?.[2]).toEqual([300]);
  const values = fields(asBuffer(event?.[5]))[1];
  const read = values.map((value) => {
    const { 1: tag, 2: number } = fields(value);
    return [String(tag?.[0]), asBuffer(number).readFloatLE()];
  });
  expect(read).toEqual([
    ["loss", 0.5],
    ["größe", -2],
  ]);
});

it("writes images with their sizes", async () => {
  const png = await sharp({ create: { width: 300, height: 20, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  const events = openEvents(folder, { now });
  events.image(7, "samples", png);
  events.close();
  const [, event] = readEvents();
  const value = fields(asBuffer(fields(asBuffer(event?.[5]))[1]));
  expect(String(value[1]?.[0])).toBe("samples");
  const image = fields(asBuffer(value[4]));
  expect([image[1], image[2], image[3]]).toEqual([[20], [300], [3]]);
  expect(asBuffer(image[4]).equals(png)).toBe(true);
});

it("tells TensorBoard to drop the steps that a resumed run repeats", () => {
  openEvents(folder, { resumeAtStep: 41, now }).close();
  const [, event] = readEvents();
  expect(event?.[2]).toEqual([42]);
  expect(fields(asBuffer(event?.[7]))).toEqual({ 1: [1] });
});

type Fields = Record<number, (number | Buffer)[]> & Record<1, Buffer[]>;

/** The events of the only file in the folder. Checks every CRC. */
function readEvents(): Fields[] {
  const file = readFileSync(join(folder, readdirSync(folder)[0] ?? ""));
  const events: Fields[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(file.readUInt32LE(at + 8)).toBe(mask(crc32c(file.subarray(at, at + 8))));
    expect(file.readUInt32LE(at + 12 + length)).toBe(mask(crc32c(data)));
    events.push(fields(data));
    at += 16 + length;
  }
  return events;
}

/** The first value of a bytes field. */
function asBuffer(values: (number | Buffer)[] | undefined): Buffer {
  const value = values?.[0];
  if (!Buffer.isBuffer(value)) throw new Error("the field is missing or a number");
  return value;
}

function mask(crc: number): number {
  return Number((((BigInt(crc) >> 15n) | (BigInt(crc) << 17n)) + 0xa282ead8n) & 0xffffffffn);
}

/** A protobuf message as values by field number. */
function fields(data: Buffer): Fields {
  const result: Record<number, (number | Buffer)[]> = {};
  let at = 0;
  const varint = () => {
    let [value, scale] = [0, 1];
    for (; (data[at] ?? 0) & 0x80; scale *= 128) value += ((data[at++] ?? 0) & 0x7f) * scale;
    return value + (data[at++] ?? 0) * scale;
  };
  const take = (length: number) => {
    at += length;
    return data.subarray(at - length, at);
  };
  while (at < data.length) {
    const key = varint();
    const value = [varint, () => take(8), () => take(varint()), undefined, undefined, () => take(4)][key & 7]?.();
    if (value === undefined) throw new Error(`wire type ${key & 7}`);
    result[key >> 3] = [...(result[key >> 3] ?? []), value];
  }
  return result as Fields;
}
