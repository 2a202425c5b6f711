/**
 * Charts as inline SVG, drawn by Observable Plot (https://observablehq.com/plot) on a document without a browser. Colours and
 * type come from the page's style sheet, so that they follow light, dark and print.
 */
import { createRequire } from "node:module";
import type { PlotOptions, RenderFunction } from "@observablehq/plot";
import { textWidth } from "../../setup/terminal.ts";
import { escapeHtml } from "../escape.ts";

export type Plot = typeof import("@observablehq/plot");

/** Width of a chart in its own units. On a page it is as wide as its column. */
export const WIDTH = 420;

/** Width of one character, with room for the larger type on a phone. */
const CHARACTER = 7.6;

export interface Figure {
  caption: string;
  /** What the chart shows, for readers who cannot see it. */
  label: string;
  legend?: readonly { name: string; colour: string }[];
  /** If false, the chart is replaced by a sentence. */
  hasData: boolean;
  draw(plot: Plot): PlotOptions;
}

/** A figure with its caption, legend and chart. The same data gives the same string. */
export function figure({ caption, label, legend = [], hasData, draw }: Figure): string {
  const items = legend.map(
    ({ name, colour }) => `<span><span class="swatch" style="background:${colour}"></span>${escapeHtml(name)}</span>`,
  );
  const content = hasData
    ? [items.length && `<p class="legend">${items.join("\n")}</p>`, svg(label, draw)].filter(Boolean).join("\n")
    : '<p class="note">There is nothing to show.</p>';
  return `<figure class="chart"><figcaption>${escapeHtml(caption)}</figcaption>\n${content}</figure>`;
}

/** How wide a text is drawn at most, in units of the chart. */
export function drawnWidth(text: string): number {
  return textWidth(text) * CHARACTER;
}

type Scale = (value: number) => number;

/** A mark of Plot's that draws one path, made from the scales of x and y. */
export function path(attributes: Record<string, string | number>, d: (x: Scale, y: Scale) => string): RenderFunction {
  return (_index, { x, y }, _values, _dimensions, { document }) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", "path");
    element.setAttribute("d", d(x as Scale, y as Scale));
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    return element;
  };
}

let libraries: { plot: Plot; linkedom: typeof import("linkedom") } | undefined;

/** Plot and its document take half a second to load: commands without a chart do not wait for them. */
function load() {
  const require = createRequire(import.meta.url);
  libraries ??= { plot: require("@observablehq/plot"), linkedom: require("linkedom") };
  return libraries;
}

function svg(label: string, draw: Figure["draw"]): string {
  const { plot, linkedom } = load();
  const { document } = linkedom.parseHTML("<html></html>");
  const options = { width: WIDTH, marginRight: 20, ...draw(plot) };
  const element = plot.plot({ ...options, document, className: "plot" });
  element.querySelector("style")?.remove();
  for (const name of ["width", "height", "font-family", "font-size"]) element.removeAttribute(name);
  for (const one of [element, ...element.querySelectorAll("*")]) {
    for (const { name, value } of [...one.attributes]) if (isGeometry(name)) one.setAttribute(name, rounded(value));
  }
  const name = `role="img" aria-label="${escapeHtml(label)}"`; // here, because linkedom leaves < and & in attributes
  const html = element.outerHTML.replace("<svg", () => `<svg ${name}`);
  const { width } = options;
  if (width <= WIDTH) return html;
  // A wide chart scrolls on a phone, where it would be too small to read.
  return `<div class="scroll"><div style="min-width:${Math.round(0.85 * width)}px;max-width:${Math.round(1.3 * width)}px">${html}</div></div>`;
}

const isGeometry = (name: string) => /^(?:d|transform|c?x|c?y|[xy][12]|width|height)$/.test(name);

/** 83.33333333333334 to 83.33. */
function rounded(numbers: string): string {
  return numbers.replace(/\d+\.\d{3,}(?:e-\d+)?/g, (number) => String(Number(Number(number).toFixed(2))));
}
