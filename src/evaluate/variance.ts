/**
 * How much would a mean change with other test images, other draws of training labels and other trainings? All three are
 * random and crossed: every training is measured with every draw on every image. The variance of the mean over all of them
 * follows without bias from the mean squares of a three-way analysis of variance (Searle, Casella & McCulloch, Variance
 * Components, 1992, chapters 4 and 5), its degrees of freedom from {@link freedomOf}.
 * A bootstrap that resamples all three counts the variance of single answers several times over (Owen, Annals of Applied
 * Statistics 2007, https://arxiv.org/abs/0712.1111): its intervals were too wide. bench/README.md has the simulations.
 *
 * Draws are from the labels that there are. Of a class with N, draws of k differ by about 1 - k / N of the variance that k new labels
 * would have: what another N labels would change is not in it, and where all N are taken nothing of it is (bench/README.md has the
 * coverage).
 */
import jstat from "jstat";
import { SelfsightError } from "../errors.ts";

/** One row of N values, of independent images or groups of them, for each draw; several trainings one after the other, each with the same draws. */
export type Rows = readonly ArrayLike<number>[];

export interface MeanEstimate {
  mean: number;
  /** Of the mean. */
  variance: number;
  /** Degrees of freedom of the variance, at least 1; infinite if nothing varies. */
  freedom: number;
  shares: Shares;
}

/**
 * The fraction of a mean's variance that would vanish with ever more trainings, draws or images: that factor's own mean square,
 * which holds its interactions too, so that the three may add up to more than 1. 0 for a factor of which there is only one.
 */
export interface Shares {
  trainings: number;
  draws: number;
  images: number;
}

/**
 * The mean of all values, and its variance: never less than the mean square of the trainings, draws or images alone. Where it is that
 * mean square, its degrees of freedom are too, unless there are two or three of a factor that varies (chosen by bench/coverage.ts).
 * @param trainings how many trainings the rows come from, the same number from each
 * @throws SelfsightError for no rows, no images, rows of different lengths, or rows that do not divide by the trainings
 */
export function estimateMean(rows: Rows, trainings = 1): MeanEstimate {
  const images = checkShape(rows);
  const draws = rows.length / trainings;
  if (!Number.isInteger(draws)) throw new SelfsightError(`${rows.length} draws are not as many of ${trainings} each.`);
  const { squares, mean } = sumsOfSquares(rows, { trainings, draws, images });
  const parts = squares.map(({ sum, freedom, factors }) => ({
    ...{ factors, freedom },
    variance: freedom > 0 ? sum / freedom / (rows.length * images) : 0,
  }));
  // A factor's own mean square counts positive, that of two factors negative, that of all three positive.
  const unbiased = parts.reduce((total, { variance, factors }) => total + (factors % 2 ? variance : -variance), 0);
  const own = parts.slice(0, 3); // of trainings, draws and images
  const largest = own.reduce((most, part) => (part.variance > most.variance ? part : most));
  const variance = Math.max(unbiased, largest.variance);
  const [s, d, i] = own.map((part) => (variance > 0 ? part.variance / variance : 0)) as [number, number, number];
  return {
    ...{ mean, variance, shares: { trainings: s, draws: d, images: i } },
    freedom: unbiased < variance && !own.some(isFew) ? largest.freedom : freedomOf(variance, own, parts),
  };
}

export type Part = Pick<MeanEstimate, "variance" | "freedom">;

/** Where a part has so little freedom, Satterthwaite's approximation is too sure: by chance such a part often looks small. */
const isFew = ({ variance, freedom }: Part): boolean => variance > 0 && freedom <= 2;

/**
 * Degrees of freedom of a variance that was added up from parts, at least 1; infinite if no part varies. By Satterthwaite's
 * approximation (Biometrics Bulletin 1946). Where a part that varies has only one or two, no more than those whose 97.5 % quantile is
 * the mean of the parts' quantiles, weighted by their variances (Cochran, Biometrics 1964). bench/README.md has the coverage.
 * @param parts one for each source of chance
 * @param terms what Satterthwaite's sum goes over: interactions, too. Default: the parts
 */
export function freedomOf(variance: number, parts: readonly Part[], terms = parts): number {
  const spread = terms.reduce((sum, part) => (part.variance > 0 ? sum + part.variance ** 2 / part.freedom : sum), 0);
  const satterthwaite = spread > 0 ? Math.max(1, variance ** 2 / spread) : Number.POSITIVE_INFINITY;
  const varying = parts.filter((part) => part.variance > 0);
  return varying.length > 1 && varying.some(isFew) ? Math.min(satterthwaite, cochran(varying)) : satterthwaite;
}

function cochran(parts: readonly Part[]): number {
  const total = parts.reduce((sum, { variance }) => sum + variance, 0);
  const quantile = parts.reduce(
    (sum, part) => sum + (part.variance / total) * jstat.studentt.inv(0.975, part.freedom),
    0,
  );
  let [low, high] = [1e-6, 1]; // of 1 / freedom, with which the quantile grows
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (jstat.studentt.cdf(quantile, 1 / middle) > 0.975) low = middle;
    else high = middle;
  }
  return 1 / high;
}

interface Shape {
  trainings: number;
  draws: number;
  images: number;
}

interface SumOfSquares {
  sum: number;
  freedom: number;
  /** How many factors it belongs to: 1 for images alone, 2 for images by draws, 3 for all. */
  factors: number;
}

/** The sums of squares of trainings (s), draws (d) and images (i), in this order, and then of their four interactions. */
function sumsOfSquares(rows: Rows, { trainings, draws, images }: Shape): { squares: SumOfSquares[]; mean: number } {
  const byTraining = new Float64Array(trainings);
  const byDraw = new Float64Array(draws);
  const byImage = new Float64Array(images);
  const byTrainingImage = new Float64Array(trainings * images);
  const byDrawImage = new Float64Array(draws * images);
  const byRow = new Float64Array(rows.length);
  let total = 0;
  let squared = 0;
  for (const [row, values] of rows.entries()) {
    const [s, d] = [Math.floor(row / draws), row % draws];
    for (let i = 0; i < images; i++) {
      const value = values[i] as number;
      add(byRow, row, value);
      add(byImage, i, value);
      add(byTrainingImage, s * images + i, value);
      add(byDrawImage, d * images + i, value);
      squared += value * value;
    }
    add(byTraining, s, byRow[row] as number);
    add(byDraw, d, byRow[row] as number);
    total += byRow[row] as number;
  }
  // Each "uncorrected" sum of squares is the sum over cells of (cell's total)² / (values in the cell).
  const raw = (totals: Float64Array) =>
    totals.reduce((sum, one) => sum + one * one, 0) / ((rows.length * images) / totals.length);
  const all = total ** 2 / (rows.length * images);
  const [s, d, i] = [byTraining, byDraw, byImage].map((totals) => raw(totals) - all) as [number, number, number];
  const sd = raw(byRow) - all - s - d;
  const si = raw(byTrainingImage) - all - s - i;
  const di = raw(byDrawImage) - all - d - i;
  const sdi = squared - all - s - d - i - sd - si - di;
  const [fs, fd, fi] = [trainings - 1, draws - 1, images - 1];
  const effects: [sum: number, freedom: number, factors: number][] = [
    [s, fs, 1],
    [d, fd, 1],
    [i, fi, 1],
    [sd, fs * fd, 2],
    [si, fs * fi, 2],
    [di, fd * fi, 2],
    [sdi, fs * fd * fi, 3],
  ];
  const rounding = 1e-12 * squared;
  return {
    mean: total / (rows.length * images),
    squares: effects.map(([sum, freedom, factors]) => ({ sum: sum > rounding ? sum : 0, freedom, factors })),
  };
}

function add(totals: Float64Array, at: number, value: number): void {
  totals[at] = (totals[at] as number) + value;
}

/** The number of images. @throws SelfsightError for none, or if the rows differ in it */
export function checkShape(rows: Rows): number {
  const images = rows[0]?.length ?? 0;
  if (images === 0) throw new SelfsightError("An accuracy needs at least one draw of labels and one test image.");
  const other = rows.find(({ length }) => length !== images);
  if (other) throw new SelfsightError(`Draws of different numbers of test images: ${images} and ${other.length}.`);
  return images;
}
