/** The images that `attention` shows, decoded at every size that is needed. */
import { normalise, pixelTensor } from "../../augment/normalise.ts";
import { type ImageCollection, type ImageSet, selectSplits, spreadOver, subset } from "../../data/images.ts";
import { TESTS } from "../../data/parts.ts";
import { decodeSizeFor, openPixels, unreadNote } from "../../data/pixels.ts";
import { SelfsightError } from "../../errors.ts";
import { counting, type Hooks } from "../../run/events.ts";
import { keep, scope } from "../../torch/scope.ts";
import type { Device, Tensor } from "../../torch/tensor.ts";

export interface ShownImages {
  names: readonly string[];
  /** Each image: size × size × 3 bytes, RGB. */
  pixels: readonly Uint8Array[];
  size: number;
  notes: readonly string[];
  /** All of them, (B, 3, side, side), normalised. Belongs to this object. */
  at(side: number): Promise<Tensor>;
  /** The side that an encoder trained at `side` pixels is shown larger images at: their own, up to twice that. */
  ownSide(side: number): Promise<number>;
  dispose(): void;
}

/** Chooses images evenly from the parts to test on, or from those named, and decodes them. @throws SelfsightError if none can be read */
export async function showImages(
  collection: ImageCollection,
  { split, count, size, device }: { split: string | undefined; count: number; size: number; device: Device },
  hooks: Hooks = {},
): Promise<ShownImages> {
  const chosen = spreadOver(selectSplits(collection, split ?? usualParts(collection)), count);
  const decode = (set: ImageSet, side: number, tolerated: number) =>
    openPixels(set, { size: side, tolerated, onProgress: counting(hooks, "decode"), signal: hooks.signal });
  const store = await decode(chosen, size, 1);
  const { skipped, source, length } = store;
  const set = subset(chosen, source);
  if (!length)
    throw new SelfsightError(
      `None of the ${chosen.length} images chosen from ${collection.name} can be read. ${unreadNote(skipped, `${chosen.length} images`).join("")}`,
    );
  const pixels = await Promise.all(Array.from(source, (_, i) => store.get([i])));
  await store.close();
  const tensors = new Map<number, Tensor>();
  return {
    names: pixels.map((_, i) => set.id(i)),
    ...{ pixels, size, notes: unreadNote(skipped, `${chosen.length} images`) },
    async at(side) {
      const known = tensors.get(side);
      if (known) return known;
      const own = await decode(set, side, 0);
      const bytes = await own.get(Array.from({ length }, (_, i) => i));
      await own.close();
      const made = scope(() => keep(normalise(pixelTensor(bytes, side).to(device)).contiguous("channels_last")));
      tensors.set(side, made);
      return made;
    },
    ownSide: (side) => decodeSizeFor(set, side),
    dispose() {
      for (const tensor of tensors.values()) tensor.dispose();
    },
  };
}

/** What evaluate tests on, where there are such parts; else all. */
export function usualParts({ splits }: ImageCollection): string {
  const names = Object.keys(splits);
  const tests = names.filter((name) => TESTS.includes(name));
  return (tests.length ? tests : names).join("+");
}
