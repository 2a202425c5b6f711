/** Folders of image files: flat, nested, or one sub-folder per class, with or without splits. */
import { readFile } from "node:fs/promises";
import { basename, extname, join, resolve, sep } from "node:path";
import { UsageError } from "../errors.ts";
import { findAnnotations, readObjects } from "./annotations.ts";
import { type Arrangement, arrange, type Place } from "./classes.ts";
import { hash, type ImageCollection, type ImageSet } from "./images.ts";
import type { LeftOut } from "./left-out.ts";
import { labelsFromFiles } from "./metadata.ts";
import { diskPath, isForeign, plural, realPath, shown, some } from "./names.ts";
import type { Folder, Scan } from "./scan.ts";

/**
 * Opens the images of a scanned folder. Sub-folders become splits and classes, see layout.ts. If there are no class
 * folders, labels may come from Hugging Face's metadata files.
 * @param labelsGiven whether a table will give the labels: then no image is left out for lying beside folders
 * @throws UsageError when there are no images
 */
export async function openFolder(scan: Scan, labelsGiven = false): Promise<ImageCollection> {
  const { root, images, tree, leftOut } = scan;
  if (!images.length) throw noImages(shown(root), leftOut);
  const arrangement = arrange(tree, labelsGiven);
  const rows = rowsByPart(scan, arrangement);
  const listed = await labelsFromFiles(scan, arrangement.classes !== undefined);
  const notes = [...arrangement.notes, ...listed.notes, ...strays(scan, arrangement), ...leftOut.sentences()];
  const labels: Labels = listed.labels ?? labelsOfFolders(scan, arrangement);
  const sets = arrangement.parts.flatMap((part) => {
    const chosen = rows.get(part);
    return chosen ? [partSet(scan, arrangement, { part, rows: chosen, labels })] : [];
  });
  return {
    name: basename(resolve(root)) || root,
    splits: Object.fromEntries(sets.map((set) => [set.name, set])),
    ...(notes.length && { notes }),
  };
}

interface Labels {
  classes: readonly string[] | undefined;
  /** Label of an image, by its row in the scan; -1 for none. */
  of: (row: number) => number;
}

function labelsOfFolders({ images }: Scan, { classes, places }: Arrangement): Labels {
  const byFolder = images.folders.map((path) => places.get(path)?.label ?? -1);
  return { classes, of: (row) => byFolder[images.folderIndex(row)] ?? -1 };
}

/** For each split: the scan's rows of its images, in order. */
function rowsByPart({ images }: Scan, { places, parts }: Arrangement): Map<string, Uint32Array> {
  const partOf = images.folders.map((path) => parts.indexOf(places.get(path)?.part ?? ""));
  const counts = parts.map(() => 0);
  for (let i = 0; i < images.length; i++) count(counts, partOf[images.folderIndex(i)] ?? -1);
  const rows = counts.map((length) => new Uint32Array(length));
  const used = counts.map(() => 0);
  for (let i = 0; i < images.length; i++) {
    const part = partOf[images.folderIndex(i)] ?? -1;
    const into = rows[part];
    if (into) into[count(used, part)] = i;
  }
  return new Map(parts.flatMap((part, i) => (rows[i]?.length ? [[part, rows[i]]] : [])));
}

/** @returns the count before it was incremented */
function count(counts: number[], at: number): number {
  const before = counts[at] ?? 0;
  if (at >= 0) counts[at] = before + 1;
  return before;
}

function partSet(
  { root, images, digests, tree }: Scan,
  { places }: Arrangement,
  { part, rows, labels }: { part: string; rows: Uint32Array; labels: Labels },
): ImageSet {
  const at = (i: number) => {
    const row = rows[i];
    if (row === undefined) throw new RangeError(`image ${i} of ${rows.length}`);
    return row;
  };
  const placeOf = (i: number): Place | undefined => places.get(images.folders[images.folderIndex(at(i))] ?? "");
  const used = new Set<number>();
  for (const row of rows) used.add(images.folderIndex(row));
  const contents = [...used].map((folder) => `${images.folders[folder]} ${digests[folder]}`);
  const read = async (i: number) => ({ encoded: await readFile(diskPath(join(root, images.path(at(i))))) });
  const annotations = findAnnotations(root, tree);
  return {
    name: part,
    length: rows.length,
    ...(labels.classes && rows.some((row) => labels.of(row) >= 0) && { classes: labels.classes }),
    label: (i) => labels.of(at(i)),
    id: (i) => shown(images.path(at(i))),
    group: (i) => placeOf(i)?.group ?? i,
    read,
    ...(annotations && { objects: async (i) => readObjects(annotations, images.path(at(i)), () => read(i)) }),
    fingerprint: hash([realPath(root), ...contents]),
  };
}

/** Notes on images that are left out: those in no split, and masks. */
function strays({ images }: Scan, { places, masks }: Arrangement): string[] {
  const inside = (path: string, { path: folder }: Folder) => path === folder || path.startsWith(folder + sep);
  const kinds = images.folders.map((path) =>
    places.has(path) ? undefined : masks.some((mask) => inside(path, mask)) ? "mask" : "stray",
  );
  const found = { mask: [] as string[], stray: [] as string[] };
  const counts = { mask: 0, stray: 0 };
  for (let i = 0; i < images.length; i++) {
    const kind = kinds[images.folderIndex(i)];
    if (kind && ++counts[kind] <= 3) found[kind].push(images.path(i));
  }
  const said = (kind: "mask" | "stray", what: string) => {
    if (!counts[kind]) return [];
    return [
      `${plural(counts[kind], "image")} ${what} ${counts[kind] === 1 ? "was" : "were"} left out: ${some(found[kind], counts[kind])}.`,
    ];
  };
  return [...said("stray", "beside the class folders or parts"), ...said("mask", "of masks or annotations")];
}

function noImages(folder: string, leftOut: LeftOut): UsageError {
  const others = leftOut.of("other").names.map((name) => (isForeign(name) ? shown(name) : extname(name) || name));
  const found = others.length ? `only ${[...new Set(others)].join(", ")}` : "it is empty";
  const more = leftOut.sentences().filter((sentence) => !sentence.includes("no image"));
  return new UsageError(
    `${folder} holds no images, nor do its sub-folders: ${more.length ? more.join(" ") : `${found}.`} ${hint(others)}` +
      `Expected jpg, png, webp, bmp, gif, tiff, avif or svg files.`,
  );
}

/** What to do with files that people often have instead of images. */
function hint(endings: readonly string[]): string {
  if (endings.some((ending) => /^\.(zip|tar|t?gz|7z|rar|xz)$/i.test(ending))) return "Unpack archives first. ";
  if (endings.includes(".arrow")) return 'Write Arrow files as Parquet first, by "to_parquet". ';
  return "";
}
