/** Pictures of several encoders side by side: rows are images, columns what each encoder shows. */
import sharp from "sharp";
import { hasFont } from "../../data/sheet.ts";
import { markSheet } from "../../data/sheet-mark.ts";
import { text } from "../../data/sheet-text.ts";
import type { Column } from "./pictures.ts";

/** Pixels between pictures. */
export const GAP = 4;
const [MARGIN, BETWEEN, HEADER] = [16, 20, 62];

/** Pixels, RGBA. */
export interface Canvas {
  pixels: Uint8Array;
  width: number;
  height: number;
}

/** Columns of square pictures, with a transparent gap to the right of and below each. */
export function strip(columns: readonly (readonly Uint8Array[])[], size: number): Canvas {
  const pitch = size + GAP;
  const rows = columns[0]?.length ?? 0;
  const canvas = blank(columns.length * pitch, rows * pitch, 0);
  for (const [x, pictures] of columns.entries())
    for (const [y, picture] of pictures.entries()) paste(canvas, picture, size, x * pitch, y * pitch);
  return canvas;
}

export interface Group {
  label: string;
  columns: readonly Pick<Column, "title" | "detail" | "pictures">[];
}

/**
 * A PNG of the images, and beside them each encoder's pictures below its name, marked as ours so that it is not read as an image. No
 * words are drawn if the machine has no font.
 */
export async function attentionSheet(
  images: readonly Uint8Array[],
  groups: readonly Group[],
  size: number,
): Promise<Buffer> {
  const pitch = size + GAP;
  const header = (await hasFont()) ? HEADER : 0;
  const all: Group[] = [{ label: "", columns: [{ title: "image", detail: "", pictures: images }] }, ...groups];
  const widths = all.map(({ columns }) => columns.length * pitch - GAP);
  const lefts = widths.map((_, i) => MARGIN + widths.slice(0, i).reduce((sum, width) => sum + width + BETWEEN, 0));
  const width = (lefts.at(-1) as number) + (widths.at(-1) as number) + MARGIN;
  const top = MARGIN + header;
  const canvas = blank(width, top + images.length * pitch - GAP + MARGIN, 255);
  const words: string[] = [];
  for (const [i, { label, columns }] of all.entries()) {
    const left = lefts[i] as number;
    const own = widths[i] as number;
    if (label) {
      words.push(
        text(label, { x: left, y: MARGIN + 13, width: own, size: 15, anchor: "start", weight: 600, fill: "#1d2129" }),
      );
      words.push(`<rect x="${left}" y="${MARGIN + 21}" width="${own}" height="1.5" fill="#c5cad3"/>`);
    }
    for (const [k, { title, detail, pictures }] of columns.entries()) {
      const x = left + k * pitch;
      const place = { x: x + size / 2, width: pitch, anchor: "middle" as const };
      words.push(text(title, { ...place, y: MARGIN + 39, size: 13, fill: "#1d2129" }));
      words.push(text(detail, { ...place, y: MARGIN + 54, size: 11, fill: "#5d6673" }));
      for (const [row, picture] of pictures.entries()) paste(canvas, picture, size, x, top + row * pitch);
    }
  }
  const raw = { width, height: canvas.height, channels: 4 as const };
  const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${canvas.height}" font-family="sans-serif">${words.join("")}</svg>`;
  const layers = header ? [{ input: Buffer.from(drawing) }] : [];
  return markSheet(await sharp(canvas.pixels, { raw }).composite(layers).png({ compressionLevel: 9 }).toBuffer());
}

/** White, of this opacity. */
const blank = (width: number, height: number, opacity: 0 | 255): Canvas => ({
  pixels: new Uint8Array(width * height * 4).fill(255).map((value, i) => (i % 4 === 3 ? opacity : value)),
  ...{ width, height },
});

/** Copies a square picture into the canvas. */
function paste({ pixels, width }: Canvas, picture: Uint8Array, size: number, left: number, top: number): void {
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const to = ((top + y) * width + left + x) * 4;
      const from = (y * size + x) * 3;
      pixels.set(picture.subarray(from, from + 3), to);
      pixels[to + 3] = 255;
    }
  }
}
