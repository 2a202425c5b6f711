/**
 * Weighted nearest neighbours by cosine similarity: each of the k nearest labelled images votes for its class with
 * weight exp(similarity / T). Wu et al., CVPR 2018, section 3.4, https://arxiv.org/abs/1805.01978
 */
import { z } from "zod";
import { pause } from "../interrupt.ts";
import { integers, normalize, tensor, where, zeros } from "../torch/ops.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { groupsOf, rowsToHoldOut } from "./groups.ts";
import { classification, defineProtocol, MEASURING, mean, type Training } from "./protocol.ts";

/** Common neighbours and temperatures: DINO's and solo-learn's 20 and 0.07, VISSL's and lightly's 200 and 0.1. */
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
      .refine((all) => new Set(all.map(({ k }) => k)).size === all.length, {
        error: "two of them have the same k: results are named by it, so that the first would be lost",
      })
      .default(usual)
      .describe("numbers of neighbours and the temperatures of their votes"),
  }),
  variants: ({ neighbours }) => Object.fromEntries(neighbours.map((one) => [`knn-${one.k}`, { neighbours: [one] }])),
  async fit({ features, truths, rows, groups, classes, signal }: Training<number>, { neighbours: [chosen] }) {
    const { k, temperature } = chosen as (typeof usual)[number];
    const labels = rows.map((row) => truths[row] ?? -1);
    const all = features as Tensor;
    const bank = scope(() => keep(normalize(all.indexSelect(0, integers(rows, all.device))))); // (M, D)
    const classOf = scope(() => keep(integers(labels, all.device))); // (M)
    const votes = (queries: Tensor, own?: Own) =>
      vote(queries, { bank, classOf }, { k, own, temperature, classes, signal });
    const free = () => dispose(bank, classOf);
    try {
      return {
        heldOut: await leaveOneOut(bank, labels, groupsOf(rows, groups), votes),
        async predict({ features: test }) {
          const queries = scope(() => normalize(test as Tensor));
          return votes(queries).finally(() => dispose(queries));
        },
        dispose: free,
      };
    } catch (error) {
      free();
      throw error;
    }
  },
});

/** Accuracy over {@link rowsToHoldOut}, each classified by the images of other groups, without groups by all others; NaN if there is none. */
async function leaveOneOut(
  bank: Tensor,
  labels: readonly number[],
  groups: Int32Array | undefined,
  votes: (queries: Tensor, own: Own) => Promise<number[]>,
): Promise<number> {
  const chosen = rowsToHoldOut(labels, groups);
  const [queries, own] = scope(() => {
    const at = integers(chosen, bank.device);
    const bankGroups = integers(groups ?? [...labels.keys()], bank.device);
    return [keep(bank.indexSelect(0, at)), { queries: keep(bankGroups.indexSelect(0, at)), bank: keep(bankGroups) }];
  });
  const winners = await votes(queries, own).finally(() => dispose(queries, own.queries, own.bank));
  return mean(winners.map((winner, i) => (winner === labels[chosen[i] as number] ? 1 : 0)));
}

/** The groups of queries (N) and bank (M): none of a query's own group has a vote. */
interface Own {
  queries: Tensor;
  bank: Tensor;
}

interface Vote {
  k: number;
  own: Own | undefined;
  temperature: number;
  classes: number;
  signal: AbortSignal | undefined;
}

/** Similarities that are computed at once: 32 MiB. */
const SIMILARITIES = 2 ** 23;

/** Unit vectors as queries (N, D) and bank (M, D), with the bank's classes (M), to the winning classes (N). */
async function vote(
  queries: Tensor,
  { bank, classOf }: { bank: Tensor; classOf: Tensor },
  { k, own, temperature, classes, signal }: Vote,
): Promise<number[]> {
  const count = Math.min(k, bank.size(0));
  const winners: number[] = [];
  const atOnce = Math.max(1, Math.min(1024, Math.floor(SIMILARITIES / bank.size(0))));
  for (let start = 0; start < queries.size(0); start += atOnce) {
    await pause(signal, MEASURING);
    winners.push(
      ...scope(() => {
        const n = Math.min(atOnce, queries.size(0) - start);
        const all = queries.narrow(0, start, n).matmul(bank.transpose(0, 1)); // (n, M)
        const [similarity, index] = (own ? withoutOwn(all, own, start) : all).topk(count, 1); // (n, k), the nearest first
        const nearest = similarity.narrow(1, 0, 1).clamp(-1); // −∞ where all are of the query's own group
        const weight = similarity.sub(nearest).div(temperature).exp(); // (n, k), at most 1 at any temperature
        const voted = classOf.indexSelect(0, index.flatten()).reshape(n, count); // (n, k)
        return zeros([n, classes], { device: bank.device })
          .scatterAdd(1, voted, weight)
          .argmax(1) // (n)
          .toArray();
      }),
    );
  }
  return winners;
}

/** Similarities (n, M) of the queries from `start` on, −∞ to those of their own group: these weigh nothing. */
function withoutOwn(similarities: Tensor, { queries, bank }: Own, start: number): Tensor {
  const same = queries.narrow(0, start, similarities.size(0)).unsqueeze(1).eq(bank); // (n, M)
  return where(same, tensor([Number.NEGATIVE_INFINITY], { device: bank.device }), similarities);
}
