/** Tables of coloured cells. */
import type { Markish } from "@observablehq/plot";
import { cut } from "../../setup/terminal.ts";
import { below } from "./axes.ts";
import { drawnWidth, type Figure, type Plot, path, WIDTH } from "./plot.ts";

/** A place in the table: row and column from 0. */
export interface Cell {
  row: number;
  column: number;
}

export interface Grid {
  rows: readonly string[];
  columns: readonly string[];
  /** Names of the axes, "" for none. */
  axes: { rows: string; columns: string };
  /** Most characters of a row's or column's name. Default: {@link NAME}. */
  name?: number;
  /** Height and width of a cell, in units of the chart. */
  cell: { height: number; width: number };
}

/** Most characters of a row's or column's name, unless the grid says otherwise: "relative-patch" fits. */
const NAME = 14;

/** At full strength, text in the page's colour is still readable on it, on light and on dark pages. */
const STRONGEST = 0.8;
const LEVELS = 20;

export const leftMargin = (rows: readonly string[], longest = NAME) =>
  16 + Math.max(...rows.map((name) => drawnWidth(cut(name, longest))));

/** Plot's options for a table with its names at the left and below. */
export function grid(
  plot: Plot,
  { rows, columns, axes, cell, name: most = NAME }: Grid,
  marks: Markish[],
): ReturnType<Figure["draw"]> {
  const longest = Math.max(...columns.map((name) => drawnWidth(cut(name, most))));
  const upright = longest + 6 > cell.width;
  const margin = {
    left: leftMargin(rows, most),
    top: axes.rows ? 26 : 8,
    bottom: (upright ? longest + 8 : 20) + (axes.columns ? 28 : 8),
  };
  const [width, height] = [cell.width * columns.length, cell.height * rows.length];
  const middle = (_: string, i: number) => i + 0.5;
  const name = (names: readonly string[]) => (place: number) => cut(names[place - 0.5] ?? "", most);
  const total = Math.max(WIDTH, margin.left + width + 4);
  return {
    width: total,
    height: margin.top + height + margin.bottom,
    marginLeft: margin.left,
    marginRight: total - margin.left - width,
    marginTop: margin.top,
    marginBottom: margin.bottom,
    x: { type: "linear", domain: [0, columns.length] },
    y: { type: "linear", domain: [rows.length, 0] },
    marks: [
      ...marks,
      plot.axisX(columns.map(middle), {
        ...below,
        label: axes.columns || null,
        tickFormat: name(columns),
        ...(upright && { tickRotate: -90, textAnchor: "end" }),
      }),
      plot.axisY(rows.map(middle), {
        tickSize: 0,
        label: axes.rows || null,
        labelArrow: "none",
        tickFormat: name(rows),
      }),
    ],
  };
}

/** Fills cells with one colour, each by its strength of 0 to 1. Cells of about the same strength are one path. */
export function shades<One extends Cell>(
  cells: readonly One[],
  { colour, strength }: { colour: string; strength(cell: NoInfer<One>): number },
): Markish[] {
  const level = (cell: One) => Math.round(LEVELS * strength(cell));
  return Array.from({ length: LEVELS }, (_, i) => i + 1)
    .map((step) => ({ step, own: cells.filter((cell) => level(cell) === step) }))
    .filter(({ own }) => own.length > 0)
    .map(({ step, own }) =>
      path({ fill: colour, "fill-opacity": ((STRONGEST * step) / LEVELS).toFixed(2) }, outlines(own)),
    );
}

/** A frame inside each of the cells. */
export function frames(cells: readonly Cell[], colour: string): Markish {
  return path({ fill: "none", stroke: colour }, outlines(cells));
}

/** Diagonal lines over each of the cells. */
export function hatching(cells: readonly Cell[]): Markish {
  return path({ stroke: "currentColor", "stroke-opacity": 0.35, fill: "none" }, (x, y) =>
    cells
      .flatMap(({ row, column }) => {
        const [left, top, width, height] = [x(column), y(row), x(column + 1) - x(column), y(row + 1) - y(row)];
        const lines = Math.floor((width + height - 1) / HATCH);
        return Array.from({ length: lines }, (_, i) => {
          const sum = (i + 1) * HATCH; // distance from the left plus distance from the top
          const [from, to] = [Math.max(0, sum - height), Math.min(width, sum)];
          return `M${left + from} ${top + sum - from}L${left + to} ${top + sum - to}`;
        });
      })
      .join(""),
  );
}

/** Distance of two lines along an edge. */
const HATCH = 9;

const outlines =
  (cells: readonly Cell[]) =>
  (x: (value: number) => number, y: (value: number) => number): string =>
    cells
      .map(({ row, column }) => {
        const [width, height] = [x(column + 1) - x(column) - 1, y(row + 1) - y(row) - 1];
        return `M${x(column) + 0.5} ${y(row) + 0.5}h${width}v${height}h${-width}z`;
      })
      .join("");
