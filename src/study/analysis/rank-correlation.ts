/** How well two rankings agree. */
import { sampleRankCorrelation } from "simple-statistics";
import { randomAt, shuffle } from "../../random.ts";

/**
 * Kendall's τ-b (Biometrika 1945): pairs in the same order less those in opposite orders, over the geometric mean of the pairs
 * that are not tied in each list. 1 for the same ranking, −1 for the reverse.
 * @returns NaN if all of a list are equal
 */
export function kendallTau(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let [agreement, pairsX, pairsY] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < i; j++) {
      const dx = Math.sign((x[i] as number) - (x[j] as number));
      const dy = Math.sign((y[i] as number) - (y[j] as number));
      agreement += dx * dy;
      pairsX += dx ** 2;
      pairsY += dy ** 2;
    }
  }
  return agreement / Math.sqrt(pairsX * pairsY);
}

/** Spearman's ρ: the correlation of the ranks, ties at their mean rank. @returns NaN if all of a list are equal, or for one pair */
export function spearmanRho(x: readonly number[], y: readonly number[]): number {
  if (x.length < 2) return Number.NaN;
  return Math.max(-1, Math.min(1, sampleRankCorrelation([...x], [...y]))); // NaN stays NaN
}

/**
 * How often chance alone gives a ρ as far from 0 in either direction: one list is shuffled at random.
 * @returns a p-value, at least 1 / (shuffles + 1); 1 if all of a list are equal
 */
export function rankTest(
  x: readonly number[],
  y: readonly number[],
  { seed = 0, shuffles = 4999 }: { seed?: number; shuffles?: number } = {},
): number {
  const observed = Math.abs(spearmanRho(x, y));
  if (Number.isNaN(observed)) return 1;
  const random = randomAt(seed, x.length, shuffles);
  const shuffled = [...y];
  let asFar = 0;
  for (let i = 0; i < shuffles; i++) {
    if (Math.abs(spearmanRho(x, shuffle(shuffled, random))) >= observed - 1e-12) asFar++;
  }
  return (asFar + 1) / (shuffles + 1);
}
