/** Contact sheets: small pictures in a grid, with captions. */
import sharp from "sharp";
import { markSheet } from "./sheet-mark.ts";
import { captionLines, text } from "./sheet-text.ts";

export interface SheetCell {
  /** height × width × 3 bytes, RGB. */
  pixels: Uint8Array;
  width: number;
  height: number;
  caption?: string;
  /** Frame colour: green for true, red for false, grey by default. */
  good?: boolean;
  /** Rectangles drawn on the picture, in its pixels. Green for true, red for false, white by default. */
  outlines?: readonly { x: number; y: number; width: number; height: number; good?: boolean }[];
}

const FRAME = 4;
/** Height of a line of a caption. */
const LINE = 16;
/** Space between cells that do not belong together. */
const APART = 16;

/**
 * A PNG of all cells, `columns` per row, each `side` pixels wide. There are no captions if the machine has no font. It is
 * marked as ours, so that it is not read as an image when it is saved among them.
 * @param together so many neighbours in a row belong together, with space before the next; 0: none do
 */
export async function contactSheet(
  cells: readonly SheetCell[],
  columns: number,
  side = 112,
  together = 0,
): Promise<Buffer> {
  const captioned = cells.some((cell) => cell.caption) && (await hasFont());
  const lines = cells.map(({ caption = "" }) => (captioned ? captionLines(caption, side + 2 * FRAME) : []));
  const below = captioned ? LINE * Math.max(...lines.map(({ length }) => length)) + 2 : 0;
  const [boxWidth, boxHeight] = [side + 3 * FRAME, side + 3 * FRAME + below];
  const rows = Math.ceil(cells.length / columns);
  const spaces = (column: number) => (together ? APART * Math.floor(column / together) : 0); // left of this column
  const layers = await Promise.all(
    cells.map(async (cell, i) => ({
      input: await drawCell(cell, side, lines[i] as string[], below),
      left: FRAME + (i % columns) * boxWidth + spaces(i % columns),
      top: FRAME + Math.floor(i / columns) * boxHeight,
    })),
  );
  const across = Math.min(columns, cells.length);
  const width = across * boxWidth + spaces(across - 1) + FRAME;
  const height = rows * boxHeight + FRAME;
  const sheet = sharp({ create: { width, height, channels: 3, background: "white" } }).composite(layers);
  return markSheet(await sheet.png().toBuffer());
}

const [GOOD, BAD, PLAIN] = ["#2e9e5b", "#d64545", "#d0d4da"];
const colourOf = (good: boolean | undefined, otherwise = PLAIN) => (good === undefined ? otherwise : good ? GOOD : BAD);

/** @param lines of the caption. @param below pixels kept for it */
async function drawCell(cell: SheetCell, side: number, lines: readonly string[], below: number): Promise<Buffer> {
  const { pixels, width, height, good } = cell;
  const picture = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize(side, side, { fit: "contain", background: "white", kernel: width < side ? "nearest" : "lanczos3" })
    .png()
    .toBuffer();
  const outer = side + 2 * FRAME;
  const place = { x: outer / 2, width: outer, size: 13, anchor: "middle", fill: "#222" } as const;
  const words = lines.map((line, i) => text(line, { ...place, y: outer + LINE * (i + 1) - 2 }));
  const label = `<svg xmlns="http://www.w3.org/2000/svg" width="${outer}" height="${outer + below}" font-family="sans-serif">
    <rect width="${outer}" height="${outer}" fill="${colourOf(good)}"/>${words.join("")}</svg>`;
  return sharp(Buffer.from(label))
    .composite([
      { input: picture, left: FRAME, top: FRAME },
      ...(cell.outlines?.length ? [{ input: drawOutlines(cell, side), left: FRAME, top: FRAME }] : []),
    ])
    .png()
    .toBuffer();
}

/** An SVG to lay over a cell's picture. White lines have a dark rim, to be seen on any picture. */
function drawOutlines({ width, height, outlines = [] }: SheetCell, side: number): Buffer {
  const scale = side / Math.max(width, height);
  const [left, top] = [(side - width * scale) / 2, (side - height * scale) / 2];
  const rectangles = outlines.map((one) => {
    const [x, y] = [left + one.x * scale + 1, top + one.y * scale + 1];
    const place = `x="${x}" y="${y}" width="${one.width * scale - 2}" height="${one.height * scale - 2}" fill="none"`;
    const rim = one.good === undefined ? `<rect ${place} stroke="#222" stroke-opacity="0.55" stroke-width="4"/>` : "";
    return `${rim}<rect ${place} stroke="${colourOf(one.good, "#fff")}" stroke-width="${rim ? 2 : 3}"/>`;
  });
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}">${rectangles.join("")}</svg>`,
  );
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
