/**
 * Permutations of nine tiles that differ as much as possible: the first is drawn from the seed, and each further one has
 * the largest mean Hamming distance to those chosen (of several, the first in lexicographic order). Noroozi & Favaro 2016,
 * section 4.3 (algorithm 1), https://arxiv.org/abs/1603.09246
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { replaceFile } from "../files.ts";
import { randomAt, randomInt } from "../random.ts";
import { makeFolder } from "../setup/folders.ts";
import { cacheDir } from "../setup/paths.ts";

export const TILES = 9;
const ALL = 362_880; // 9!
/** From this count on, choosing takes seconds, so the result is cached. */
const WORTH_KEEPING = 500;
/** Bump when the same seed gives other permutations, so that older files in the cache are not used. */
const ALGORITHM = 1;

/**
 * `count` permutations (2 to 10,000) of 0 to 8, the same for the same seed.
 * @param worthKeeping from so many on, they are cached
 */
export function distantPermutations(count: number, seed: number, worthKeeping = WORTH_KEEPING): Uint8Array[] {
  if (count < worthKeeping) return choose(count, seed);
  const file = join(cacheDir(), "permutations", `${count}-of-9-seed-${seed}-v${ALGORITHM}.bin`);
  const kept = attempt(() => new Uint8Array(readFileSync(file)));
  if (kept?.length === count * TILES) {
    return Array.from({ length: count }, (_, i) => kept.subarray(i * TILES, (i + 1) * TILES));
  }
  const chosen = choose(count, seed);
  attempt(() => {
    makeFolder(dirname(file));
    replaceFile(file, Buffer.concat(chosen));
  });
  return chosen;
}

/** The cache only saves seconds, so errors in reading or writing it are ignored. */
function attempt<Result>(body: () => Result): Result | undefined {
  try {
    return body();
  } catch {
    return undefined;
  }
}

/** Mean and minimum number of places in which two permutations differ. */
export function hammingDistances(permutations: readonly Uint8Array[]): { mean: number; min: number } {
  let [sum, pairs, min] = [0, 0, TILES];
  for (const [i, a] of permutations.entries()) {
    for (const b of permutations.slice(0, i)) {
      const distance = a.reduce((count, value, place) => count + (value === b[place] ? 0 : 1), 0);
      sum += distance;
      pairs++;
      min = Math.min(min, distance);
    }
  }
  return { mean: sum / pairs, min };
}

function choose(count: number, seed: number): Uint8Array[] {
  const all = allPermutations();
  const at = (i: number) => all.subarray(i * TILES, (i + 1) * TILES);
  const taken = new Uint8Array(ALL);
  // seen[place][value]: how many chosen permutations have that value there. Summed over a candidate: how much it shares.
  const seen = new Int32Array(TILES * TILES);
  const chosen: Uint8Array[] = [];
  let next = randomInt(randomAt(seed), 0, ALL - 1);
  while (true) {
    taken[next] = 1;
    chosen.push(at(next));
    for (const [place, value] of at(next).entries())
      seen[place * TILES + value] = (seen[place * TILES + value] ?? 0) + 1;
    if (chosen.length === count) return chosen;
    next = leastShared(all, taken, seen);
  }
}

function leastShared(all: Uint8Array, taken: Uint8Array, seen: Int32Array): number {
  let [best, least] = [-1, Number.POSITIVE_INFINITY];
  for (let i = 0; i < ALL; i++) {
    if (taken[i]) continue;
    let shared = 0;
    for (let place = 0; place < TILES; place++) {
      shared += seen[place * TILES + (all[i * TILES + place] as number)] as number;
    }
    if (shared < least) [best, least] = [i, shared];
  }
  return best;
}

/** All permutations in lexicographic order, end to end. */
function allPermutations(): Uint8Array {
  const all = new Uint8Array(ALL * TILES);
  const current = Uint8Array.from({ length: TILES }, (_, i) => i);
  for (let i = 0; i < ALL; i++) {
    all.set(current, i * TILES);
    advance(current);
  }
  return all;
}

/** Advances to the next permutation in lexicographic order, in place. */
function advance(values: Uint8Array): void {
  const at = (i: number) => values[i] as number;
  let tail = values.length - 1;
  while (tail > 0 && at(tail - 1) >= at(tail)) tail--;
  if (tail === 0) return;
  let swap = values.length - 1;
  while (at(swap) <= at(tail - 1)) swap--;
  [values[tail - 1], values[swap]] = [at(swap), at(tail - 1)];
  values.subarray(tail).reverse();
}
