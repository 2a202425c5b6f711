/** Finds the split and the class of every folder of images. */
import { classKey, filled, findParts, type PartFolder, unwrapped } from "./layout.ts";
import { plural, some } from "./names.ts";
import { inPartOrder, isContainer, isMask, plainPart } from "./parts.ts";
import type { Folder } from "./scan.ts";

/** Split, class and group of the images directly in a folder. */
export interface Place {
  part: string;
  /** Index into `classes`; -1 for none. */
  label: number;
  group?: string | undefined;
}

export interface Arrangement {
  /** By folder path. Folders of images that are not here are left out. */
  places: Map<string, Place>;
  /** Split names, the usual ones first. */
  parts: string[];
  /** Classes of all splits together: one that a split lacks must not shift the labels of the others. */
  classes: string[] | undefined;
  /** Folders of masks, which are left out too. */
  masks: Folder[];
  notes: string[];
}

/** Images beside a split's class folders are left out if they are at most this fraction of those inside. */
const FEW = 0.1;

/**
 * @param keepBeside whether images beside class folders are kept, however few: a table gives the labels
 * @throws UsageError as {@link findParts} does
 */
export function arrange(tree: Folder, keepBeside = false): Arrangement {
  const masks: Folder[] = [];
  const { folders: found, notes } = findParts(withoutMasks(tree, masks));
  const folders = descend(found);
  const levels = folders.map((folder) => ({ ...folder, ...levelOf(folder) }));
  const keyOf = keys(levels);
  const named = new Map<string, string>();
  for (const { labels } of levels) for (const name of labels) if (!named.has(keyOf(name))) named.set(keyOf(name), name);
  const classes = named.size < 2 ? undefined : [...named.values()].sort();
  const positions = new Map(classes?.map((name, i) => [keyOf(name), i]));
  const labelOf = (name: string | undefined) => (name === undefined ? undefined : positions.get(keyOf(name))) ?? -1;
  const places = new Map<string, Place>();
  const put = (folder: Folder, place: Place): void => {
    places.set(folder.path, place);
    for (const child of folder.children) put(child, place);
  };
  for (const { part, folder, label, group, kids, labels } of levels) {
    const place = { part, group };
    if (label !== undefined || !classes || !labels.length) {
      put(folder, { ...place, label: labelOf(label) });
      if (label === undefined && !labels.length && kids.length > 1 && part !== "unlabelled")
        notes.push(tooManyBeside(folder));
      continue;
    }
    for (const kid of kids) put(kid, { ...place, label: labelOf(kid.name) });
    if (!folder.own || (!keepBeside && folder.own <= FEW * (folder.total - folder.own))) continue;
    places.set(folder.path, { ...place, label: -1 });
    if (keepBeside) continue;
    notes.push(
      `${plural(folder.own, "image")} beside the class folders of ${part} ${folder.own === 1 ? "has" : "have"} no label.`,
    );
  }
  notes.push(...emptyFolders(levels, tree));
  return { places, parts: inPartOrder(new Set(levels.map(({ part }) => part))), classes, masks, notes };
}

interface Level extends PartFolder {
  /** Sub-folders with images. */
  kids: Folder[];
  /** Names of the classes in it. Empty if most images lie beside the sub-folders. */
  labels: string[];
}

function levelOf({ part, folder, label }: PartFolder): Pick<Level, "kids" | "labels"> {
  const kids = filled(folder);
  if (part === "unlabelled") return { kids, labels: [] };
  if (label !== undefined) return { kids, labels: [label] };
  const names = kids.map(({ name }) => name).filter((name) => plainPart(name) !== "unlabelled");
  return { kids, labels: 2 * folder.own < folder.total ? names : [] };
}

/** Descends to the folders that hold several classes: first in each split by itself, then in all splits at once. */
function descend(folders: readonly PartFolder[]): PartFolder[] {
  const isDeep = ({ part, label, folder }: PartFolder) =>
    part !== "unlabelled" && label === undefined && filled(folder).length > 0;
  const classes = new Set(folders.filter(isDeep).flatMap(({ folder }) => severalKeys(folder)));
  const inside = folders.map((one) => {
    const kids = filled(one.folder);
    const isClass = kids.some(({ name }) => classes.has(classKey(name)));
    return isDeep(one) && !isClass ? { ...one, folder: unwrapped(one.folder) } : one;
  });
  const deep = inside.filter(isDeep);
  const kids = deep.map(({ folder }) => filled(folder));
  const same = new Set(kids.flat().map(({ name }) => classKey(name))).size === 1;
  const structured = kids.every(([only, ...more]) => only && !more.length && filled(only).length > 0);
  if (!same || !structured || deep.some(({ folder }) => 2 * folder.own >= folder.total)) return inside;
  return descend(inside.map((one) => (deep.includes(one) ? { ...one, folder: filled(one.folder)[0] as Folder } : one)));
}

/** Class keys of the sub-folders, if there are several. */
function severalKeys(folder: Folder): string[] {
  const kids = filled(folder);
  return kids.length > 1 ? kids.map(({ name }) => classKey(name)) : [];
}

/** "Cat" in one split is "cat" in another, unless one split has both. */
function keys(levels: readonly Level[]): (name: string) => string {
  const byPart = new Map<Folder, string[]>();
  for (const { folder, labels, label } of levels) if (label === undefined) byPart.set(folder, labels);
  const clash = [...byPart.values()].some((labels) => new Set(labels.map(classKey)).size < new Set(labels).size);
  return clash ? (name) => name : classKey;
}

/** Removes folders of masks: they hold the targets of the images beside them, not images to learn from. */
function withoutMasks(folder: Folder, masks: Folder[]): Folder {
  const kids = filled(folder);
  const alone = folder.own > 0 && kids.every(({ name }) => isMask(name)); // 1.jpg and masks/1.png
  const beside =
    alone || kids.some(({ name }) => isContainer(name) || plainPart(name))
      ? kids.filter(({ name }) => isMask(name))
      : [];
  masks.push(...beside);
  const children = folder.children
    .filter((child) => !beside.includes(child))
    .map((child) => withoutMasks(child, masks));
  return { ...folder, children, total: children.reduce((sum, { total }) => sum + total, folder.own) };
}

function tooManyBeside({ path, own, total }: Folder): string {
  const where = path === "" ? "The images" : `The images in ${some([path])}`;
  return `${where} have no labels: ${own} of ${total} lie beside its sub-folders, and in no class.`;
}

/** A note on empty folders: a class may have lost all its images. */
function emptyFolders(levels: readonly Level[], tree: Folder): string[] {
  const parents = new Set([tree, ...levels.map(({ folder }) => folder)].map(({ path }) => path));
  const empty = new Set<string>();
  const visit = (folder: Folder) => {
    for (const child of folder.children) {
      if (!child.total && parents.has(folder.path) && !isMask(child.name) && !isContainer(child.name))
        empty.add(child.path);
      visit(child);
    }
  };
  visit(tree);
  if (!empty.size) return [];
  return [
    `${plural(empty.size, "folder")} without images ${empty.size === 1 ? "was" : "were"} left out: ${some(empty)}.`,
  ];
}
