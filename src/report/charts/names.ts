/** The names of lines, at their right ends: with many lines, a legend's colours could not be told apart. */
import type { RenderFunction } from "@observablehq/plot";
import { isotonic } from "../../evaluate/statistics.ts";
import { cut, textWidth } from "../../setup/terminal.ts";
import type { LineStyle } from "../colours.ts";

export interface NamedLine extends LineStyle {
  name: string;
  /** The last point, on the scales of x and y; none if there is nothing to draw. */
  end?: { x: number | string; y: number } | undefined;
}

/** An element of a document without a browser, whose types are not those of a page. */
interface Parent {
  appendChild(child: unknown): unknown;
}

/** Most characters of a name: a task and one of its options fit. */
const MOST = 32;
/** Height of a name, and the width of a character of its small type; in units of the chart. */
const [LINE, CHARACTER] = [14, 6.4];
/** Widths of the way from a line's end to its name, and of a sample of the line before the name. */
const [WAY, SAMPLE] = [14, 18];

/** Room for names at the right of a chart, in its units. */
export function roomForNames(names: readonly string[]): number {
  const widest = Math.max(0, ...names.map((name) => textWidth(cut(name, MOST))));
  return WAY + SAMPLE + 6 + widest * CHARACTER;
}

/** The least height of a chart beside which so many names find room. */
export const heightForNames = (names: readonly string[]): number => LINE * (names.length + 0.5);

/** A mark of Plot's: each name with a sample of its line, joined to the line's end. Names never cover each other. */
export function namesAtEnds(lines: readonly NamedLine[]): RenderFunction {
  return (_index, { x, y }, _values, { width, height, marginRight, marginTop }, { document }) => {
    const make = (parent: Parent, name: string, attributes: Record<string, string | number>) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
      parent.appendChild(element);
      return element;
    };
    const group = document.createElementNS("http://www.w3.org/2000/svg", "g");
    group.setAttribute("aria-label", "name");
    const place = x as (value: number | string) => number;
    const shown = lines.flatMap((line) =>
      line.end ? [{ line, from: place(line.end.x), at: (y as (value: number) => number)(line.end.y) }] : [],
    );
    shown.sort((a, b) => a.at - b.at);
    const heights = apart(
      shown.map(({ at }) => at),
      LINE,
      [marginTop, height - LINE / 2],
    );
    for (const [i, { line, from, at }] of shown.entries()) {
      const [start, own] = [width - marginRight + WAY, heights[i] as number];
      const stroke = { stroke: line.colour, fill: "none" };
      const way = `M${from + 5},${at}L${Math.max(from + 5, start - WAY)},${at}L${start},${own}`;
      make(group, "path", { ...stroke, d: way, "stroke-opacity": 0.45 });
      const dash = line.dash ? { "stroke-dasharray": line.dash } : {};
      make(group, "path", { ...stroke, ...dash, d: `M${start},${own}h${SAMPLE}`, "stroke-width": 2.5 });
      const text = make(group, "text", {
        class: "small",
        x: start + SAMPLE + 5,
        y: own,
        dy: "0.32em",
        "text-anchor": "start",
        fill: "var(--ink)",
      });
      text.textContent = cut(line.name, MOST);
      if (text.textContent !== line.name) make(text, "title", {}).textContent = line.name;
    }
    return group;
  };
}

/**
 * Moves sorted heights as little as possible, so that neighbours are at least `gap` apart: isotonic regression of the heights without
 * the gaps. Then into the given range.
 */
export function apart(heights: readonly number[], gap: number, [low, high]: readonly [number, number]): number[] {
  const last = high - (heights.length - 1) * gap;
  const places = isotonic(heights.map((height, i) => height - i * gap));
  return places.map((place, i) => Math.max(low, Math.min(last, place)) + i * gap);
}
