/** Words drawn on sheets: smaller where they are long, cut where they would be too small to read. */

export interface Words {
  x: number;
  y: number;
  /** Room in pixels: longer text becomes smaller, down to 10 pixels, and is then cut. */
  width: number;
  size: number;
  anchor: "start" | "middle";
  fill: string;
  weight?: number;
}

/** An average letter's width in em, rounded up. */
const LETTER = 0.6;
const SMALLEST = 10;

/** Letters that have room at the smallest size. */
const room = (width: number): number => Math.floor(width / (LETTER * SMALLEST));

/** An SVG element. */
export function text(words: string, { x, y, width, size, anchor, fill, weight = 400 }: Words): string {
  const letters = [...words.replace(NOT_XML, "\u{fffd}")];
  const fitting = Math.max(SMALLEST, Math.min(size, width / (LETTER * Math.max(1, letters.length))));
  const most = Math.floor(width / (LETTER * fitting) + 1e-9);
  const shown = letters.length > most ? [...letters.slice(0, Math.max(1, most - 1)), "…"] : letters;
  const escaped = shown.join("").replace(/[<&>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return `<text x="${x}" y="${y}" font-size="${fitting.toFixed(1)}" font-weight="${weight}" text-anchor="${anchor}" fill="${fill}">${escaped}</text>`;
}

/** What XML 1.0 does not allow, escaped or not. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu;

/** "a / b" and "a → b" as two lines, where one has no room for them. Names may hold a / of their own, hardly a →. */
export function captionLines(caption: string, width: number): string[] {
  if ([...caption].length <= room(width)) return [caption];
  const { first, second } =
    (/^(?<first>.+ →) (?<second>.+)$/s.exec(caption) ?? /^(?<first>.+? \/) (?<second>.+)$/s.exec(caption))?.groups ??
    {};
  return first === undefined || second === undefined ? [caption] : [first, second];
}
