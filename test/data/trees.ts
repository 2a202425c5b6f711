/** Folders of files for tests. */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ImageCollection, ImageSet } from "../../src/data/images.ts";

/** A new folder with these files. Without given contents, each file holds its own path. */
export function makeTree(
  root: string,
  files: readonly string[] | Readonly<Record<string, string | Uint8Array>>,
): string {
  const folder = mkdtempSync(join(root, "t-"));
  const entries = Array.isArray(files) ? files.map((path): [string, string] => [path, path]) : Object.entries(files);
  for (const [path, contents] of entries) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), contents);
  }
  return folder;
}

export const idsOf = (set: ImageSet | undefined) => Array.from({ length: set?.length ?? 0 }, (_, i) => set?.id(i));
export const labelsOf = (set: ImageSet | undefined) =>
  Array.from({ length: set?.length ?? 0 }, (_, i) => set?.label(i));

/** The names of each split's images, with their class: { train: { "cat/1.png": "cat" } }. */
export function summary({ splits }: ImageCollection): Record<string, Record<string, string | undefined>> {
  const named = (set: ImageSet) =>
    Object.fromEntries(Array.from({ length: set.length }, (_, i) => [set.id(i), set.classes?.[set.label(i)]]));
  return Object.fromEntries(Object.entries(splits).map(([part, set]) => [part, named(set)]));
}
