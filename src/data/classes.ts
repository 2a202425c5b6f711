/** The part and the class of every folder of images. */
import { classKey, filled, findParts, type PartFolder, unwrapped } from "./layout.ts";
import { plural, some } from "./names.ts";
import { inPartOrder, isContainer, isMask, plainPart } from "./parts.ts";
import type { Folder } from "./scan.ts";

/** Where the images right in a folder belong. */
export interface Place {
  part: string;
  /** Position among `classes`; -1 for none. */
  label: number;
  group?: string | undefined;
}

export interface Arrangement {
  /** By the folder's path. A folder of images that is not here is left out. */
  places: Map<string, Place>;
  /** In order. */
  parts: string[];
  /** Of all parts together: one that a part lacks must not shift the numbers of the others. */
  classes: string[] | undefined;
  /** Folders of masks: they are not here either. */
  masks: Folder[];
  notes: string[];
}

/** Images beside the class folders of a part: up to this part of those inside, they are left out. */
const FEW = 0.1;

/** @throws UsageError as {@link findParts} */
export function arrange(tree: Folder): Arrangement {
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
    if (!folder.own || folder.own <= FEW * (folder.total - folder.own)) continue;
    places.set(folder.path, { ...place, label: -1 });
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
  /** Names of the classes in it. Empty where most images lie beside the sub-folders. */
  labels: string[];
}

function levelOf({ part, folder, label }: PartFolder): Pick<Level, "kids" | "labels"> {
  const kids = filled(folder);
  if (part === "unlabelled") return { kids, labels: [] };
  if (label !== undefined) return { kids, labels: [label] };
  const names = kids.map(({ name }) => name).filter((name) => plainPart(name) !== "unlabelled");
  return { kids, labels: 2 * folder.own < folder.total ? names : [] };
}

/** Down to where classes differ: in one part by itself, then in all parts at once. */
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

/** Sub-folders that stand beside others. */
function severalKeys(folder: Folder): string[] {
  const kids = filled(folder);
  return kids.length > 1 ? kids.map(({ name }) => classKey(name)) : [];
}

/** Cat in one part is cat in another, unless there is a part that has both. */
function keys(levels: readonly Level[]): (name: string) => string {
  const byPart = new Map<Folder, string[]>();
  for (const { folder, labels, label } of levels) if (label === undefined) byPart.set(folder, labels);
  const clash = [...byPart.values()].some((labels) => new Set(labels.map(classKey)).size < new Set(labels).size);
  return clash ? (name) => name : classKey;
}

/** Pictures that are answers for the images in a folder beside them are no images to learn from. */
function withoutMasks(folder: Folder, masks: Folder[]): Folder {
  const kids = filled(folder);
  const beside = kids.some(({ name }) => isContainer(name) || plainPart(name))
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

/** A class that has lost all its images is missed here. */
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
