/**
 * Linear probe: multinomial logistic regression on standardised, frozen features. The strength of the L2 penalty is
 * chosen on a held-out fifth of the training labels (as in Kornblith, Shlens & Le, CVPR 2019, section 3,
 * https://arxiv.org/abs/1805.08974). Then the model is fitted again on all of them.
 */
import { z } from "zod";
import { SelfsightError } from "../errors.ts";
import { pause } from "../interrupt.ts";
import { allFinite } from "../torch/nn/finite.ts";
import { integers } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { holdOut } from "./draws.ts";
import { disposeModel, fitLogistic, type LinearModel, logits } from "./logistic.ts";
import type { Labelled } from "./logistic-plan.ts";
import { accuracy, classification, defineProtocol, type Fitted, MEASURING, type Training } from "./protocol.ts";

export const linear = defineProtocol({
  ...classification,
  title: "Linear probe: logistic regression",
  needs: "features",
  options: z.strictObject({
    penalties: z
      .array(z.number().positive())
      .min(1)
      .default([10, 1, 0.1, 0.01, 0.001, 0.0001])
      .describe("L2 strengths to choose from: penalty / 2 · |weights|² beside the mean cross-entropy"),
    maxIterations: z.int().positive().default(100).describe("of L-BFGS, for each fit"),
  }),
  fit: async (on, options) => (await fitDraws([on], options))[0] as Fitted<number>,
  fitDraws,
});

interface Options {
  penalties: readonly number[];
  maxIterations: number;
}

/** All draws and strengths are fitted at once. */
async function fitDraws(
  draws: readonly Training<number>[],
  { penalties, maxIterations }: Options,
): Promise<Fitted<number>[]> {
  const { classes, signal } = draws[0] as Training<number>;
  const options = { classes, maxIterations, signal };
  const parts = draws.map(({ features, truths, rows, groups }) => {
    const part = (rows: readonly number[]): Labelled => ({ features: features as Tensor, labels: truths, rows });
    const { fit, choose } = holdOut(rows, truths, 1 / 5, groups);
    return { all: part(rows), fit: part(fit), choose: part(choose) };
  });
  const tried = await fitLogistic(
    parts.flatMap(({ fit }) => penalties.map((penalty) => ({ part: fit, penalty }))),
    options,
  );
  const chosen: Choice[] = [];
  try {
    for (const [i, { choose }] of parts.entries()) {
      await pause(signal, MEASURING);
      const own = tried.slice(i * penalties.length, (i + 1) * penalties.length);
      chosen.push(scope(() => choosePenalty(penalties, own, choose)));
    }
  } finally {
    for (const model of tried) disposeModel(model);
  }
  const models = await fitLogistic(
    parts.map(({ all }, i) => ({ part: all, penalty: (chosen[i] as Choice).penalty })),
    options,
  );
  return models.map((model, i) => fitted(model, (chosen[i] as Choice).heldOut));
}

interface Choice {
  readonly penalty: number;
  readonly heldOut: number;
}

/** The strength with the lowest loss on held-out rows. Without any, as with one label a class, the one in the middle. */
export function choosePenalty(penalties: readonly number[], models: readonly LinearModel[], choose: Labelled): Choice {
  const middle = penalties[Math.floor((penalties.length - 1) / 2)] as number;
  if (!choose.rows.length) return { penalty: middle, heldOut: Number.NaN };
  const scores = models.map((model) => scope(() => score(model, choose)));
  const best = scores.reduce((a, b, i) => (b.loss < (scores[a]?.loss ?? Number.POSITIVE_INFINITY) ? i : a), 0);
  return { penalty: penalties[best] as number, heldOut: scores[best]?.accuracy ?? Number.NaN };
}

function fitted(model: LinearModel, heldOut: number): Fitted<number> {
  return {
    heldOut,
    async predict({ features: test }) {
      return scope(() => {
        const answers = logits(model, test as Tensor);
        if (allFinite(answers)) return answers.argmax(1).toArray();
        throw new SelfsightError(
          "The linear probe did not converge: its answers are not finite. Give larger penalties.",
        );
      });
    },
    dispose: () => disposeModel(model),
  };
}

/** Mean cross-entropy (more informative than accuracy with few held-out labels) and accuracy. */
function score(model: LinearModel, { features, rows, labels }: Labelled): { loss: number; accuracy: number } {
  const truths = rows.map((row) => labels[row] ?? -1);
  const output = logits(model, features.indexSelect(0, integers(rows, features.device))); // (N, C)
  const target = integers(truths, features.device);
  const loss = output.logSoftmax(1).gather(1, target.unsqueeze(1)).mean().neg().item();
  return { loss, accuracy: accuracy(output.argmax(1), truths) };
}
