/** Rankings by score, and the average precision of one. */

/** Indices of the scores (N) from the highest to the lowest; equal ones keep their order. A radix sort in passes of 11 bits. */
export function ranking(scores: Float32Array): Uint32Array {
  const { length } = scores;
  const bits = new Uint32Array(scores.buffer, scores.byteOffset, length);
  let keys = new Uint32Array(length);
  let order = new Uint32Array(length);
  const starts = PASSES.map(() => new Uint32Array(BUCKETS));
  for (let i = 0; i < length; i++) {
    const bit = bits[i] as number;
    const key = bit >>> 31 ? bit : ~bit & 0x7fffffff; // ascending keys are descending floats
    keys[i] = key;
    order[i] = i;
    for (let pass = 0; pass < PASSES.length; pass++) {
      const bucket = (key >>> (PASSES[pass] as number)) & (BUCKETS - 1);
      const counts = starts[pass] as Uint32Array;
      counts[bucket] = (counts[bucket] as number) + 1;
    }
  }
  let otherKeys = new Uint32Array(length);
  let otherOrder = new Uint32Array(length);
  for (const [pass, counts] of starts.entries()) {
    let start = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = counts[bucket] as number;
      counts[bucket] = start;
      start += count;
    }
    for (let i = 0; i < length; i++) {
      const key = keys[i] as number;
      const bucket = (key >>> (PASSES[pass] as number)) & (BUCKETS - 1);
      const to = counts[bucket] as number;
      counts[bucket] = to + 1;
      otherKeys[to] = key;
      otherOrder[to] = order[i] as number;
    }
    [keys, otherKeys, order, otherOrder] = [otherKeys, keys, otherOrder, order];
  }
  return order;
}

const PASSES = [0, 11, 22];
const BUCKETS = 1 << 11;

/** Calls `visit` for each run of equal scores in a ranking, from the highest on: it is order[from] to order[to - 1]. */
export function eachTie(scores: Float32Array, order: Uint32Array, visit: (from: number, to: number) => void): void {
  for (let from = 0, to = 0; from < order.length; from = to) {
    const score = scores[order[from] as number];
    while (to < order.length && scores[order[to] as number] === score) to++;
    visit(from, to);
  }
}

/** For each score (N), how many are lower: equal scores have equal ranks. */
export function ranksOf(scores: Float32Array): Uint32Array {
  const order = ranking(scores);
  const ranks = new Uint32Array(order.length);
  eachTie(scores, order, (from, to) => {
    for (let i = from; i < to; i++) ranks[order[i] as number] = order.length - to;
  });
  return ranks;
}

/**
 * Average precision from counts at each rank, the lowest first: the mean, over the relevant items, of the precision from the
 * top down to there. Equal ranks count as one step, so that their order does not matter (as in scikit-learn's
 * average_precision_score).
 * @param items number of items at each rank
 * @param relevant number of those that are relevant
 * @param interpolated replaces each precision by the highest at the same or a higher recall: the area under the interpolated
 *   precision-recall curve, as in Pascal VOC since 2010 and in VISSL
 * @returns NaN if nothing is relevant
 */
export function averagePrecision(items: Uint32Array, relevant: Uint32Array, { interpolated = false } = {}): number {
  let [seen, found] = [0, 0];
  for (let rank = 0; rank < items.length; rank++) {
    seen += items[rank] as number;
    found += relevant[rank] as number;
  }
  const all = found;
  let [sum, highest] = [0, 0];
  for (let rank = 0; rank < items.length && found; rank++) {
    const more = relevant[rank] as number;
    if (more) {
      const precision = found / seen;
      highest = interpolated && highest > precision ? highest : precision;
      sum += more * highest;
      found -= more;
    }
    seen -= items[rank] as number;
  }
  return sum / all;
}

/** Counts of items by rank, for {@link averagePrecision}, from scores (N) and whether each item is relevant, 1 or 0 (N). */
export function countByRank(
  scores: Float32Array,
  relevant: ArrayLike<number>,
): [items: Uint32Array, relevant: Uint32Array] {
  const counts: [Uint32Array, Uint32Array] = [new Uint32Array(scores.length), new Uint32Array(scores.length)];
  for (const [i, rank] of ranksOf(scores).entries()) {
    counts[0][rank] = (counts[0][rank] as number) + 1;
    counts[1][rank] = (counts[1][rank] as number) + (relevant[i] as number);
  }
  return counts;
}
