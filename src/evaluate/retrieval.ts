/**
 * Image retrieval: each test image is a query, and ranks the labelled training images by the cosine similarity of their
 * features to its own. Relevant are those with the query's label. With classes as labels this is retrieval by category; with
 * the ids of objects or scenes it is retrieval by instance, and nothing else changes. Nothing is trained or chosen.
 */
import { z } from "zod";
import { pause } from "../interrupt.ts";
import { accuracy, type Metric, mAP } from "../metric.ts";
import { integers, normalize } from "../torch/ops.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { byClass } from "./draws.ts";
import { groupsOf, rowsToHoldOut } from "./groups.ts";
import { defineProtocol, MEASURING, mean, type Training } from "./protocol.ts";
import { eachTie, ranking } from "./ranking.ts";

/** A query's ranking of M images. */
interface Ranked {
  /** (M) */
  readonly similarities: Float32Array;
  /** Indices of the images, from the most similar to the least. */
  readonly order: Uint32Array;
  /** The label of each image (M), from 0; negative for none. */
  readonly labels: ArrayLike<number>;
  /** Largest label + 1. */
  readonly classes: number;
}

interface Measure {
  readonly title: string;
  readonly metric: Metric;
  /** What the query scores if its label is 0, 1, ... (C): the truth about it is not known yet. */
  readonly measure: (ranked: Ranked) => Float32Array;
  /** What a random ranking scores for a class that has this share of the images. */
  readonly random: (share: number) => number;
}

/**
 * Mean average precision over the whole ranking. Chance: the share of the query's class among the images that are ranked. Among a few
 * images random rankings score higher: 0.18 instead of 0.11 with five images of each of nine classes.
 */
export const retrieval = byRanking({
  title: "Image retrieval: mean average precision",
  metric: mAP,
  measure: averagePrecisions,
  random: (share) => share,
});

/**
 * Recall@k: the fraction of queries with at least one relevant image among the k nearest. Oh Song et al., CVPR 2016,
 * https://arxiv.org/abs/1511.06452. A protocol for each k: each has its own metric and its own chance.
 */
export const recalls = { "recall@1": recallAt(1), "recall@5": recallAt(5), "recall@10": recallAt(10) };

function recallAt(k: number) {
  return byRanking({
    title: `Image retrieval: a relevant image among the ${k} nearest`,
    metric: { ...accuracy, name: `recall@${k}` },
    measure: (ranked) => recallsAt(k, ranked),
    random: (share) => 1 - (1 - share) ** k,
  });
}

/**
 * A query whose label no training image has scores 0. `heldOut`: up to 2,000 training images as queries, each ranks all that are
 * not of its group; one without an image of its label among these is left out.
 */
function byRanking({ title, metric, measure, random }: Measure) {
  return defineProtocol({
    title,
    needs: "features",
    metric,
    options: z.strictObject({}),
    async fit({ features, truths, rows, groups, signal }: Training<number>) {
      const all = features as Tensor;
      const labels = Int32Array.from(rows, (row) => truths[row] ?? -1); // (M)
      const members = byClass(labels);
      const index = scope(() => keep(normalize(all.indexSelect(0, integers(rows, all.device))))); // (M, D)
      const gallery = { index, labels, classes: members.length };
      const own = groupsOf(rows, groups);
      const inGroups = own && byClass(own);
      const ofGroup = (row: number) => inGroups?.[own?.[row] as number] ?? [row];
      const left = rowsToHoldOut(labels, own);
      const find = (makeQueries: () => Tensor, out?: (query: number) => readonly number[]) => {
        const queries = scope(makeQueries);
        return search(queries, gallery, { measure, out, signal }).finally(() => dispose(queries));
      };
      try {
        const answers = await find(
          () => index.indexSelect(0, integers(left, index.device)),
          (query) => ofGroup(left[query] as number),
        );
        return {
          heldOut: mean(left.map((row, i) => answers[i]?.[labels[row] as number] ?? Number.NaN)),
          predict: ({ features: test }) => find(() => normalize(test as Tensor)),
          dispose: () => dispose(index),
        };
      } catch (error) {
        dispose(index);
        throw error;
      }
    },
    score: (scores: Float32Array, truth: number) => scores[truth] ?? 0,
    reduce: mean,
    guess: (classes, _scores, shares) =>
      shares
        ? shares.tested.reduce((sum, share, label) => sum + share * random(shares.learned[label] ?? 0), 0)
        : random(1 / classes),
  });
}

interface Gallery extends Pick<Ranked, "labels" | "classes"> {
  /** Unit vectors (M, D). */
  readonly index: Tensor;
}

interface Search extends Pick<Measure, "measure"> {
  /** Images of the index that are not ranked for a query. */
  readonly out: ((query: number) => readonly number[]) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Similarities that are computed at once: 32 MiB. */
const SIMILARITIES = 2 ** 23;

/** Ranks the index for each query (N, D), of length 1. */
async function search(queries: Tensor, { index, ...known }: Gallery, { measure, out, signal }: Search) {
  const [count, size] = [queries.size(0), index.size(0)];
  const answers: Float32Array[] = [];
  const atOnce = Math.max(1, Math.min(1024, Math.floor(SIMILARITIES / size)));
  for (let start = 0; start < count; start += atOnce) {
    const rows = Math.min(atOnce, count - start); // n
    const similar = scope(() => queries.narrow(0, start, rows).matmul(index.transpose(0, 1)).data()) as Float32Array; // (n, M)
    for (let row = 0; row < rows; row++) {
      await pause(signal, MEASURING);
      const similarities = similar.subarray(row * size, (row + 1) * size);
      const unranked = out?.(start + row) ?? [];
      for (const one of unranked) similarities[one] = Number.NEGATIVE_INFINITY; // last, and cut off
      const order = ranking(similarities).subarray(0, size - unranked.length);
      answers.push(measure({ similarities, order, ...known }));
    }
  }
  return answers;
}

/** The average precision for each label (C): 0 for one that no image has. Equal similarities count as one step. */
function averagePrecisions({ similarities, order, labels, classes }: Ranked): Float32Array {
  const found = new Uint32Array(classes);
  const sums = new Float64Array(classes);
  eachTie(similarities, order, (from, to) => {
    const tied = labelsOf(order, labels, from, to);
    for (const label of tied) found[label] = (found[label] as number) + 1;
    for (const label of tied) sums[label] = (sums[label] as number) + (found[label] as number) / to;
  });
  return Float32Array.from(sums, (sum, label) => (sum ? sum / (found[label] as number) : 0));
}

/**
 * For each label (C): whether it is among the k nearest, 1 or 0. If the last of them are tied with others, the probability
 * that it is when ties are broken at random.
 */
function recallsAt(k: number, { similarities, order, labels, classes }: Ranked): Float32Array {
  const recalls = new Float32Array(classes);
  eachTie(similarities, order, (from, to) => {
    if (from >= k) return;
    const [places, size] = [Math.min(k, to) - from, to - from];
    const counts = new Map<number, number>();
    for (const label of labelsOf(order, labels, from, to)) counts.set(label, (counts.get(label) ?? 0) + 1);
    for (const [label, count] of counts) {
      let missed = 1; // none of the places goes to this label
      for (let i = 0; i < places; i++) missed *= Math.max(0, size - count - i) / (size - i);
      recalls[label] = 1 - missed * (1 - (recalls[label] as number));
    }
  });
  return recalls;
}

function labelsOf(order: Uint32Array, labels: ArrayLike<number>, from: number, to: number): number[] {
  const some: number[] = [];
  for (let i = from; i < to; i++) {
    const label = labels[order[i] as number] as number;
    if (label >= 0) some.push(label);
  }
  return some;
}
