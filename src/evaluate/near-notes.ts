/** Counts test images that nearly match a training image, where the user has chosen the parts. */
import { greyOf, Looks } from "../data/looks.ts";
import { plural } from "../data/names.ts";
import { nearPairs } from "../data/near-duplicates.ts";
import type { DecodedParts, Part } from "./parts.ts";

/** One sentence if there are any. They stay in the test: leaving them out would make it another one than others report. */
export async function nearNotes({ train, test }: DecodedParts): Promise<string[]> {
  const looks = new Looks(train.store.length + test.store.length);
  await look(train, looks, 0);
  await look(test, looks, train.store.length);
  const isTest = (i: number) => i >= train.store.length;
  const near = new Map<number, number>();
  nearPairs(
    looks,
    (i, j) => isTest(i) && !isTest(j) && !near.has(i), // i is the later one
    (i, j) => near.set(i, j),
  );
  const [first] = near;
  if (!first) return [];
  const { set, store } = test;
  const one = set.id(store.source[first[0] - train.store.length] as number);
  const other = train.set.id(train.store.source[first[1]] as number);
  return [
    `${near.size} of ${plural(store.length, "test image")} nearly match a training image, as ${one} and ${other}: ` +
      "these are easier than new images. Parts cut by selfsight keep such images together.",
  ];
}

/** Images at a time. */
const BATCH = 256;

async function look({ store }: Part, into: Looks, start: number): Promise<void> {
  const bytes = store.size * store.size * 3;
  for (let from = 0; from < store.length; from += BATCH) {
    const rows = Array.from({ length: Math.min(BATCH, store.length - from) }, (_, k) => from + k);
    const pixels = await store.get(rows);
    for (const [k, row] of rows.entries())
      into.put(start + row, greyOf(pixels.subarray(k * bytes, (k + 1) * bytes), store.size));
  }
}
