/** The results as tables for a terminal. */
import { styleText } from "node:util";
import Table from "cli-table3";
import type { Difference, ResultRow } from "../evaluate/result.ts";
import { plainValue } from "../metric.ts";
import { textWidth, wrap } from "../setup/terminal.ts";
import { type Block, blocksOf } from "./blocks.ts";

/** Where the table is shown, for example `process.stdout`. */
export interface TableTarget {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}

/** Most columns of an encoder's name above its values. */
const NAME_WIDTH = 20;

type Paint = (format: "bold" | "dim", text: string) => string;

/**
 * One table for each protocol and number of labels: layers down, encoders across, values and their 95 % intervals in
 * percent. Bold and dim only on a terminal.
 * @param differences `*` stands at the layers that were chosen for them, by held-out labels
 */
export function resultTable(
  rows: readonly ResultRow[],
  { isTTY = false, columns }: TableTarget = {},
  differences: readonly Difference[] = [],
): string {
  const paint: Paint = (format, text) => (isTTY ? styleText(format, text, { validateStream: false }) : text);
  const most = columns || Number.POSITIVE_INFINITY; // a terminal that does not know reports 0
  const blocks = blocksOf(rows, differences).map((block) => {
    const fitting = [acrossTable, downTable].map((draw) => draw(block, paint)).find((text) => tableWidth(text) <= most);
    return [...wrap(block.title, most).map((line) => paint("bold", line)), fitting ?? list(block, paint, most)].join(
      "\n",
    );
  });
  const units = [...new Set(rows.map(({ metric }) => (metric.unit === "%" ? "Percent" : metric.unit || metric.name)))];
  const marks = differences.length ? "; * each encoder's best layer" : "";
  const key = wrap(`${units.join("; ")} [95 % interval]${marks}.`, most).map((line) => paint("dim", line));
  return `${blocks.join("\n\n")}\n${key.join("\n")}`;
}

const tableWidth = (text: string) => textWidth(text.split("\n", 1)[0] ?? "");

function acrossTable(block: Block, paint: Paint): string {
  const head = ["layer", ...block.encoders.map((name) => wrap(name, NAME_WIDTH).join("\n"))];
  return table(
    head,
    block.layers.map((layer) => [
      layer,
      ...block.encoders.map((encoder) => cellText(block.cell(layer, encoder), block, paint)),
    ]),
    paint,
  );
}

/** For many encoders: one line per layer of each encoder. */
function downTable(block: Block, paint: Paint): string {
  const lines = block.rows.map((row) => [row.encoder, row.layer, cellText(row, block, paint)]);
  return table(["encoder", "layer", block.rows[0]?.metric.name ?? ""], lines, paint);
}

/** For a narrow terminal: each encoder's name, then one line per layer. */
function list(block: Block, paint: Paint, columns: number): string {
  const longest = Math.max(...block.layers.map(textWidth));
  return block.encoders
    .flatMap((encoder) => [
      ...wrap(encoder, columns).map((line) => paint("bold", line)),
      ...block.rows
        .filter((row) => row.encoder === encoder)
        .flatMap((row) => {
          const layer = row.layer + " ".repeat(longest - textWidth(row.layer));
          const cell = cellText(row, block, paint);
          const mark = block.isBest(row) ? "" : "  ";
          const line = `  ${layer}  ${mark}${cell}`;
          return textWidth(line) <= columns ? [line] : [...wrap(row.layer, columns), ...wrap(cell, columns)];
        }),
    ])
    .join("\n");
}

function table(head: string[], lines: string[][], paint: Paint): string {
  const result = new Table({
    head: head.map((text) => text.replace(/[^\n]+/g, (line) => paint("bold", line))),
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, column) =>
      column === head.length - 1 || (head[0] === "layer" && column) ? "right" : "left",
    ),
  });
  result.push(...lines);
  return result.toString();
}

function cellText(row: ResultRow | undefined, block: Block, paint: Paint): string {
  if (!row) return "";
  const [value = "", low, high] = [row.value, row.low, row.high].map((part) => plainValue(row.metric, part));
  const interval = paint("dim", `[${low}, ${high}]`);
  return block.isBest(row) ? `* ${paint("bold", value)} ${interval}` : `${value} ${interval}`;
}
