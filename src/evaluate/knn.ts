/**
 * Weighted nearest neighbours by cosine similarity: each of the k nearest labelled images votes for its class with
 * weight exp(similarity / T). Wu et al., CVPR 2018, section 3.4, https://arxiv.org/abs/1805.01978
 */
import { z } from "zod";
import { pause } from "../interrupt.ts";
import { integers, normalize, tensor, where, zeros } from "../torch/ops.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { groupsOf, inSeveralGroups } from "./groups.ts";
import { classification, defineProtocol, MEASURING, mean, type Training } from "./protocol.ts";

/** Common neighbours and temperatures: solo-learn's 20 and 0.07, DINO's and lightly's 200 and 0.1. */
const usual = [
  { k: 20, temperature: 0.07 },
  { k: 200, temperature: 0.1 },
];

export const knn = defineProtocol({
  ...classification,
  title: "Weighted k nearest neighbours",
  needs: "features",
  options: z.strictObject({
    neighbours: z
      .array(z.strictObject({ k: z.int().positive(), temperature: z.number().positive() }))
      .min(1)
      .default(usual)
      .describe("numbers of neighbours and the temperatures of their votes"),
  }),
  variants: ({ neighbours }) => Object.fromEntries(neighbours.map((one) => [`knn-${one.k}`, { neighbours: [one] }])),
  async fit({ features, truths, rows, groups, classes, signal }: Training<number>, { neighbours: [chosen] }) {
    const { k, temperature } = chosen as (typeof usual)[number];
    const labels = rows.map((row) => truths[row] ?? -1);
    const all = features as Tensor;
    const bank = scope(() => keep(normalize(all.indexSelect(0, integers(rows, all.device))))); // (M, D)
    const own = groupsOf(rows, groups);
    const votes = (queries: Tensor, left: Pick<Vote, "skip" | "own">) =>
      vote(queries, bank, labels, { k, ...left, temperature, classes, signal });
    try {
      return {
        // Classifies each labelled image by those of other groups. If each is alone, its nearest neighbour is itself, and gets no vote.
        heldOut: leaveOneOut(await votes(bank, own ? { skip: 0, own } : { skip: 1 }), labels, own),
        async predict({ features: test }) {
          const queries = scope(() => normalize(test as Tensor));
          return votes(queries, { skip: 0 }).finally(() => dispose(queries));
        },
        dispose: () => dispose(bank),
      };
    } catch (error) {
      dispose(bank);
      throw error;
    }
  },
});

/** Accuracy over the rows whose class has a row of another group to be recognised by; NaN if there is none. */
function leaveOneOut(votes: readonly number[], labels: readonly number[], groups?: Int32Array): number {
  const several = inSeveralGroups(labels, groups);
  const rows = labels.flatMap((label, i) => (several.has(label) ? [i] : []));
  return mean(rows.map((i) => (votes[i] === labels[i] ? 1 : 0)));
}

interface Vote {
  k: number;
  /** Number of nearest neighbours without a vote. */
  skip: number;
  /** The groups of the bank (M), if the queries are the bank itself: none of a query's own group has a vote. */
  own?: Int32Array;
  temperature: number;
  classes: number;
  signal: AbortSignal | undefined;
}

/** Similarities that are computed at once: 32 MiB. */
const SIMILARITIES = 2 ** 23;

/** Unit vectors as queries (N, D) and bank (M, D) to the winning classes (N), i64. */
async function vote(
  queries: Tensor,
  bank: Tensor,
  labels: readonly number[],
  { k, skip, own, temperature, classes, signal }: Vote,
): Promise<number[]> {
  const count = Math.min(k, labels.length - skip);
  const { device } = bank;
  const winners: number[] = [];
  const atOnce = Math.max(1, Math.min(1024, Math.floor(SIMILARITIES / labels.length)));
  for (let start = 0; start < queries.size(0); start += atOnce) {
    await pause(signal, MEASURING);
    winners.push(
      ...scope(() => {
        const classOf = integers(labels, device); // (M)
        const part = queries.narrow(0, start, Math.min(atOnce, queries.size(0) - start)); // (n, D)
        const similarities = part.matmul(bank.transpose(0, 1)); // (n, M)
        const all = own ? withoutOwn(similarities, integers(own, device), start) : similarities;
        const [similarity, index] = all.topk(count + skip, 1); // (n, k)
        const weight = similarity.narrow(1, skip, count).div(temperature).exp(); // (n, k)
        const voted = classOf.indexSelect(0, index.narrow(1, skip, count).flatten()).reshape(part.size(0), count); // (n, k)
        return zeros([part.size(0), classes], { device })
          .scatterAdd(1, voted, weight)
          .argmax(1) // (n)
          .toArray();
      }),
    );
  }
  return winners;
}

/** Similarities (n, M) of the rows from `start` on, −∞ to those of their own group (M): these weigh nothing. */
function withoutOwn(similarities: Tensor, groups: Tensor, start: number): Tensor {
  const same = groups.narrow(0, start, similarities.size(0)).unsqueeze(1).eq(groups); // (n, M)
  return where(same, tensor([Number.NEGATIVE_INFINITY], { device: groups.device }), similarities);
}
