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
 * An image may have several labels: one line for each, or all in one cell, with | or ; between them.
 * @throws UsageError for a file that is no such table, names no image, or gives an image two splits or groups
 */
export function withLabels(collection: ImageCollection, { file, root, group }: LabelFile): ImageCollection {
  const all = concatenate(Object.values(collection.splits), collection.name);
  const ids = Array.from({ length: all.length }, (_, i) => all.id(i));
  const table = readLabelTable(file, group);
  const places = { root, folder: dirname(file), table: table.name, images: collection.name };
  const matches = matchPaths(table.paths, ids, places);
  const ofImage = (values: readonly string[] | undefined, what: string) =>
    perImage(values, matches.at, { ids, what, table: table.name });
  const given = labelsOfImages(table.labels, matches.at, all.length);
  const [splits, groups] = [ofImage(table.splits, "splits"), ofImage(table.groups, `values of ${group}`)];
  const { classes, labels, notes } = classesOf(given.flat(), table);
  const several = given.some(({ length }) => length > 1);
  let place = 0;
  const numbers = given.map((own) => own.map(() => labels[place++] as number).filter((label) => label >= 0));
  const known: ImageSet = {
    ...all,
    label: (i) => numbers[i]?.[0] ?? -1,
    ...(several && { labelsOf: (i: number) => numbers[i] ?? [] }),
    group: (i) => (groups[i] ? `${group} ${groups[i]}` : all.group(i)),
  };
  const before = partsBefore(collection);
  const parts = table.splits
    ? newParts(splits, before, (i) => known.label(i) >= 0, table.name)
    : { of: before.map((part) => part ?? "all"), notes: [] };
  const withLabel = numbers.filter(({ length }) => length).length;
  const withSeveral = numbers.filter(({ length }) => length > 1).length;
  const said = [
    ...(collection.notes ?? []),
    ...table.notes,
    ...matches.notes,
    ...notes,
    `${table.name} gives ${withLabel.toLocaleString("en")} of ${plural(all.length, "image")} a label${several ? `, ${withSeveral.toLocaleString("en")} of them several` : ""}.`,
    ...parts.notes,
  ];
  return { name: collection.name, splits: regrouped(known, parts.of, classes), notes: said };
}

/** The different labels of each image, in the table's order. */
function labelsOfImages(values: readonly string[], at: Int32Array, images: number): string[][] {
  const separator = SEPARATORS.find((one) => separates(one, values));
  const found = Array.from({ length: images }, () => new Set<string>());
  for (const [row, value] of values.entries())
    for (const label of separator === undefined ? [value] : value.split(separator))
      if (label.trim()) found[at[row] as number]?.add(label.trim());
  return found.map((own) => [...own]);
}

const SEPARATORS = ["|", ";"];

/** Whether cells hold several labels. If no part of such a cell occurs in another, they are names: "T-shirt|top". */
function separates(separator: string, values: readonly string[]): boolean {
  const cells = new Set(values);
  const seen = new Set<string>();
  for (const cell of cells) {
    for (const part of new Set(cell.split(separator).map((one) => one.trim()))) {
      if (part && seen.has(part)) return true;
      seen.add(part);
    }
  }
  return false;
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
): { classes: string[] | undefined; labels: Int32Array; notes: string[] } {
  const column = columnOf(values.map(asNumber));
  const { classes, labels, notes } = nameLabels([{ file: name, column }], true);
  if (column.unusable) throw new UsageError(`${notes.join(" ")} Expected the names or whole numbers of classes.`);
  return { classes, labels: labels[0] ?? new Int32Array(values.length).fill(-1), notes };
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
  hasLabel: (i: number) => boolean,
  table: string,
): { of: string[]; notes: string[] } {
  const values = new Set(splits.filter(Boolean));
  if (values.size > MOST_PARTS)
    throw new UsageError(
      `The column of splits in ${table} has ${values.size} different values (${some(values)}): expected train, validation, test.`,
    );
  const names = new Map([...values].map((value) => [value, partOf(value)]));
  const of = splits.map((value, i) => names.get(value) ?? before[i] ?? (hasLabel(i) ? "train" : "unlabelled"));
  const open = splits.filter((value, i) => !value && before[i] === undefined && hasLabel(i)).length;
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
