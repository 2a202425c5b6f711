/** Contact sheets: small pictures in a grid, with captions. */
import sharp from "sharp";
import { markSheet } from "./sheet-mark.ts";

export interface SheetCell {
  /** height × width × 3 bytes, RGB. */
  pixels: Uint8Array;
  width: number;
  height: number;
  caption?: string;
  /** Frame colour: green for true, red for false, grey by default. */
  good?: boolean;
}

const FRAME = 4;
const CAPTION = 18;

/**
 * A PNG of all cells, `columns` per row, each `side` pixels wide. There are no captions if the machine has no font. It is
 * marked as ours, so that it is not read as an image when it is saved among them.
 */
export async function contactSheet(cells: readonly SheetCell[], columns: number, side = 112): Promise<Buffer> {
  const captioned = cells.some((cell) => cell.caption) && (await hasFont());
  const below = captioned ? CAPTION : 0;
  const [boxWidth, boxHeight] = [side + 3 * FRAME, side + 3 * FRAME + below];
  const rows = Math.ceil(cells.length / columns);
  const layers = await Promise.all(
    cells.map(async (cell, i) => ({
      input: await drawCell(cell, side, below),
      left: FRAME + (i % columns) * boxWidth,
      top: FRAME + Math.floor(i / columns) * boxHeight,
    })),
  );
  const width = Math.min(columns, cells.length) * boxWidth + FRAME;
  const height = rows * boxHeight + FRAME;
  const sheet = sharp({ create: { width, height, channels: 3, background: "white" } }).composite(layers);
  return markSheet(await sheet.png().toBuffer());
}

async function drawCell(
  { pixels, width, height, caption = "", good }: SheetCell,
  side: number,
  below: number,
): Promise<Buffer> {
  const colour = good === undefined ? "#d0d4da" : good ? "#2e9e5b" : "#d64545";
  const picture = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize(side, side, { fit: "contain", background: "white", kernel: width < side ? "nearest" : "lanczos3" })
    .png()
    .toBuffer();
  const outer = side + 2 * FRAME;
  const text = (below ? caption : "").replace(/[<&>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const fontSize = Math.min(13, Math.floor((1.7 * outer) / Math.max(1, caption.length))); // a letter is about 0.55 em wide
  const label = `<svg xmlns="http://www.w3.org/2000/svg" width="${outer}" height="${outer + below}">
    <rect width="${outer}" height="${outer}" fill="${colour}"/>
    <text x="${outer / 2}" y="${outer + below - 4}" font-family="sans-serif" font-size="${fontSize}" text-anchor="middle" fill="#222">${text}</text></svg>`;
  return sharp(Buffer.from(label))
    .composite([{ input: picture, left: FRAME, top: FRAME }])
    .png()
    .toBuffer();
}

/** Without a font every letter is the same empty box. */
export async function hasFont(): Promise<boolean> {
  const [thin, wide] = await Promise.all(
    ["i", "W"].map((letter) => {
      const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24"><text y="18" font-family="sans-serif" font-size="16">${letter}</text></svg>`;
      return sharp(Buffer.from(drawing)).raw().toBuffer();
    }),
  );
  return thin !== undefined && wide !== undefined && !thin.equals(wide);
}
