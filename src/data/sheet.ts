/** Contact sheets: small pictures in a grid, with captions. */
import sharp from "sharp";

export interface SheetCell {
  /** height × width × 3 bytes, RGB. */
  pixels: Uint8Array;
  width: number;
  height: number;
  caption?: string;
  /** Green frame for true, red for false, none when left out. */
  good?: boolean;
}

const FRAME = 4;
const CAPTION = 18;

/** A PNG of all cells, `columns` in a row, each at least `side` pixels wide. */
export async function contactSheet(cells: readonly SheetCell[], columns: number, side = 112): Promise<Buffer> {
  const captioned = cells.some((cell) => cell.caption);
  const [boxWidth, boxHeight] = [side + 3 * FRAME, side + 3 * FRAME + (captioned ? CAPTION : 0)];
  const rows = Math.ceil(cells.length / columns);
  const layers = await Promise.all(
    cells.map(async (cell, i) => ({
      input: await drawCell(cell, side),
      left: FRAME + (i % columns) * boxWidth,
      top: FRAME + Math.floor(i / columns) * boxHeight,
    })),
  );
  const width = Math.min(columns, cells.length) * boxWidth + FRAME;
  const height = rows * boxHeight + FRAME;
  return sharp({ create: { width, height, channels: 3, background: "white" } })
    .composite(layers)
    .png()
    .toBuffer();
}

async function drawCell({ pixels, width, height, caption = "", good }: SheetCell, side: number): Promise<Buffer> {
  const colour = good === undefined ? "#d0d4da" : good ? "#2e9e5b" : "#d64545";
  const picture = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize(side, side, { fit: "contain", background: "white", kernel: "nearest" })
    .png()
    .toBuffer();
  const outer = side + 2 * FRAME;
  const text = caption.replace(/[<&>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const label = `<svg xmlns="http://www.w3.org/2000/svg" width="${outer}" height="${outer + CAPTION}">
    <rect width="${outer}" height="${outer}" fill="${colour}"/>
    <text x="${outer / 2}" y="${outer + CAPTION - 4}" font-family="sans-serif" font-size="13" text-anchor="middle" fill="#222">${text}</text></svg>`;
  return sharp(Buffer.from(label))
    .composite([{ input: picture, left: FRAME, top: FRAME }])
    .png()
    .toBuffer();
}
