/** Labels, parts and groups from a table beside the images: columns path, label and, if there are some, split and group. */
import { dirname } from "node:path";
import { UsageError } from "../errors.ts";
import { concatenate, type ImageCollection, type ImageSet, subset } from "./images.ts";
import { matchPaths } from "./label-paths.ts";
import { type LabelTable, readLabelTable } from "./label-table.ts";
import { columnOf, nameLabels } from "./labels.ts";
import { asNumber } from "./metadata.ts";
import { plural, some } from "./names.ts";
import { inPartOrder, partName, plainPart } from "./parts.ts";

export interface LabelFile {
  /** The table. */
  file: string;
  /** Folder of the images, if they are in one: paths are relative to it or to the table's folder. */
  root?: string | undefined;
  /** Column with the images' groups. */
  group?: string | undefined;
}

/** A column with more values than this is no list of parts. */
const MOST_PARTS = 12;

/**
 * The same images with the labels of a table, which replace those they had: images that it does not name have none. With a
 * column of splits, these are the parts; an image without a split keeps its part, or is for training.
 * @throws UsageError for a file that is no such table, names no image, or gives an image two labels, splits or groups
 */
export function withLabels(collection: ImageCollection, { file, root, group }: LabelFile): ImageCollection {
  const all = concatenate(Object.values(collection.splits), collection.name);
  const ids = Array.from({ length: all.length }, (_, i) => all.id(i));
  const table = readLabelTable(file, group);
  const places = { root, folder: dirname(file), table: table.name, images: collection.name };
  const matches = matchPaths(table.paths, ids, places);
  const ofImage = (values: readonly string[] | undefined, what: string) =>
    perImage(values, matches.at, { ids, what, table: table.name });
  const given = ofImage(table.labels, "labels");
  const [splits, groups] = [ofImage(table.splits, "splits"), ofImage(table.groups, `values of ${group}`)];
  const { classes, labels } = classesOf(given, table);
  const known: ImageSet = {
    ...all,
    label: (i) => labels[i] ?? -1,
    group: (i) => (groups[i] ? `${group} ${groups[i]}` : all.group(i)),
  };
  const before = partsBefore(collection);
  const parts = table.splits
    ? newParts(splits, before, labels, table.name)
    : { of: before.map((part) => part ?? "all"), notes: [] };
  const withLabel = labels.reduce((sum, label) => sum + Number(label >= 0), 0);
  const notes = [
    ...(collection.notes ?? []),
    ...table.notes,
    ...matches.notes,
    `${table.name} gives ${withLabel.toLocaleString("en")} of ${plural(all.length, "image")} a label.`,
    ...parts.notes,
  ];
  return { name: collection.name, splits: regrouped(known, parts.of, classes), notes };
}

/** One value for each image, "" for none. @throws UsageError if lines differ */
function perImage(
  values: readonly string[] | undefined,
  at: Int32Array,
  { ids, what, table }: { ids: readonly string[]; what: string; table: string },
): string[] {
  const found = new Array<string>(ids.length).fill("");
  for (const [row, value] of (values ?? []).entries()) {
    const image = at[row] as number;
    const before = found[image];
    if (image < 0 || value === "") continue;
    if (before && before !== value)
      throw new UsageError(
        `${table} gives ${ids[image]} two ${what}: ${before} and ${value}. Keep one line for each image.`,
      );
    found[image] = value;
  }
  return found;
}

/** @throws UsageError for values that cannot be classes */
function classesOf(
  values: readonly string[],
  { name }: LabelTable,
): { classes: string[] | undefined; labels: Int32Array } {
  const column = columnOf(values.map(asNumber));
  const { classes, labels, notes } = nameLabels([{ file: name, column }], true);
  if (notes.length) throw new UsageError(`${notes.join(" ")} Expected the names or whole numbers of classes.`);
  return { classes, labels: labels[0] ?? new Int32Array(values.length).fill(-1) };
}

/** The part of each image; undefined where the collection has none. */
function partsBefore({ splits }: ImageCollection): (string | undefined)[] {
  const whole = Object.keys(splits).length === 1 && Object.hasOwn(splits, "all");
  return Object.entries(splits).flatMap(([name, { length }]) =>
    new Array<string | undefined>(length).fill(whole ? undefined : name),
  );
}

function newParts(
  splits: readonly string[],
  before: readonly (string | undefined)[],
  labels: Int32Array,
  table: string,
): { of: string[]; notes: string[] } {
  const values = new Set(splits.filter(Boolean));
  if (values.size > MOST_PARTS)
    throw new UsageError(
      `The column of splits in ${table} has ${values.size} different values (${some(values)}): expected train, validation, test.`,
    );
  const names = new Map([...values].map((value) => [value, partOf(value)]));
  const of = splits.map(
    (value, i) => names.get(value) ?? before[i] ?? ((labels[i] as number) >= 0 ? "train" : "unlabelled"),
  );
  const open = splits.filter((value, i) => !value && before[i] === undefined && (labels[i] as number) >= 0).length;
  const notes = open ? [`${plural(open, "labelled image")} without a split in ${table}: for training.`] : [];
  return { of, notes };
}

const partOf = (value: string) => plainPart(value) ?? partName(value)?.part ?? value.replaceAll("+", "_");

/** The images of each part. */
function regrouped(
  all: ImageSet,
  partOfImage: readonly string[],
  classes: readonly string[] | undefined,
): Record<string, ImageSet> {
  const rows = new Map(inPartOrder(new Set(partOfImage)).map((part): [string, number[]] => [part, []]));
  for (const [i, part] of partOfImage.entries()) rows.get(part)?.push(i);
  return Object.fromEntries(
    [...rows].map(([part, chosen]) => {
      const { classes: _, ...set } = subset(all, Int32Array.from(chosen), part);
      return [part, { ...set, ...(classes && chosen.some((i) => all.label(i) >= 0) && { classes }) }];
    }),
  );
}
