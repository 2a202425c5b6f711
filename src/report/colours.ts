import type { Kind } from "../evaluate/representations.ts";

/** Colours in the style sheet: --s0, --s1, ... */
const COLOURS = 8;

/** The colour of the encoder at this place, counted from 0; after eight they begin again. */
export function seriesColour(place: number): string {
  return `var(--s${place % COLOURS})`;
}

export interface LineStyle {
  colour: string;
  /** Of the stroke; none for a solid line. */
  dash?: string;
}

/** Hues far from each other come first; grey is left to what was not pre-trained. After seven they begin again, dashed. */
const HUES = [0, 2, 3, 5, 4, 6, 7];
const DASHED = "9 3";

/** The colour of the line at this place, among those that were pre-trained. */
export const hue = (place: number): string => `var(--s${HUES[place % HUES.length]})`;

/** Of the same network untrained. */
export const UNTRAINED: LineStyle = { colour: "var(--soft)", dash: "6 3" };

/** Baselines look the same in every chart: grey or ink, each with its own dash. */
const baselines: Readonly<Partial<Record<Kind, LineStyle>>> = {
  untrained: UNTRAINED,
  "from-scratch": { colour: "var(--ink)", dash: "2 2" },
  handcrafted: { colour: "var(--soft)", dash: "9 3 2 3" },
  pixels: { colour: "var(--soft)", dash: "2 4" },
};

/** A style for each line, so that all can be told apart in colour, and baselines from the rest without it. */
export function lineStyles(kinds: readonly Kind[]): LineStyle[] {
  let hues = 0;
  return kinds.map((kind) => {
    const baseline = baselines[kind];
    if (baseline) return baseline;
    const place = hues++;
    return { colour: hue(place), ...(place >= HUES.length && { dash: DASHED }) };
  });
}
