/** Tables in text files: a comma, semicolon or tab between values, quotes as in RFC 4180, in the usual encodings. */
import { isUtf8 } from "node:buffer";
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { dsvFormat } from "d3-dsv";
import { UsageError } from "../errors.ts";
import { diskPath, readable } from "./names.ts";

/** Parses comma-separated values with a header; numbers stay text. */
export function parseCsv(text: string): Record<string, string | undefined>[] {
  const [header = [], ...body] = parseRows(text, ",");
  return body.map((row) => Object.fromEntries(header.map((name, i) => [name.trim(), row[i]])));
}

export interface TextTable {
  /** Values without spaces around them, one list for each line that is not empty. All lists have the same length. */
  rows: string[][];
  /** How the file was read, where that may surprise. */
  notes: string[];
}

/** @throws UsageError for a file that is missing, empty or no table of text, and for lines with too many values */
export function readTable(path: string): TextTable {
  if (!existsSync(diskPath(path))) throw new UsageError(`There is no file ${path}.`);
  const name = basename(path);
  const { text, notes } = decodeText(
    readable(path, () => readFileSync(diskPath(path))),
    name,
  );
  const [, told, body = ""] = /^(?:sep=(.)\r?\n)?(.*)$/s.exec(text) ?? []; // a line that spreadsheets write
  const quotes = body.split('"').length - 1;
  if (quotes % 2)
    throw new UsageError(
      `${name} has a quotation mark that is never closed. Close it. If it is part of a value, put the value in quotes ` +
        'and double the mark: "5"" pipe" for 5" pipe.',
    );
  const separator = told ?? separatorOf(body);
  const rows = parseRows(withoutBlanks(body, separator), separator).map((row) => row.map((value) => value.trim()));
  const [first] = rows;
  if (!first) throw new UsageError(`${name} is empty.`);
  const long = rows.find((row) => row.slice(first.length).some(Boolean));
  if (long)
    throw new UsageError(
      `${name} has ${long.length} values in the line of ${long[0]}, but ${first.length} in its first line. ` +
        "Put quotes around a value that holds a separator.",
    );
  return { rows: rows.map((row) => first.map((_, i) => row[i] ?? "")), notes };
}

/** Without blanks around whole values in quotes: with them, the marks would be part of the value. */
function withoutBlanks(text: string, separator: string): string {
  const at = separator === "\t" ? "\\t" : separator.replace(/[|.*+?^$()[\]{}\\]/g, "\\$&");
  const blank = separator === "\t" ? " " : "[ \\t]";
  const quoted = new RegExp(`(^|${at})${blank}*("(?:[^"]|"")*")${blank}*(?=${at}|\\r|$)`, "gm");
  return text.replace(quoted, "$1$2");
}

function parseRows(text: string, separator: string): string[][] {
  return dsvFormat(separator)
    .parseRows(text)
    .filter((row) => row.length > 1 || row[0]?.trim());
}

/** UTF-8, UTF-16 with a byte-order mark, else Latin-1, which older spreadsheets write. */
function decodeText(bytes: Buffer, name: string): { text: string; notes: string[] } {
  const mark = bytes.subarray(0, 2).toString("hex");
  const encoding = { fffe: "utf-16le", feff: "utf-16be" }[mark] ?? (isUtf8(bytes) ? "utf-8" : "windows-1252");
  const text = new TextDecoder(encoding).decode(bytes); // drops the mark
  if (text.includes("\0")) throw new UsageError(`${name} is not a text file. Save the table as CSV in UTF-8.`);
  const notes =
    encoding === "windows-1252"
      ? [`${name} is not in UTF-8: it is read as Latin-1. Save it as UTF-8 if names are wrong.`]
      : [];
  return { text, notes };
}

/** Lines to look at. */
const SAMPLE = 50;

/** The separator that gives all lines the same number of values, else the one that is most frequent in the first line. */
function separatorOf(text: string): string {
  const lines = text.split(/\r\n|\n|\r/, SAMPLE);
  const rows = (separator: string) => parseRows(lines.join("\n"), separator);
  const fits = (separator: string) => {
    const lengths = new Set(rows(separator).map(({ length }) => length));
    return lengths.size === 1 && !lengths.has(1);
  };
  const count = (separator: string) => rows(separator)[0]?.length ?? 0;
  const all = ["\t", ";", ","];
  return all.find(fits) ?? (all.sort((a, b) => count(b) - count(a))[0] as string);
}
