/** Identifies a collection of images, to notice whether it is still the same. */
import { digestsOf, type ReadHooks } from "./digest.ts";
import { hash, type ImageCollection } from "./images.ts";

/** "1200 9f…": the number of images, and a hash of their parts, names and contents. Dates do not count, and labels neither. */
export async function identityOf({ splits }: ImageCollection, hooks: ReadHooks = {}): Promise<string> {
  const parts: string[] = [];
  let images = 0;
  for (const [name, set] of Object.entries(splits)) {
    const digests = await digestsOf(set, hooks);
    parts.push(name, ...digests.map((digest, i) => `${digest} ${set.id(i)}`));
    images += set.length;
  }
  return `${images} ${hash(parts)}`;
}
