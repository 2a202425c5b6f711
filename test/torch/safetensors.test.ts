import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SelfsightError, UsageError } from "../../src/errors.ts";
import { openSafetensors, type SafetensorsEntry, writeSafetensors } from "../../src/torch/safetensors.ts";
import { itemSize } from "../../src/torch/safetensors-header.ts";
import fc from "../fast-check.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "safetensors-"));
  file = join(folder, "tensors.safetensors");
});
afterEach(() => rmSync(folder, { recursive: true }));

const dtypes = ["F32", "F64", "F16", "BF16", "I64", "I32", "U8", "BOOL"] as const;

/** A tensor with recognisable bytes. */
function tensor(
  name: string,
  dtype: SafetensorsEntry["dtype"],
  shape: number[],
): SafetensorsEntry & { bytes: Uint8Array } {
  const length = shape.reduce((product, size) => product * size, itemSize(dtype));
  const bytes = Uint8Array.from({ length }, (_, i) => (dtype === "BOOL" ? i & 1 : (i * 7 + name.length) & 63));
  return { name, dtype, shape, data: () => bytes, bytes };
}

/** Writes a file with this header and `dataBytes` bytes of data. */
function writeRaw(header: string | Uint8Array, dataBytes = 0, headerLength?: bigint): void {
  const text = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(headerLength ?? BigInt(text.length));
  writeFileSync(file, Buffer.concat([length, text, Buffer.alloc(dataBytes)]));
}

const anyTensor = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.nat(4), { maxLength: 4 }))
  .map(([dtype, shape]) => ({ dtype, shape }));
const anyName = fc.string({ unit: "binary", maxLength: 8 }).filter((name) => name !== "__metadata__");

describe("writing and reading", () => {
  it("preserves names, types, shapes, bytes and metadata", () => {
    const named = fc.uniqueArray(fc.tuple(anyName, anyTensor), { selector: ([name]) => name, maxLength: 6 });
    const metadata = fc.dictionary(fc.string({ maxLength: 5 }), fc.string({ unit: "binary", maxLength: 5 }));
    fc.assert(
      fc.property(named, metadata, (pairs, meta) => {
        const entries = pairs.map(([name, { dtype, shape }]) => tensor(name, dtype, shape));
        writeSafetensors(file, entries, meta);
        const opened = openSafetensors(file);
        expect({ ...opened.metadata }).toEqual({ ...meta });
        expect([...opened.entries.keys()].sort()).toEqual(entries.map(({ name }) => name).sort());
        for (const { name, dtype, shape, bytes } of entries) {
          expect(opened.entries.get(name)).toMatchObject({ dtype, shape, byteLength: bytes.length });
          expect(Buffer.from(opened.read(name)).equals(bytes)).toBe(true);
        }
        opened.close();
      }),
      { numRuns: 60 },
    );
  });

  it("begins every tensor in the file at a multiple of its item size", () => {
    writeSafetensors(file, [
      tensor("a", "BOOL", [3]),
      tensor("b", "F64", [1]),
      tensor("c", "F16", [3]),
      tensor("d", "F32", []),
    ]);
    const opened = openSafetensors(file);
    const dataStart = 8 + Number(readFileSync(file).readBigUInt64LE());
    expect(dataStart % 8).toBe(0);
    for (const { dtype, offset } of opened.entries.values()) expect(offset % itemSize(dtype)).toBe(0);
    opened.close();
  });

  it("asks for one tensor's bytes at a time", () => {
    const events: string[] = [];
    const entries = ["a", "b"].map((name) => {
      const bytes = new Uint8Array(2);
      const data = () => {
        events.push(name);
        return bytes;
      };
      return { name, dtype: "U8" as const, shape: [2], data };
    });
    writeSafetensors(file, entries);
    expect(events).toEqual(["a", "b"]);
  });

  it("reads no other file's bytes once closed, and closes no other file", () => {
    writeSafetensors(file, [tensor("a", "U8", [4])]);
    const other = join(folder, "other.safetensors");
    const { bytes, ...b } = tensor("b", "U8", [4]);
    writeSafetensors(other, [b]);
    const [closed, unclosed] = [openSafetensors(file), openSafetensors(file)];
    closed.close();
    const next = openSafetensors(other); // gets the descriptor of the closed one
    expect(() => closed.read("a")).toThrow(/tensors\.safetensors was closed: read "a" before, or open the file again/);
    closed.close();
    expect(Buffer.from(next.read("b")).equals(bytes)).toBe(true);
    next.close();
    unclosed.close();
  });

  it("keeps tensors whose names are special in JavaScript objects", () => {
    const names = ["__proto__", "constructor", "toString", "0", ""];
    writeSafetensors(
      file,
      names.map((name) => tensor(name, "U8", [1])),
      JSON.parse('{"__proto__":"yes"}'),
    );
    const opened = openSafetensors(file);
    expect([...opened.entries.keys()].sort()).toEqual([...names].sort());
    expect(Object.entries(opened.metadata)).toEqual([["__proto__", "yes"]]);
    opened.close();
  });

  it("rejects mismatched input, and leaves only the previous file", () => {
    writeSafetensors(file, [tensor("old", "U8", [1])]);
    const before = readFileSync(file);
    const wrong: [SafetensorsEntry[], RegExp][] = [
      [[tensor("a", "U8", [1]), tensor("a", "F32", [1])], /"a" twice/],
      [[{ ...tensor("a", "U8", [1]), shape: [2] }], /"a" takes 2 bytes .* has 1/],
      [[{ ...tensor("a", "U8", [1]), shape: [-1] }], /"a": U8 \[-1\]/],
      [[{ ...tensor("a", "U8", [1]), shape: [0.5] }], /U8 \[0.5\]/],
      [[{ ...tensor("a", "U8", [1]), dtype: "C64" as never }], /C64/],
      [[tensor("__metadata__", "U8", [1])], /__metadata__/],
    ];
    for (const [entries, message] of wrong)
      expect(() => writeSafetensors(file, entries), String(message)).toThrow(message);
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(["tensors.safetensors"]);
  });
});

describe("an invalid file", () => {
  const entry = (shape: unknown, offsets: unknown, dtype: unknown = "U8") =>
    JSON.stringify({ a: { dtype, shape, data_offsets: offsets } });
  const two = (a: number[], b: number[]) =>
    JSON.stringify({
      a: { dtype: "U8", shape: [2], data_offsets: a },
      b: { dtype: "U8", shape: [2], data_offsets: b },
    });
  const good = '"dtype":"U8","shape":[1],"data_offsets":[0,1]';

  const cases: [string, string | Uint8Array, number, RegExp][] = [
    ["no JSON", "{", 0, /not JSON/],
    ["NaN as a size", '{"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,0]}}', 0, /not JSON/],
    ["no object", "[]", 0, /not a JSON object/],
    ["null", "null", 0, /not a JSON object/],
    ["no UTF-8", Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), 0, /not UTF-8/],
    ["an entry that is no object", '{"a":3}', 0, /"a" is 3/],
    ["an entry of null", '{"a":null}', 0, /"a" is null/],
    ["an unknown type", entry([1], [0, 1], "F4"), 1, /type "F4"; known are F64/],
    ["a type of Object.prototype", entry([1], [0, 1], "constructor"), 1, /type "constructor"/],
    ["no type", `{"a":{"shape":[1],"data_offsets":[0,1]}}`, 1, /type missing/],
    ["no shape", entry(undefined, [0, 1]), 1, /shape missing/],
    ["a negative size", entry([-1], [0, 1]), 1, /shape \[-1\]/],
    ["a fractional size", entry([0.5], [0, 1]), 1, /shape \[0.5\]/],
    ["a size in quotes", entry(["1"], [0, 1]), 1, /shape \["1"\]/],
    ["an infinite size", '{"a":{"dtype":"U8","shape":[1e999],"data_offsets":[0,1]}}', 1, /shape/],
    ["a huge product", entry([2 ** 40, 2 ** 40], [0, 1]), 1, /shape/],
    ["a huge product hidden by a zero", entry([2 ** 40, 2 ** 40, 0], [0, 0]), 0, /shape/],
    ["offsets that do not match the shape", entry([2], [0, 1]), 1, /takes 2 bytes and its offsets give 1/],
    ["offsets backwards", entry([1], [1, 0]), 1, /offsets give -1/],
    ["one offset", entry([1], [0]), 1, /offsets \[0\]/],
    ["a negative offset", entry([1], [-1, 0]), 1, /offsets \[-1,0\]/],
    ["offsets past the end", entry([9], [0, 9]), 1, /take 9 bytes and it holds 1: it was cut short/],
    ["offsets far out", entry([1], [2 ** 50, 2 ** 50 + 1]), 1, /gap/],
    ["bytes that belong to nothing", entry([1], [0, 1]), 9, /take 1 bytes and it holds 9/],
    ["a gap", two([0, 2], [3, 5]), 5, /gap of 1 bytes before "b"/],
    ["an overlap", two([0, 2], [1, 3]), 3, /"b" overlaps/],
    ["the same name twice", `{"a":{${good}},"a":{${good}}}`, 1, /twice/],
    ["the same name twice, once in disguise", `{"a":{${good}},"\\u0061":{${good}}}`, 1, /twice/],
    ["the same key twice in an entry", `{"a":{"dtype":"F32",${good}}}`, 1, /twice/],
    ["an unknown key", `{"a":{${good},"evil":{}}}`, 1, /unknown key "evil"/],
    ["metadata that is a list", '{"__metadata__":["x"]}', 0, /"__metadata__" is/],
    ["metadata of numbers", '{"__metadata__":{"x":1}}', 0, /metadata "x" is 1, not text/],
    ["a __proto__ entry that is no tensor", '{"__proto__":{"dtype":"U8"}}', 0, /"__proto__" has the shape missing/],
    ["deep nesting", `{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`, 0, /"a" is something nested/],
    ["a deeply nested type", `{"a":{"dtype":${'{"a":'.repeat(99_999)}1${"}".repeat(99_999)}}}`, 0, /something nested/],
    ["a very long name", `{"${"x".repeat(5_000_000)}":1}`, 0, /"xxxx.{0,80} is 1/],
  ];
  it.each(cases)("%s", (_, header, dataBytes, message) => {
    writeRaw(header, dataBytes);
    const error = caught(() => openSafetensors(file));
    expect(error).toBeInstanceOf(SelfsightError);
    expect(error.message).toContain(`${file} is not a sound safetensors file`);
    expect(error.message).toMatch(message);
    expect(error.message.length).toBeLessThan(folder.length + 300);
  });

  it.each([
    ["longer than the file", 64n, /claims a header of 64 bytes and has 10: it was cut short/],
    ["over 100 MB", 100_000_001n, /over the limit/],
    ["as long as 64 bits allow", 2n ** 64n - 1n, /over the limit/],
  ])("a header %s", (_, length, message) => {
    writeRaw("{}", 0, length);
    expect(() => openSafetensors(file)).toThrow(message);
  });

  it("that is empty, a folder or missing", () => {
    writeFileSync(file, "");
    expect(() => openSafetensors(file)).toThrow(/has 0 bytes/);
    mkdirSync(join(folder, "sub"));
    expect(() => openSafetensors(join(folder, "sub"))).toThrow(SelfsightError);
    expect(() => openSafetensors(join(folder, "none"))).toThrow(UsageError);
  });

  it("that is cut throws a SelfsightError; one with a changed header byte throws it or reads consistently", () => {
    writeSafetensors(file, [tensor("a", "F32", [2, 3]), tensor("b", "U8", [5])], { format: "pt" });
    const whole = readFileSync(file);
    const headerEnd = 8 + Number(whole.readBigUInt64LE());
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(file, whole.subarray(0, length));
      expect(() => openSafetensors(file), `cut to ${length}`).toThrow(SelfsightError);
    }
    fc.assert(
      fc.property(fc.nat(headerEnd - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(whole);
        changed[at] = byte;
        writeFileSync(file, changed);
        try {
          const opened = openSafetensors(file);
          for (const [name, { byteLength }] of opened.entries) expect(opened.read(name).length).toBe(byteLength);
          opened.close();
        } catch (error) {
          expect(error).toBeInstanceOf(SelfsightError);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("an unknown tensor", () => {
    writeSafetensors(file, []);
    const opened = openSafetensors(file);
    expect(() => opened.read("a")).toThrow(/no tensor "a"/);
    opened.close();
  });
});

describe("a full disk", () => {
  it("leaves the previous file, and reports the space needed and free", ({ skip }) => {
    const disk = join(folder, "disk");
    mkdirSync(disk);
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]).status !== 0)
      skip("cannot mount a small disk here");
    try {
      const target = join(disk, "tensors.safetensors");
      writeSafetensors(target, [tensor("old", "U8", [400_000])]);
      const before = readFileSync(target);
      const error = caught(() =>
        writeSafetensors(target, [tensor("new", "U8", [900_000]), tensor("more", "F32", [100])]),
      );
      expect(error).toBeInstanceOf(SelfsightError);
      expect(error.message).toMatch(
        /disk is full: .* needs 0\.9 MB, and 0\.6 MB are free\. The previous file is intact\./,
      );
      expect(readFileSync(target).equals(before)).toBe(true);
      expect(readdirSync(disk)).toEqual(["tensors.safetensors"]);
    } finally {
      spawnSync("umount", [disk]);
    }
  });

  it("is distinguished from other failures of a tensor's data", () => {
    writeSafetensors(file, [tensor("old", "U8", [4])]);
    const failing = (code: string) => () => {
      throw Object.assign(new Error(`${code}: write`), { code });
    };
    const broken = { ...tensor("new", "U8", [4]), data: failing("ENOSPC") };
    expect(() => writeSafetensors(file, [broken])).toThrow(/disk is full.*The previous file is intact/);
    expect(() => writeSafetensors(file, [{ ...broken, data: failing("EIO") }])).toThrow(/has failed \(EIO\)/);
    expect(existsSync(`${file}.part`)).toBe(false);
    expect(openSafetensors(file).entries.has("old")).toBe(true);
  });
});

describe("the Python package", () => {
  const python = pythonWithSafetensors();

  it("reads what we write, and we read what it writes", ({ skip }) => {
    if (!python) skip("no Python with safetensors and NumPy here; SELFSIGHT_PYTHON names one");
    const theirs = join(folder, "theirs.safetensors");
    const entries = dtypes
      .filter((dtype) => dtype !== "BF16")
      .map((dtype, i) => tensor(`t.${dtype}`, dtype, [i % 3, 3, 2]));
    writeSafetensors(file, entries, { format: "pt", ключ: "значение" });
    const script = `
import sys
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
with safe_open(sys.argv[1], "np") as f:
    metadata = f.metadata()
save_file(load_file(sys.argv[1]), sys.argv[2], metadata=metadata)`;
    execFileSync(python as string, ["-c", script, file, theirs]);
    const opened = openSafetensors(theirs);
    expect({ ...opened.metadata }).toEqual({ format: "pt", ключ: "значение" });
    expect(opened.entries.size).toBe(entries.length);
    for (const { name, dtype, shape, bytes } of entries) {
      expect(opened.entries.get(name)).toMatchObject({ dtype, shape });
      expect(Buffer.from(opened.read(name)).equals(bytes)).toBe(true);
    }
    opened.close();
  });
});

/** The first available Python that can import safetensors and NumPy. */
function pythonWithSafetensors(): string | undefined {
  const candidates = [process.env["SELFSIGHT_PYTHON"], "python3", "python"].filter((name) => name !== undefined);
  return candidates.find((name) => spawnSync(name, ["-c", "import safetensors.numpy"]).status === 0);
}

function caught(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}
