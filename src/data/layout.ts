/**
 * Decides which sub-folders are splits (train, test, …) and which are classes, from names and image counts alone. One
 * split name proves nothing: a class may be called "train". Two split names are enough; so are sub-folders with equal contents.
 */
import { UsageError } from "../errors.ts";
import { some } from "./names.ts";
import { inPartOrder, isContainer, isFold, isMask, partName, plainPart } from "./parts.ts";
import type { Folder } from "./scan.ts";

/** A folder whose images belong to one split. */
export interface PartFolder {
  part: string;
  folder: Folder;
  /** Its class, if its sub-folders are not classes. */
  label?: string;
  /** The same for images that stay together when the set is split. */
  group?: string;
}

/** Images in none of the folders belong to no split. */
export interface Layout {
  /** In the order of the splits. */
  folders: PartFolder[];
  notes: string[];
}

/** If more folders than this could be splits, they are probably one for each person or place, and become groups instead. */
const MOST_PARTS = 12;

/** @throws UsageError for the folds of a cross-validation, and for an empty training folder */
export function findParts(node: Folder): Layout {
  refuseEmptyTrain(node);
  const kids = filled(node);
  const found = byName(node) ?? classesFirst(kids) ?? bySameContents(node) ?? besideClasses(node);
  if (found) return ordered(found);
  return within(node) ?? { folders: [{ part: "all", folder: node }], notes: loneName(kids) };
}

/** Sub-folders that have images. */
export const filled = (node: Folder): Folder[] => node.children.filter(({ total }) => total > 0);

const below = ({ own, total }: Folder) => total - own;
const images = (folders: readonly Folder[]) => folders.reduce((sum, { total }) => sum + total, 0);
const names = (folders: readonly Folder[]) => some(folders.map(({ name }) => name));
const others = (all: readonly Folder[], chosen: readonly Folder[]) => all.filter((one) => !chosen.includes(one));
const usual = (part: string | undefined) => part === "train" || part === "validation" || part === "test";

function ordered(layout: Layout): Layout {
  const order = inPartOrder(new Set(layout.folders.map(({ part }) => part)));
  return { ...layout, folders: [...layout.folders].sort((a, b) => order.indexOf(a.part) - order.indexOf(b.part)) };
}

/** Refuses an empty training folder: otherwise the test images would be trained on. */
function refuseEmptyTrain(node: Folder): void {
  const empty = node.children.find(({ total, name }) => !total && plainPart(name) === "train");
  const kids = filled(node);
  const forTests = kids.every(({ name }) => usual(plainPart(name)) && plainPart(name) !== "train");
  if (!empty || !kids.length || !forTests) return;
  throw new UsageError(`${empty.path} holds no images, but there are images in ${names(kids)}. Fill it, or delete it.`);
}

/** `train` and `test`, or `cats_train` and `cats_test`. */
function byName(node: Folder): Layout | undefined {
  const kids = filled(node);
  const plain = kids.filter(({ name }) => plainPart(name));
  const parts = new Set(plain.map(({ name }) => plainPart(name)));
  const rest = others(kids, plain);
  const several = parts.size > 1 || (plain.length > 1 && !rest.length); // for example train2014 and train2017
  if (!several || ![...parts].some(usual)) return byNameAndRest(kids);
  const nested = plain.some((kid) => filled(kid).length && kid.own < below(kid));
  if (!nested && plain.length <= rest.length) return undefined;
  return joined(
    plain.flatMap((folder) => {
      const part = plainPart(folder.name) as string;
      const inner = part === "train" && !folder.own ? byName(folder) : undefined; // trainval/train and trainval/val, beside test
      return inner?.folders ?? { part, folder };
    }),
  );
}

function byNameAndRest(kids: readonly Folder[]): Layout | undefined {
  const byRest = new Map<string, PartFolder[]>();
  for (const folder of kids) {
    const { part, rest = "" } = partName(folder.name) ?? {};
    if (part !== undefined && usual(part))
      byRest.set(rest, [...(byRest.get(rest) ?? []), { part, folder, label: rest }]);
  }
  const pairs = [...byRest.values()].filter((found) => new Set(found.map(({ part }) => part)).size > 1);
  const found = pairs.flat();
  if (2 * found.length <= kids.length) return undefined;
  const labelled = pairs.length > 1 && found.every(({ folder }) => !filled(folder).length);
  return labelled ? { folders: found, notes: [] } : joined(found.map(({ part, folder }) => ({ part, folder })));
}

/** Several folders may form one split. */
function joined(folders: PartFolder[]): Layout {
  const notes: string[] = [];
  for (const part of new Set(folders.map((folder) => folder.part))) {
    const same = folders.filter((folder) => folder.part === part && folder.label === undefined);
    if (same.length > 1)
      notes.push(`${some(same.map(({ folder }) => folder.path))} are taken together as the part ${part}.`);
  }
  return { folders, notes };
}

/** `cat/train`, `cat/test`, `dog/train`, … */
function classesFirst(kids: readonly Folder[]): Layout | undefined {
  const split = kids.filter((kid) => {
    const inner = filled(kid);
    return inner.length && kid.own < below(kid) && inner.every(({ name }) => plainPart(name));
  });
  const inner = split.flatMap((kid) =>
    filled(kid).map((folder) => ({ part: plainPart(folder.name) as string, folder, label: kid.name })),
  );
  if (split.length < 2 || 2 * images(split) < images(kids) || !inner.some(({ part }) => usual(part))) return undefined;
  if (split.every(({ name }) => isFold(name))) {
    throw new UsageError(
      `${names(split)} are each split into parts, as for cross-validation. Name one of them: ${split[0]?.path}.`,
    );
  }
  const nested = inner.filter(({ folder }) => filled(folder).length > 0 && folder.own < below(folder));
  if (2 * nested.length <= inner.length) return { folders: inner, notes: [] };
  return joined(inner.map(({ part, folder }) => ({ part, folder }))); // separate sets, with classes inside
}

/** `siteA/cat`, `siteA/dog`, `siteB/cat`, `siteB/dog`. */
function bySameContents(node: Folder): Layout | undefined {
  const kids = filled(node);
  const contents = new Map(kids.map((kid) => [kid, contentsOf(kid)]));
  const like = kids.filter((a) => kids.some((b) => a !== b && alike(contents.get(a), contents.get(b))));
  if (like.length < 2 || 2 * images(like) <= node.total) return undefined;
  const inner = like.flatMap((kid) => [...(contents.get(kid) ?? [])]);
  if (inner.every(isCount) && !like.every(({ name }) => isCount(name))) return undefined; // cat/2023, cat/2024, dog/2023, …
  const found = `${names(like)} hold sub-folders of the same names (${some(new Set(inner))})`;
  if (like.length > MOST_PARTS) {
    const notes = [
      `${found}: these are taken for the classes, and each of the ${like.length} is kept on one side of a split.`,
    ];
    return { folders: like.map((folder) => ({ part: "all", folder, group: folder.name })), notes };
  }
  const folders = like.map((folder) => ({ part: looksLike(folder) ?? folder.name.replaceAll("+", "_"), folder }));
  return { folders, notes: [`${found}: they are taken for parts, and the sub-folders for classes.`] };
}

/** The split that a name mentions, perhaps among other words. Only for folders whose contents show that they are splits. */
const looksLike = ({ name }: Folder) => partName(name)?.part;

/** Class keys of the sub-folders that may be classes. */
function contentsOf(folder: Folder): Set<string> {
  const inner = unwrapped(folder);
  if (inner.own >= below(inner)) return new Set();
  const found = filled(inner).map(({ name }) => classKey(name));
  return new Set(found.filter((name) => !isContainer(name) && !isMask(name)));
}

/** Descends through wrappers to the folder with the classes, as in `train/images/cat` and `seg_train/seg_train/cat`. */
export function unwrapped(folder: Folder): Folder {
  const [only, ...more] = filled(folder);
  if (!only || more.length || folder.own >= only.total) return folder;
  const part = partName(only.name)?.part;
  const again = classKey(only.name) === classKey(folder.name) || (part && part === partName(folder.name)?.part);
  return again || isContainer(only.name) ? unwrapped(only) : folder;
}

/** Class names are compared without regard to case, or to how accents are encoded. */
export const classKey = (name: string): string => name.normalize("NFC").trim().toLowerCase();

function alike(a: ReadonlySet<string> = new Set(), b: ReadonlySet<string> = new Set()): boolean {
  const common = [...a].filter((name) => b.has(name)).length;
  return common >= 2 && 2 * common >= Math.min(a.size, b.size);
}

/** Years, days, "session 3": names that count something, and are not classes. */
function isCount(name: string): boolean {
  return (
    /^(19|20)\d\d([-_.]?\d\d){0,2}$/.test(name) ||
    /^(day|week|month|year|session|batch|shoot|series|run|trial|roll|part|set|patient|subject|person|user|case|id|seq|cam(era)?)[\s_-]*\d+$/i.test(
      name,
    )
  );
}

/** `cat`, `dog` and `unlabelled`; or `cat`, `dog`, and a `test` that holds `cat` and `dog` again. */
function besideClasses(node: Folder): Layout | undefined {
  const kids = filled(node);
  const outer = (kid: Folder) => new Set(others(kids, [kid]).map(({ name }) => classKey(name)));
  const again = kids.filter((kid) => alike(contentsOf(kid), outer(kid)));
  const unlabelled = kids.filter(({ name }) => plainPart(name) === "unlabelled");
  const classes = others(kids, [...again, ...unlabelled]);
  if ((!again.length && !unlabelled.length) || !classes.length) return undefined;
  const parts = [...again, ...unlabelled].filter(looksLike);
  const rest: Folder = { ...node, children: classes, total: node.own + images(classes) };
  const folders = [
    { part: parts.length ? "train" : "all", folder: rest },
    ...parts.map((folder) => ({ part: looksLike(folder) as string, folder })),
  ];
  const notes = [
    `${names(parts)} ${parts.length === 1 ? "is a part" : "are parts"} beside the class folders, which make the part train.`,
  ];
  return { folders, notes: parts.length ? notes : [] };
}

/** The layout of the one sub-folder that holds the data set, alone or beside unrelated folders. */
function within(node: Folder): Layout | undefined {
  const kids = filled(node);
  const [only] = kids;
  if (kids.length === 1 && only) {
    const part = plainPart(only.name);
    const found = findParts(only);
    const hasParts = new Set(byName(only)?.folders.map((one) => one.part)).size > 1; // trainval/train and trainval/val
    if (part && !hasParts && node.own < only.total) return { folders: [{ part, folder: only }], notes: [] };
    // Without splits or classes in it, it is just a nested folder.
    const [first] = found.folders;
    const structured = found.folders.length > 1 || first?.part !== "all" || filled(first.folder).length > 1;
    return structured && node.own < only.total ? found : undefined;
  }
  const sets = kids.filter((kid) => byName(kid));
  const [set] = sets;
  if (sets.length !== 1 || !set || 2 * set.total <= node.total) return undefined;
  return findParts(set);
}

/** A note, because it may surprise: `cat`, `dog`, `test` are three classes. */
function loneName(kids: readonly Folder[]): string[] {
  const lone = kids.filter(({ name }) => plainPart(name));
  if (kids.length < 2 || !lone.length) return [];
  return [
    `The folder ${names(lone)} is taken for a class like those beside it: nothing there shows that it is a part.`,
  ];
}
