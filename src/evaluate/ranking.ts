/** Rankings by score, and the average precision of one. */

/**
 * Indices of the scores (N) from the highest to the lowest; equal ones keep their order. A radix sort in three passes of 11
 * bits: the bootstrap ranks the same images thousands of times.
 */
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

/**
 * Average precision of ranking N items by their scores (N): the mean, over the relevant ones, of the precision down to there.
 * Equal scores count as one step, so that their order does not matter (as in scikit-learn's average_precision_score).
 * @param relevant 1 for a relevant item, else 0 (N)
 * @param interpolated replaces each precision by the highest at the same or a higher recall: the area under the interpolated
 *   precision-recall curve, as in Pascal VOC since 2010 and in VISSL
 * @returns NaN if nothing is relevant
 */
export function averagePrecision(
  scores: Float32Array,
  relevant: ArrayLike<number>,
  { interpolated = false } = {},
): number {
  const order = ranking(scores);
  const steps: { relevant: number; precision: number }[] = [];
  let found = 0;
  eachTie(scores, order, (from, to) => {
    const before = found;
    for (let i = from; i < to; i++) found += relevant[order[i] as number] as number;
    if (found > before) steps.push({ relevant: found - before, precision: found / to });
  });
  let sum = 0;
  let highest = 0;
  for (const step of steps.reverse()) {
    highest = interpolated ? Math.max(highest, step.precision) : step.precision;
    sum += step.relevant * highest;
  }
  return sum / found;
}
