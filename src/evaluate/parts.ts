/** The images of an evaluation, decoded once for each size that an encoder needs. */
import { allLabels, type ImageSet } from "../data/images.ts";
import { some } from "../data/names.ts";
import { openPixels, type PixelStore, unreadNote } from "../data/pixels.ts";
import type { Hooks } from "../run/events.ts";
import { byClass } from "./draws.ts";
import { groupNumbers } from "./groups.ts";
import type { Parts } from "./leaks.ts";

/** Decoded images and their labels. */
export interface Part {
  store: PixelStore;
  set: ImageSet;
  /** (N), by position in the store. */
  labels: Int32Array;
  /** The number of each image's group (N); undefined if each is alone. */
  groups?: Int32Array | undefined;
}

export interface DecodedParts {
  train: Part;
  test: Part;
}

/** Decodes training and test images at the requested sizes; `close` frees them all. */
export function decodedParts(sets: Parts, hooks: Hooks = {}) {
  const opened = new Map<number, Promise<DecodedParts>>();
  const stores: PixelStore[] = [];
  const decode = async (set: ImageSet, size: number): Promise<Part> => {
    hooks.onEvent?.({ type: "working", what: `decoding ${set.length} images of ${set.name}` });
    const store = await openPixels(set, { size, signal: hooks.signal });
    stores.push(store);
    const groups = groupNumbers(Array.from(store.source, (i) => set.group(i)));
    return { store, set, labels: Int32Array.from(store.source, (i) => set.label(i)), groups };
  };
  const both = async (size: number) => ({ train: await decode(sets.train, size), test: await decode(sets.test, size) });
  return {
    open(size: number) {
      const parts = opened.get(size) ?? both(size);
      opened.set(size, parts);
      return parts;
    },
    close: () => Promise.all(stores.map((store) => store.close())),
  };
}

/**
 * The images that some positions name, each once, as a part of their own: features of the others need not be computed.
 * `rowsOf` translates positions in the whole part to positions in this one.
 */
export function partOf({ store, set, labels, groups }: Part, positions: readonly number[]) {
  const kept = Int32Array.from([...new Set(positions)].sort((a, b) => a - b));
  const rows = new Map(Array.from(kept, (position, row) => [position, row]));
  const pick = (source: Int32Array) => kept.map((position) => source[position] as number);
  const part: Part = {
    set,
    labels: pick(labels),
    groups: groups && groupNumbers(pick(groups)),
    store: {
      ...store,
      length: kept.length,
      source: pick(store.source),
      get: (indices) => store.get(Int32Array.from(indices, (row) => kept[row] as number)),
    },
  };
  return { part, rowsOf: (wanted: readonly number[]) => wanted.map((position) => rows.get(position) as number) };
}

/** What could not be read, and which classes cannot be measured, as sentences. */
export function partNotes({ train, test }: DecodedParts, classes: readonly string[]): string[] {
  const unread = (
    [
      ["training", train],
      ["test", test],
    ] as const
  ).flatMap(([name, { store }]) => unreadNote(store.skipped, `${store.length + store.skipped.length} ${name} images`));
  const [learned, tested] = [train, test].map(({ set, store }) =>
    byClass(Array.from(store.source, (i) => allLabels(set, i)).flat()),
  );
  const sizes = classes.map((name, label) => ({
    name,
    train: learned?.[label]?.length ?? 0,
    test: tested?.[label]?.length ?? 0,
  }));
  return [
    ...unread,
    ...classNote(
      sizes.filter((one) => one.test && !one.train),
      "has test images but no training labels: no answer there can be right but by chance",
      "have test images but no training labels: no answer there can be right but by chance",
    ),
    ...classNote(
      sizes.filter((one) => one.train && !one.test),
      "has training labels but no test images",
      "have training labels but no test images",
    ),
  ];
}

function classNote(classes: readonly { name: string }[], one: string, several: string): string[] {
  if (!classes.length) return [];
  const names = classes.map(({ name }) => name);
  return [classes.length === 1 ? `Class ${names} ${one}.` : `Classes ${some(names, names.length, 5)} ${several}.`];
}
