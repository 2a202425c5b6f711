/** Fake sets of images. */
import type { ImageSet } from "../../src/data/images.ts";

export interface Fake {
  labels: readonly number[];
  classes?: readonly string[];
  groups?: readonly (string | number)[];
}

/** A set in which each image is one byte, its position. */
export function fakeSet(name: string, { labels, classes, groups }: Fake): ImageSet {
  return {
    name,
    length: labels.length,
    ...(classes && { classes }),
    label: (i) => labels[i] ?? -1,
    id: (i) => `${name}#${i}`,
    group: (i) => groups?.[i] ?? i,
    read: async (i) => ({ encoded: Uint8Array.of(i) }),
    fingerprint: name,
  };
}

export const ids = (set: ImageSet) => Array.from({ length: set.length }, (_, i) => set.id(i));
export const labels = (set: ImageSet) => Array.from({ length: set.length }, (_, i) => set.label(i));
