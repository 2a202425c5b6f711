/**
 * Random numbers from a seed and a position in the run, without any state to save: step 1,000 draws the same numbers whether
 * or not the run was interrupted.
 */
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";

export type { RandomGenerator };

/** A separate generator for each seed and place (step, epoch, image, ...). */
export function randomAt(seed: number, ...place: readonly number[]): RandomGenerator {
  let state = mix(seed);
  for (const part of place) state = mix(state ^ part);
  return xoroshiro128plus(state);
}

/** A number in [low, high). */
export function uniform(random: RandomGenerator, low: number, high: number): number {
  return low + (high - low) * uniformFloat64(random);
}

/** A number in [low, high), uniform on a logarithmic scale. */
export function logUniform(random: RandomGenerator, low: number, high: number): number {
  return Math.exp(uniform(random, Math.log(low), Math.log(high)));
}

/** A whole number from low to high, both included. */
export function randomInt(random: RandomGenerator, low: number, high: number): number {
  return Math.floor(uniform(random, low, high + 1));
}

/** Shuffles the elements in place (Fisher & Yates). */
export function shuffle<List extends { readonly length: number; [i: number]: unknown }>(
  list: List,
  random: RandomGenerator,
): List {
  for (let i = list.length - 1; i > 0; i--) {
    const j = uniformInt(random, 0, i);
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

/** Mixes the bits: neighbouring seeds give unrelated numbers ("lowbias32", https://nullprogram.com/blog/2018/07/31/). */
function mix(x: number): number {
  x = (x + 0x9e3779b9) | 0; // else 0 would stay 0, and seed and place would be interchangeable
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return x ^ (x >>> 16);
}
