/**
 * Cuts images into those to learn from and those to test on, by their content alone. Images that hang together are on one
 * side: copies, near-duplicates, and images of one group. The side of such a cluster follows from the smallest of its digests and group names.
 */
import { createHash } from "node:crypto";
import { Clusters } from "./clusters.ts";
import type { Contents } from "./digest.ts";
import type { ImageSet } from "./images.ts";
import { nearPairs } from "./near-duplicates.ts";

export type Side = "train" | "test";

/** Approximate fraction of the clusters to learn from. */
const LEARNED = 0.7;

export interface Sides {
  /** One for each image. An image that cannot be read is on the side of its group, or of training. */
  of: Side[];
  /** Number of images that only a near-duplicate joins to others. */
  near: number;
  /** The cluster of each image. */
  cluster: number[];
  /** Number of clusters. */
  clusters: number;
}

/** The side of each image. An image by itself goes by its digest, a group of several by its name. */
export function sidesOf(set: ImageSet, { digests, looks }: Contents): Sides {
  const sizes = new Map<string | number, number>();
  for (let i = 0; i < set.length; i++) sizes.set(set.group(i), (sizes.get(set.group(i)) ?? 0) + 1);
  const clusters = new Clusters(set.length);
  clusters.joinAlike((i) => digests[i] || undefined);
  const first = Array.from(digests, (_, i) => clusters.of(i) === i); // copies need no second look
  clusters.joinAlike((i) => set.group(i));
  const near = new Set<number>();
  nearPairs(
    looks,
    (i, j) => clusters.of(i) !== clusters.of(j),
    (i, j) => {
      clusters.join(i, j);
      near.add(i).add(j);
    },
    (i) => first[i] === true,
  );
  const keys = new Map<number, string>();
  for (let i = 0; i < set.length; i++) {
    const [group, cluster] = [set.group(i), clusters.of(i)];
    const own = (sizes.get(group) ?? 1) > 1 ? String(group) : (digests[i] as string);
    const before = keys.get(cluster);
    if (own && (before === undefined || own < before)) keys.set(cluster, own);
  }
  const sides = new Map([...keys].map(([cluster, key]) => [cluster, sideOf(key)]));
  const cluster = Array.from(digests, (_, i) => clusters.of(i));
  const of = cluster.map((one) => sides.get(one) ?? "train");
  return { of, near: near.size, cluster, clusters: new Set(cluster).size };
}

function sideOf(key: string): Side {
  const number = createHash("sha256").update(`side ${key}`).digest().readUInt32BE() / 2 ** 32;
  return number < LEARNED ? "train" : "test";
}
