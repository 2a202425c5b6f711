/** Images that must stay together: those of one patient, product or video. */
import { posix } from "node:path";
import { UsageError } from "../errors.ts";
import { concatenate, type ImageCollection, type ImageSet, subset } from "./images.ts";
import { plural } from "./names.ts";
import { inPartOrder, TESTS } from "./parts.ts";

/** Groups each image with the others of its own sub-folder. Images in no sub-folder keep the groups they have. */
export function byFolder({ splits, ...collection }: ImageCollection): ImageCollection {
  const own = (set: ImageSet): ImageSet => ({
    ...set,
    group: (i) => {
      const folder = posix.dirname(set.id(i).replaceAll("\\", "/"));
      return folder === "." ? set.group(i) : `folder ${folder}`;
    },
  });
  return { ...collection, splits: Object.fromEntries(Object.entries(splits).map(([name, set]) => [name, own(set)])) };
}

/**
 * Takes images without a label whose group is tested on to the part with these, so that nothing learns from them.
 * @param by what the user groups by
 * @throws UsageError for labelled images of one group in parts to learn from and to test on, and if each class is one group
 */
export function keepGroups(collection: ImageCollection, by: string): ImageCollection {
  const parts = Object.entries(collection.splits);
  refuseIdle(parts, by);
  const isTest = ([part, set]: [string, ImageSet]) => TESTS.includes(part) && set.classes !== undefined;
  const tested = new Map<string | number, { part: string; id: string }>();
  for (const [part, set] of parts.filter(isTest))
    for (let i = 0; i < set.length; i++) tested.set(set.group(i), { part, id: set.id(i) });
  if (!tested.size) {
    refuseClasses(concatenate(parts.map(([, set]) => set)), by);
    return collection;
  }
  const stay: [string, ImageSet][] = parts.filter(isTest);
  const moved: [string, ImageSet][] = [];
  for (const [part, set] of parts.filter((one) => !isTest(one))) {
    const places = Array.from({ length: set.length }, (_, i) => {
      const group = set.group(i);
      const other = typeof group === "string" ? tested.get(group) : undefined; // numbers are unique only within their set
      if (other && set.label(i) >= 0) throw onBothSides(set, i, part, other, by);
      return other?.part;
    });
    const pick = (place: string | undefined) =>
      subset(
        set,
        Int32Array.from(places.keys()).filter((i) => places[i] === place),
      );
    if (places.includes(undefined)) stay.push([part, pick(undefined)]);
    for (const place of TESTS) if (places.includes(place)) moved.push([place, pick(place)]);
  }
  const count = moved.reduce((sum, [, { length }]) => sum + length, 0);
  if (!count) return collection;
  const splits = stay.map(([part, set]): [string, ImageSet] => {
    const more = moved.flatMap(([place, one]) => (place === part ? [one] : []));
    return [part, more.length ? concatenate([set, ...more], part) : set];
  });
  const order = inPartOrder(splits.map(([part]) => part));
  splits.sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  const note = `${plural(count, "image")} without a label, of groups that are tested on: not learned from.`;
  return { ...collection, splits: Object.fromEntries(splits), notes: [...(collection.notes ?? []), note] };
}

/** The group of image i by what the user groups by; undefined if it has no such value. */
export function givenGroup(set: ImageSet, i: number, by: string): string | undefined {
  const group = set.group(i);
  return typeof group === "string" && group.startsWith(`${by} `) ? group : undefined;
}

/** @throws UsageError if no image has a group by that */
function refuseIdle(parts: readonly [string, ImageSet][], by: string): void {
  for (const [, set] of parts) for (let i = 0; i < set.length; i++) if (givenGroup(set, i, by) !== undefined) return;
  throw new UsageError(
    `--group ${by} has no effect: no image ${by === "folder" ? "lies in a sub-folder" : `has a value of ${by}`}. Leave it out.`,
  );
}

function onBothSides(
  set: ImageSet,
  i: number,
  part: string,
  other: { part: string; id: string },
  by: string,
): UsageError {
  return new UsageError(
    `${set.id(i)} is in ${part} and ${other.id} in ${other.part}, but both are of ${set.group(i)}. ` +
      `Put them into one part, or leave out --group ${by}.`,
  );
}

/** If each class is one group, no class could be both learned and tested. */
function refuseClasses(set: ImageSet, by: string): void {
  const groups = new Map<number, Set<string | number>>();
  let images = 0;
  for (let i = 0; i < set.length; i++) {
    const label = set.label(i);
    if (label < 0) continue;
    images++;
    groups.set(label, (groups.get(label) ?? new Set()).add(set.group(i)));
  }
  if (images <= groups.size || groups.size < 2 || ![...groups.values()].every(({ size }) => size === 1)) return;
  throw new UsageError(
    `--group ${by} puts each class into one group, so none could be both learned and tested. ` +
      "Group by what the classes have several of, or leave it out.",
  );
}
