/** The results as tables for a terminal. */
import { stripVTControlCharacters, styleText } from "node:util";
import Table from "cli-table3";
import type { Difference, ResultRow } from "../evaluate/result.ts";
import { type Block, blocksOf } from "./blocks.ts";

/** Where the table is shown: `process.stdout`, for one. */
export interface TableTarget {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}

type Paint = (format: "bold" | "dim", text: string) => string;

/**
 * One table for each protocol and number of labels: layers down, encoders across, values and their 95 % intervals in
 * percent, `*` at each encoder's best layer. Bold and dim on a terminal only.
 * @param differences where given, the best layers are the ones that were chosen for them
 */
export function resultTable(
  rows: readonly ResultRow[],
  { isTTY = false, columns = Number.POSITIVE_INFINITY }: TableTarget = {},
  differences: readonly Difference[] = [],
): string {
  const paint: Paint = (format, text) => (isTTY ? styleText(format, text, { validateStream: false }) : text);
  const blocks = blocksOf(rows, differences).map((block) => {
    const wide = acrossTable(block, paint);
    const width = stripVTControlCharacters(wide).indexOf("\n");
    return `${paint("bold", block.title)}\n${width > columns ? downTable(block, paint) : wide}`;
  });
  return `${blocks.join("\n\n")}\n${paint("dim", "Percent [95 % interval]; * each encoder's best layer.")}`;
}

function acrossTable(block: Block, paint: Paint): string {
  const head = ["layer", ...block.encoders.map((name) => name.replace(", ", ",\n"))];
  return table(
    head,
    block.layers.map((layer) => [
      layer,
      ...block.encoders.map((encoder) => cellText(block.cell(layer, encoder), block, paint)),
    ]),
    paint,
  );
}

/** For many encoders, or a narrow terminal: one line for each layer of each encoder. */
function downTable(block: Block, paint: Paint): string {
  const lines = block.rows.map((row) => [row.encoder, row.layer, cellText(row, block, paint)]);
  return table(["encoder", "layer", block.rows[0]?.metric ?? ""], lines, paint);
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
  const [value = "", low, high] = [row.value, row.low, row.high].map((part) => (part * 100).toFixed(1));
  const interval = paint("dim", `[${low}, ${high}]`);
  return block.isBest(row) ? `* ${paint("bold", value)} ${interval}` : `${value} ${interval}`;
}
