/** Does it show in the pretext task's own score how good the features are? */
import { holm } from "../../evaluate/statistics.ts";
import { improvement } from "../../metric.ts";
import type { CellResult } from "../grid/cell.ts";
import { estimate, quality, type Spread } from "./estimates.ts";
import { type Grid, groupBy } from "./grid.ts";
import { rankTest, spearmanRho } from "./rank-correlation.ts";
import { middle95, resampled } from "./resample.ts";

/** Fewer points than this say nothing: even a perfect order of three is chance in one case of three. */
export const LEAST_POINTS = 4;

export interface PretextPoint {
  model: string;
  /** The pretext task's metric, and that of the features. */
  pretext: number;
  transfer: number;
}

/**
 * Scores of different tasks, or of one task with other options, are not of one scale: each row of the grid is looked at alone,
 * over its networks or within one architecture.
 */
export interface PretextLink {
  row: string;
  /**
   * Within this architecture: over its settings, seeds averaged, as a setting moves all its seeds together; over seeds where nothing
   * else varies. Undefined: over all networks, seeds averaged.
   */
  model?: string | undefined;
  points: PretextPoint[];
  /** Undefined for too few points, or if all are equal. */
  found?: {
    /** Spearman's ρ: positive if networks that solve the pretext task better have better features. */
    rho: number;
    /** 95 % interval with other test images, labels and trainings; the pretext scores stay as they are. */
    low: number;
    high: number;
    /** Probability of such a ρ by chance alone, corrected for the number of tasks, or of tasks and architectures (Holm). */
    p: number;
  };
}

export function pretextLinks(cells: readonly CellResult[], grid: Grid, spread: Spread): PretextLink[] {
  const candidates = grid.rows.flatMap((row): Candidate[] => {
    const own = cells.filter((cell) => grid.rowOf(cell) === row);
    const within = grid.columns.map((model) => {
      const here = own.filter((cell) => cell.factors.model === model);
      const settings = [...groupBy(here, grid.settingOf).values()];
      return { row, model, settings, groups: settings.length > 1 ? settings : here.map((cell) => [cell]) };
    });
    if (grid.columns.length === 1) return within;
    const networks = within.flatMap(({ settings }) => settings);
    return [{ row, groups: networks }, ...within.filter(({ groups }) => groups.length >= LEAST_POINTS)];
  });
  const estimates = candidates.map(({ groups }) => groups.map((group) => estimate(group, quality, spread)));
  const samples = resampled(estimates.flat());
  let from = 0;
  const links = candidates.map(({ row, model, groups }, i): PretextLink => {
    const to = from + groups.length;
    const parts = samples.map((sample) => Array.from(sample.subarray(from, to)));
    from = to;
    const points = groups.map(pointOf);
    if (points.length < LEAST_POINTS) return { row, model, points };
    // Signs so that more is better, for pretext metrics of which less is better, too.
    const pretext = groups.map(([first], k) =>
      improvement((first as CellResult).pretext.metric, (points[k] as PretextPoint).pretext, 0),
    );
    const transfer = (estimates[i] ?? []).map(({ value }) => value);
    const rho = spearmanRho(pretext, transfer);
    if (Number.isNaN(rho)) return { row, model, points };
    const interval = middle95(parts.map((sample) => spearmanRho(pretext, sample)));
    return { row, model, points, found: { rho, ...interval, p: rankTest(pretext, transfer) } };
  });
  correct(links.filter(({ model }) => model === undefined));
  correct(links.filter(({ model }) => model !== undefined));
  return links;
}

/** Corrects the p-values for their number. */
function correct(links: readonly PretextLink[]): void {
  const tested = links.flatMap(({ found }) => (found ? [found] : []));
  for (const [i, p] of holm(tested.map(({ p }) => p)).entries()) (tested[i] as { p: number }).p = p;
}

interface Candidate {
  row: string;
  model?: string;
  /** Cells of one point each. */
  groups: CellResult[][];
}

function pointOf(group: readonly CellResult[]): PretextPoint {
  const mean = (of: (cell: CellResult) => number) => group.reduce((sum, one) => sum + of(one), 0) / group.length;
  const [first] = group as [CellResult];
  return {
    model: first.factors.model,
    pretext: mean(({ pretext }) => pretext.value),
    transfer: mean(({ difference }) => difference.value),
  };
}
