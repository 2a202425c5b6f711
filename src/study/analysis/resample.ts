/** The bootstrap over test images: paired, as all estimates are of the same images. */
import { quantile } from "simple-statistics";
import { SelfsightError } from "../../errors.ts";
import { studentQuantile } from "../../evaluate/statistics.ts";
import { randomAt, randomInt, uniform } from "../../random.ts";
import type { Estimate } from "./estimates.ts";

const RESAMPLES = 1000;

/**
 * The estimates as they could have come out with other test images, and with other luck in training and in drawing labels: for
 * that, each moves by a draw from Student's t of the variance and freedom it was estimated with. What tasks owe to the same untrained
 * network moves by itself for each of them, which makes the intervals of their order a little too wide.
 * @returns resamples × estimates
 * @throws SelfsightError for estimates of different images
 */
export function resampled(
  estimates: readonly Estimate[],
  { resamples = RESAMPLES, seed = 0 }: { resamples?: number; seed?: number } = {},
): Float64Array[] {
  const n = estimates[0]?.images.length ?? 0;
  const other = estimates.find(({ images }) => images.length !== n);
  if (other)
    throw new SelfsightError(
      `Cells that were measured on different test images cannot be compared: ${n} and ${other.images.length}. Measure all of them on the same.`,
    );
  const random = randomAt(seed, n, estimates.length);
  const counts = new Uint16Array(n);
  const shifts = estimates.map(({ value, images }) => value - images.reduce((sum, one) => sum + one, 0) / n);
  return Array.from({ length: resamples }, () => {
    counts.fill(0);
    for (let i = 0; i < n; i++) {
      const chosen = randomInt(random, 0, n - 1);
      counts[chosen] = (counts[chosen] as number) + 1;
    }
    return Float64Array.from(estimates, ({ images, luck, freedom }, k) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += (counts[i] as number) * (images[i] as number);
      const moved = luck > 0 ? Math.sqrt(luck) * studentQuantile(uniform(random, 1e-9, 1), Math.max(freedom, 1)) : 0;
      return sum / n + (shifts[k] as number) + moved;
    });
  });
}

/** The middle 95 % of what came out; values that are not numbers are left out. NaN if none is left. */
export function middle95(values: readonly number[]): { low: number; high: number } {
  const known = values.filter((value) => !Number.isNaN(value));
  if (!known.length) return { low: Number.NaN, high: Number.NaN };
  return { low: quantile(known, 0.025), high: quantile(known, 0.975) };
}
