/**
 * Cuts images into those to learn from and those to test on, by their content alone. Images that hang together are on one
 * side: copies, and images of one group. The side of such a cluster follows from the smallest of its digests and group names.
 */
import { createHash } from "node:crypto";
import { Clusters } from "./clusters.ts";
import type { ImageSet } from "./images.ts";

export type Side = "train" | "test";

/** Approximate fraction of the clusters to learn from. */
const LEARNED = 0.7;

/**
 * The side of each image. An image by itself goes by its digest, a group of several by its name.
 * @param digests "" for an image that cannot be read: it is on the side of its group, or of training
 */
export function sidesOf(set: ImageSet, digests: readonly string[]): Side[] {
  const sizes = new Map<string | number, number>();
  for (let i = 0; i < set.length; i++) sizes.set(set.group(i), (sizes.get(set.group(i)) ?? 0) + 1);
  const clusters = new Clusters(set.length);
  clusters.joinAlike((i) => set.group(i));
  clusters.joinAlike((i) => digests[i] || undefined);
  const keys = new Map<number, string>();
  for (let i = 0; i < set.length; i++) {
    const group = set.group(i);
    const own = (sizes.get(group) ?? 1) > 1 ? String(group) : (digests[i] as string);
    const [cluster, before] = [clusters.of(i), keys.get(clusters.of(i))];
    if (own && (before === undefined || own < before)) keys.set(cluster, own);
  }
  const sides = new Map([...keys].map(([cluster, key]) => [cluster, sideOf(key)]));
  return Array.from({ length: set.length }, (_, i) => sides.get(clusters.of(i)) ?? "train");
}

function sideOf(key: string): Side {
  const number = createHash("sha256").update(`side ${key}`).digest().readUInt32BE() / 2 ** 32;
  return number < LEARNED ? "train" : "test";
}
