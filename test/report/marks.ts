/** Reads the marks of a chart. */
import { parseHTML } from "linkedom";

export const parsed = (html: string) => parseHTML(`<html><body>${html}</body></html>`).document;
export const groups = (html: string, name: string) => [...parsed(html).querySelectorAll(`g[aria-label="${name}"]`)];
export const attributes = (html: string, name: string, of: string) =>
  groups(html, name).flatMap((group) => [...group.children].map((mark) => mark.getAttribute(of) ?? ""));
export const texts = (html: string, name: string) =>
  groups(html, name).flatMap((group) => [...group.children].map((text) => text.textContent));

/** Pairs of numbers of a path or of "translate(x,y)". */
export const pairs = (text: string) =>
  [...text.matchAll(/(-?[\d.]+),(-?[\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)] as [number, number]);

/** The value's place on an axis, by two of its ticks. */
export function scale(html: string, axis: "x" | "y"): (value: number) => number {
  const places = attributes(html, `${axis}-axis tick label`, "transform").map(
    (text) => pairs(text)[0]?.[axis === "x" ? 0 : 1],
  );
  const values = texts(html, `${axis}-axis tick label`).map((text) => Number(text?.replace("−", "-").replace(",", "")));
  const [from = 0, to = 0, low = 0, high = 0] = [places[0], places.at(-1), values[0], values.at(-1)];
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}
