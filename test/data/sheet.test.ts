import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { expect, it } from "vitest";
import { contactSheet, type SheetCell } from "../../src/data/sheet.ts";
import { captionLines } from "../../src/data/sheet-text.ts";

/** A blue picture. With side 20, its box in the sheet has 20 + 3 × 4 pixels. */
const cell = (changes: Partial<SheetCell> = {}): SheetCell => ({
  pixels: Uint8Array.from({ length: 10 * 10 * 3 }, (_, i) => (i % 3 === 2 ? 255 : 0)),
  width: 10,
  height: 10,
  ...changes,
});

async function pixelAt(png: Buffer, left: number, top: number): Promise<number[]> {
  return [...(await sharp(png).extract({ left, top, width: 1, height: 1 }).raw().toBuffer())].slice(0, 3);
}

it("lays the pictures out in rows, framed in green or red", async () => {
  const png = await contactSheet([cell({ good: true }), cell({ good: false }), cell()], 2, 20);
  const { width, height, format } = await sharp(png).metadata();
  expect({ width, height, format }).toEqual({ width: 68, height: 68, format: "png" });
  for (const [left, top] of [
    [18, 18],
    [50, 18],
    [18, 50],
  ] as const)
    expect(await pixelAt(png, left, top)).toEqual([0, 0, 255]);
  const [good, bad, plain, none] = await Promise.all([
    pixelAt(png, 6, 6),
    pixelAt(png, 38, 6),
    pixelAt(png, 6, 38),
    pixelAt(png, 50, 50),
  ]);
  expect(good[1]).toBeGreaterThan(good[0] ?? 255);
  expect(bad[0]).toBeGreaterThan(bad[1] ?? 255);
  expect(Math.max(...plain) - Math.min(...plain)).toBeLessThan(20);
  expect(none).toEqual([255, 255, 255]);
});

it("keeps the shape of pictures that are not square", async () => {
  const flat = cell({ pixels: new Uint8Array(20 * 10 * 3), width: 20, height: 10 });
  const png = await contactSheet([flat], 1, 20);
  expect(await pixelAt(png, 18, 18)).toEqual([0, 0, 0]);
  expect(await pixelAt(png, 18, 10)).toEqual([255, 255, 255]);
});

it("draws outlines on the picture, in its pixels", async () => {
  const outlines = [
    { x: 0, y: 0, width: 5, height: 5, good: true },
    { x: 5, y: 5, width: 5, height: 5 },
  ];
  const png = await contactSheet([cell({ outlines })], 1, 40);
  const [green, white, inside, beside] = await Promise.all(
    [9, 29, 18, 40].map((at) => pixelAt(png, at, at === 40 ? 18 : at)),
  );
  expect(green?.[1]).toBeGreaterThan(2 * (green?.[0] ?? 255));
  expect(Math.min(...(white ?? [0]))).toBeGreaterThan(200);
  expect([inside, beside]).toEqual([
    [0, 0, 255],
    [0, 0, 255],
  ]);
});

it("leaves space between cells that do not belong together", async () => {
  const four = Array.from({ length: 4 }, () => cell());
  const { width } = await sharp(await contactSheet(four, 4, 20, 2)).metadata();
  expect(width).toBe(4 * 32 + 4 + 16);
  expect((await sharp(await contactSheet(four, 4, 20)).metadata()).width).toBe(4 * 32 + 4);
});

it("accepts captions with HTML characters", async () => {
  await expect(contactSheet([cell({ caption: `<b> & "90°"` })], 1, 20)).resolves.toBeInstanceOf(Buffer);
});

it("draws captions of any letters, long ones on two lines", async () => {
  const height = async (caption: string) => (await sharp(await contactSheet([cell({ caption })], 1)).metadata()).height;
  const one = await height("cat / dog");
  expect(await height("golden retriever / Labrador retriever")).toBe(one + 16);
  expect(captionLines("shirt / shoes / boots and slippers", 104)).toEqual(["shirt /", "shoes / boots and slippers"]);
  expect(captionLines("shoes / boots → coats and jackets 87 %", 104)).toEqual([
    "shoes / boots →",
    "coats and jackets 87 %",
  ]);
  expect(await height("a single name that is much longer than its picture is wide")).toBe(one);
  expect(await height("\u0001 \u000b \ufffe \ud800")).toBe(one); // none of them may stand in XML
});

it("leaves captions out on a machine without fonts, where each letter would be an empty box", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sheet-"));
  try {
    const [fonts, file] = [join(folder, "fonts.conf"), join(folder, "sheet.png")];
    writeFileSync(fonts, "<?xml version='1.0'?><fontconfig></fontconfig>");
    const module = fileURLToPath(new URL("../../src/data/sheet.ts", import.meta.url));
    const script = `
      import { writeFileSync } from "node:fs";
      import { contactSheet } from ${JSON.stringify(module)};
      const cell = { pixels: new Uint8Array(300), width: 10, height: 10, caption: "90°", good: true };
      contactSheet([cell], 1, 20).then((png) => writeFileSync(${JSON.stringify(file)}, png));`;
    execFileSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
      env: { ...process.env, FONTCONFIG_FILE: fonts },
    });
    expect(await sharp(readFileSync(file)).metadata()).toMatchObject({ width: 36, height: 36 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
