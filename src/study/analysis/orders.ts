/** Does the ranking of tasks change with the architecture? */
import type { CellResult } from "../grid/cell.ts";
import { contrast, type Estimate, estimate, type Measure, type Spread, significant } from "./estimates.ts";
import { kendallTau } from "./rank-correlation.ts";
import { middle95, resampled } from "./resample.ts";

export interface Orders {
  /** What is ranked (tasks), and where (architectures). */
  items: readonly string[];
  places: readonly string[];
  /** places × items */
  estimates: Estimate[][];
  /** The items' ranks, 1 for the best; places × items. */
  ranks: number[][];
  /** Kendall's τ of the rankings at every two places, with the bootstrap's interval. */
  agreements: { a: string; b: string; tau: number; low: number; high: number }[];
  /** Two items that change places: each order is significant among all that were tested. The clearest first. */
  swaps: Swap[];
  /** Whether the rankings are the same, surely differ, or differ by no more than chance could give; or no two items differ anywhere. */
  outcome: "same" | "changes" | "cannot tell" | "no difference";
}

/** How much better one item is than another at a place; by their numbers. */
interface Order {
  place: string;
  i: number;
  j: number;
  value: number;
}

export interface Swap {
  one: string;
  other: string;
  /** Where `one` is better by how much, and where `other` is. */
  here: string;
  by: number;
  there: string;
  byThere: number;
}

/**
 * @param at the cells of an item at a place, at least one
 * @param items at least two; better ones have higher values of `measure`
 * @param places at least two
 */
export function ordersOf(
  {
    items,
    places,
    at,
  }: { items: readonly string[]; places: readonly string[]; at(item: string, place: string): CellResult[] },
  measure: Measure,
  spread: Spread,
): Orders {
  const estimates = places.map((place) => items.map((item) => estimate(at(item, place), measure, spread)));
  const values = estimates.map((row) => row.map(({ value }) => value));
  const samples = resampled(estimates.flat());
  const part = (sample: Float64Array, place: number) =>
    sample.subarray(place * items.length, (place + 1) * items.length);
  const agreements = pairsOf(places.length).map(([a, b]) => ({
    ...{ a: places[a] as string, b: places[b] as string },
    tau: kendallTau(values[a] as number[], values[b] as number[]),
    ...middle95(samples.map((sample) => kendallTau(part(sample, a), part(sample, b)))),
  }));
  const clear = clearOrders(items, places, estimates);
  const swaps = swapsOf(items, clear);
  const same = agreements.every(({ tau }) => tau > 1 - 1e-9);
  return {
    ...{ items, places, estimates, agreements, swaps },
    ranks: values.map((row) => row.map((value) => 1 + row.filter((other) => other > value).length)),
    outcome: swaps.length ? "changes" : !clear.length ? "no difference" : same ? "same" : "cannot tell",
  };
}

/**
 * An interval of τ below 1 does not show that rankings differ: items that are equally good have another order at every place.
 * So every two items are compared at every place, corrected for the number of these comparisons; a swap is two that surely
 * stand in opposite orders (Gail & Simon, Biometrics 1985: a qualitative interaction).
 */
function clearOrders(items: readonly string[], places: readonly string[], estimates: readonly Estimate[][]): Order[] {
  const compared = places.flatMap((place, at) =>
    pairsOf(items.length).map(([i, j]) => {
      const [one, other] = [estimates[at]?.[i], estimates[at]?.[j]] as [Estimate, Estimate];
      return { place, i, j, ...contrast(one, other) };
    }),
  );
  const sure = significant(compared.map(({ p }) => p));
  return compared.filter((_, k) => sure[k]);
}

function swapsOf(items: readonly string[], clear: readonly Order[]): Swap[] {
  const swaps = clear
    .filter(({ value }) => value > 0)
    .flatMap((here) =>
      clear
        .filter(({ i, j, value }) => i === here.i && j === here.j && value < 0)
        .map((there) => ({
          ...{ one: items[here.i] as string, other: items[here.j] as string },
          ...{ here: here.place, by: here.value, there: there.place, byThere: -there.value },
        })),
    );
  return swaps.sort((a, b) => Math.min(b.by, b.byThere) - Math.min(a.by, a.byThere));
}

/** (0, 1), (0, 2), (1, 2), … */
export function pairsOf(count: number): [number, number][] {
  return Array.from({ length: count }, (_, j) => Array.from({ length: j }, (_, i): [number, number] => [i, j])).flat();
}
