import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseCsv, readTable } from "../../src/data/csv.ts";
import { UsageError } from "../../src/errors.ts";
import fc from "../fast-check.ts";
import { scratch } from "../images.ts";

const file = join(scratch(), "labels.csv");
const read = (contents: string | Uint8Array) => {
  writeFileSync(file, contents);
  return readTable(file);
};
const rows = [
  ["path", "label"],
  ["é/1.png", "cat, big"],
];

it("comma-separated values", () => {
  expect(parseCsv('a,b\n1,"x ""y"", z"\n\n,\n"q\nr",')).toEqual([
    { a: "1", b: 'x "y", z' },
    { a: "", b: "" },
    { a: "q\nr", b: "" },
  ]);
  expect(parseCsv("")).toEqual([]);
  expect(parseCsv('a,b\n1,"he said, ""hi"" , too"')).toEqual([{ a: "1", b: 'he said, "hi" , too' }]);
});

describe("a table", () => {
  it.each([
    ["commas", 'path,label\né/1.png,"cat, big"\n'],
    ["semicolons", "path;label\né/1.png;cat, big"],
    ["tabs", "path\tlabel\né/1.png\tcat, big\n"],
    ["a byte-order mark and Windows' line ends", '\ufeffpath,label\r\né/1.png,"cat, big"\r\n\r\n'],
    ["the old line ends of the Mac", 'path,label\ré/1.png,"cat, big"'],
    ["a spreadsheet's line about the separator", "sep=;\r\npath;label\r\né/1.png;cat, big\r\n"],
    ["quoted marks and separators", 'path,label\né/1.png, "cat, big"\n'],
    ["spaces around quotation marks", 'path, label\n "é/1.png" , "cat, big" \r\n'],
    ["spaces around values, and empty ones at the end", 'path , label\n é/1.png ,"cat, big",\n'],
  ])("with %s", (_, text) => {
    expect(read(text)).toEqual({ rows, notes: [] });
  });

  it("with a quotation mark in a value, as the refusal advises", () => {
    expect(read('0.png,"5"" pipe"\n').rows).toEqual([["0.png", '5" pipe']]);
  });

  it("in UTF-16, either way round, or in Latin-1 with a note", () => {
    const text = '\ufeffpath,label\né/1.png,"cat, big"\n';
    const wide = Buffer.from(text, "utf16le");
    expect(read(wide)).toEqual({ rows, notes: [] });
    expect(read(Buffer.from(wide).swap16())).toEqual({ rows, notes: [] });
    const old = read(Buffer.from(text.slice(1), "latin1"));
    expect(old).toEqual({ rows, notes: [expect.stringMatching(/^labels.csv is not in UTF-8: it is read as Latin-1/)] });
  });

  it("gives back whatever values are written with quotes", () => {
    const value = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\0", "").trim());
    const line = fc.tuple(fc.constant("a"), value, value);
    fc.assert(
      fc.property(fc.array(line, { minLength: 1 }), fc.constantFrom(",", ";", "\t"), (lines, separator) => {
        const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
        const text = lines.map((one) => one.map(quote).join(separator)).join("\n");
        expect(read(text).rows).toEqual(lines);
      }),
    );
  });

  it.each<[string, string | Uint8Array, RegExp]>([
    ["that is empty", "\n \n", /^labels.csv is empty/],
    ["that is no text", Buffer.from("PK\x03\x04\0\0\0"), /^labels.csv is not a text file. Save/],
    ["with an open quote", 'path,label\n"1.png,cat\n2.png,dog\n', /quotation mark that is never closed/],
    [
      "with an odd quotation mark",
      '0.png,5" pipe\n',
      /put the value in quotes and double the mark: "5"" pipe" for 5" pipe/,
    ],
    ["with an unquoted comma", "path,label\na,1.png,cat\n", /3 values in the line of a, but 2 in its first line/],
  ])("%s is refused", (_, contents, message) => {
    expect(() => read(contents)).toThrow(UsageError);
    expect(() => read(contents)).toThrow(message);
  });

  it("that is not there, or a folder, is refused", () => {
    expect(() => readTable("none.csv")).toThrow(/^There is no file none.csv/);
    expect(() => readTable("test")).toThrow(UsageError);
  });
});
