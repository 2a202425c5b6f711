/** Small generated picture files for tests. The top is brighter than the bottom, so that rotations are visible. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, onTestFinished, TestRunner } from "vitest";
import { randomAt, uniform } from "../src/random.ts";

/** A scratch folder that is deleted after the test, or after the test file if that asks for it at its top. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "selfsight-test-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  if (TestRunner.getCurrentTest()) onTestFinished(remove);
  else afterAll(remove);
  return folder;
}

export interface PictureOptions {
  count: number;
  size?: number;
  /** Sub-folders, one per class; each class has its own hue. */
  classes?: readonly string[];
  seed?: number;
  /** Without colours. */
  grey?: boolean;
}

/** Writes PNG pictures into a folder, with a sub-folder for each class. Returns the folder. */
export async function makePictures(
  folder: string,
  { count, size = 24, classes = [""], seed = 0, grey = false }: PictureOptions,
): Promise<string> {
  for (const [label, name] of classes.entries()) {
    mkdirSync(join(folder, name), { recursive: true });
    for (let i = 0; i < count; i++) {
      await sharp(picture(size, label, randomAt(seed, label, i)), { raw: { width: size, height: size, channels: 3 } })
        .greyscale(grey)
        .png()
        .toFile(join(folder, name, `${String(i).padStart(4, "0")}.png`));
    }
  }
  return folder;
}

/** A vertical ramp in the class's colour, with noise. */
function picture(size: number, label: number, random: ReturnType<typeof randomAt>): Buffer {
  const colour = [0, 1, 2].map((channel) => (channel === label % 3 ? 1 : 0.4) * uniform(random, 0.8, 1));
  return Buffer.from(
    Array.from({ length: size * size * 3 }, (_, i) => {
      const row = Math.floor(i / (3 * size));
      return Math.round((1 - row / size) * 200 * (colour[i % 3] ?? 0) + uniform(random, 0, 40));
    }),
  );
}
