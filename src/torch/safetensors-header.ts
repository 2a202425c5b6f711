/**
 * The header of a safetensors file: JSON with each tensor's type, shape and position in the data. Nothing in it is trusted.
 * https://github.com/huggingface/safetensors#format; the limits are those of the Python package.
 */
import { SelfsightError } from "../errors.ts";

const itemSizes = { F64: 8, I64: 8, F32: 4, I32: 4, F16: 2, BF16: 2, I16: 2, I8: 1, U8: 1, BOOL: 1 } as const;

export type SafetensorsType = keyof typeof itemSizes;
export type SafetensorsMetadata = Readonly<Record<string, string>>;

export interface SafetensorsPlace {
  readonly dtype: SafetensorsType;
  readonly shape: readonly number[];
  /** First byte, counted from the end of the header. */
  readonly offset: number;
  readonly byteLength: number;
}

export const MAX_HEADER_BYTES = 100_000_000;
const METADATA = "__metadata__";
const ENTRY_KEYS = ["dtype", "shape", "data_offsets"];

/** Bytes per element. */
export function itemSize(dtype: SafetensorsType): number {
  return itemSizes[dtype];
}

/**
 * Lays the tensors out back to back, widest types first, so that each begins at a multiple of its item size.
 * @returns the header, padded with spaces to a multiple of 8 bytes, and the places in the order of `tensors`
 * @throws SelfsightError for a duplicate name, an unknown type or an invalid shape
 */
export function encodeHeader(
  tensors: readonly { name: string; dtype: SafetensorsType; shape: readonly number[] }[],
  metadata: SafetensorsMetadata,
): { header: Buffer; places: SafetensorsPlace[] } {
  const places: SafetensorsPlace[] = new Array(tensors.length);
  let end = 0;
  for (const i of widestFirst(tensors)) {
    const { name, dtype, shape } = tensors[i] as (typeof tensors)[number];
    const byteLength = bytesOf(dtype, shape);
    if (byteLength === undefined) throw new SelfsightError(`Cannot write ${quote(name)}: ${describe(dtype, shape)}.`);
    places[i] = { dtype, shape: [...shape], offset: end, byteLength };
    end += byteLength;
  }
  const fields = new Map<string, unknown>(Object.keys(metadata).length ? [[METADATA, metadata]] : []);
  tensors.forEach(({ name }, i) => {
    if (name === METADATA || fields.has(name)) throw new SelfsightError(`Cannot write ${quote(name)} twice.`);
    const { dtype, shape, offset, byteLength } = places[i] as SafetensorsPlace;
    fields.set(name, { dtype, shape, data_offsets: [offset, offset + byteLength] });
  });
  // Built as text: an object would drop a tensor called "__proto__".
  const text = `{${Array.from(fields, ([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`;
  const header = Buffer.from(text + " ".repeat(-Buffer.byteLength(text) & 7));
  if (header.length > MAX_HEADER_BYTES)
    throw new SelfsightError(`A header of ${header.length} bytes is over the limit.`);
  return { header, places };
}

/** Indices of the tensors in the order in which their data is stored. */
export function widestFirst(tensors: readonly { dtype: SafetensorsType }[]): number[] {
  const size = (i: number) => itemSize((tensors[i] as { dtype: SafetensorsType }).dtype);
  return Array.from(tensors.keys()).sort((a, b) => size(b) - size(a));
}

/**
 * Checks a header against the number of data bytes that follow it.
 * @throws Error whose message says what is wrong. It continues "not a sound safetensors file: "
 */
export function decodeHeader(
  header: Uint8Array,
  dataBytes: number,
): { metadata: SafetensorsMetadata; places: Map<string, SafetensorsPlace> } {
  const text = decodeText(header);
  const parsed = parseObject(text);
  const metadata: Record<string, string> = Object.create(null);
  const places = new Map<string, SafetensorsPlace>();
  let keys = 0;
  for (const [name, value] of Object.entries(parsed)) {
    if (!isRecord(value)) throw new Error(`${quote(name)} is ${quote(value)} in its header`);
    keys += 1 + Object.keys(value).length;
    if (name === METADATA) Object.assign(metadata, checkMetadata(value));
    else places.set(name, checkPlace(name, value));
  }
  // JSON.parse silently keeps the last of two equal keys, so the text must hold as many keys as the object.
  if (countKeys(text) !== keys) throw new Error("a name appears twice in its header");
  checkCover(places, dataBytes);
  return { metadata, places };
}

function decodeText(header: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(header);
  } catch {
    throw new Error("its header is not UTF-8");
  }
}

function parseObject(text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error("its header is not JSON");
  }
  if (!isRecord(parsed)) throw new Error("its header is not a JSON object");
  return parsed;
}

function checkMetadata(value: Record<string, unknown>): Record<string, string> {
  for (const [key, one] of Object.entries(value)) {
    if (typeof one !== "string") throw new Error(`its metadata ${quote(key)} is ${quote(one)}, not text`);
  }
  return value as Record<string, string>;
}

function checkPlace(name: string, value: Record<string, unknown>): SafetensorsPlace {
  const foreign = Object.keys(value).find((key) => !ENTRY_KEYS.includes(key));
  if (foreign !== undefined) throw new Error(`${quote(name)} has the unknown key ${quote(foreign)}`);
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  if (typeof dtype !== "string" || !Object.hasOwn(itemSizes, dtype)) {
    throw new Error(`${quote(name)} has the type ${quote(dtype)}; known are ${Object.keys(itemSizes).join(", ")}`);
  }
  const byteLength = isCounts(shape) ? bytesOf(dtype as SafetensorsType, shape) : undefined;
  if (!isCounts(shape) || byteLength === undefined) throw new Error(`${quote(name)} has the shape ${quote(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2) throw new Error(`${quote(name)} has the offsets ${quote(offsets)}`);
  const [offset = 0, end = 0] = offsets;
  if (end - offset !== byteLength) {
    throw new Error(
      `${quote(name)}, ${describe(dtype, shape)}, takes ${byteLength} bytes and its offsets give ${end - offset}`,
    );
  }
  return { dtype: dtype as SafetensorsType, shape, offset, byteLength };
}

/** Checks that every data byte belongs to exactly one tensor. */
function checkCover(places: ReadonlyMap<string, SafetensorsPlace>, dataBytes: number): void {
  const inOrder = [...places].sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = 0;
  for (const [name, { offset, byteLength }] of inOrder) {
    if (offset < end) throw new Error(`${quote(name)} overlaps the tensor before it`);
    if (offset > end) throw new Error(`there is a gap of ${offset - end} bytes before ${quote(name)}`);
    end = offset + byteLength;
  }
  if (end > dataBytes) throw new Error(`its tensors take ${end} bytes and it holds ${dataBytes}: it was cut short`);
  if (end < dataBytes) throw new Error(`its tensors take ${end} bytes and it holds ${dataBytes}`);
}

/** Bytes of a tensor; undefined for an unknown type, an invalid size, or a product too large for an exact integer. */
function bytesOf(dtype: SafetensorsType, shape: readonly number[]): number | undefined {
  if (!Object.hasOwn(itemSizes, dtype) || !isCounts(shape)) return undefined;
  // A zero among the sizes must not hide a product that overflows in other readers.
  const largest = shape.reduce((product, size) => product * Math.max(size, 1), itemSize(dtype));
  if (!Number.isSafeInteger(largest)) return undefined;
  return shape.includes(0) ? 0 : largest;
}

/** Number of keys, at any depth, in a JSON text that is known to parse. */
function countKeys(text: string): number {
  let count = 0;
  for (let i = text.indexOf('"'); i !== -1; i = text.indexOf('"', i)) {
    for (i++; text[i] !== '"'; i++) if (text[i] === "\\") i++;
    i++;
    while (text[i] === " " || text[i] === "\n" || text[i] === "\r" || text[i] === "\t") i++;
    if (text[i] === ":") count++;
  }
  return count;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => Number.isSafeInteger(one) && one >= 0);
}

function describe(dtype: string, shape: readonly number[]): string {
  return `${dtype} [${shape.join(", ")}]`.slice(0, 80);
}

/** Shortens a value of the header for a message: its text may be megabytes long, its lists deeply nested. */
function quote(value: unknown): string {
  if (typeof value === "object" && value !== null && Object.values(value).some(isNested)) return "something nested";
  const text = JSON.stringify(value) ?? "missing";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function isNested(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
