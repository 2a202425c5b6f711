/** Colours in the style sheet: --s0, --s1, ... */
const COLOURS = 8;

/** The colour of the encoder at this place, counted from 0; after eight they begin again. */
export function seriesColour(place: number): string {
  return `var(--s${place % COLOURS})`;
}
