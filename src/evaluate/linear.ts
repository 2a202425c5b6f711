/**
 * Linear probe: multinomial logistic regression on standardised, frozen features. The strength of the L2 penalty is
 * chosen on a held-out fifth of the training labels (as in Kornblith, Shlens & Le, CVPR 2019, section 3,
 * https://arxiv.org/abs/1805.08974). Then the model is fitted again on all of them.
 */
import { z } from "zod";
import { SelfsightError } from "../errors.ts";
import { allFinite } from "../torch/nn/finite.ts";
import { integers } from "../torch/ops.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { holdOut } from "./draws.ts";
import { fitLogistic, type Labelled, type LinearModel, logits } from "./logistic.ts";
import { accuracy, classification, defineProtocol, type Fitted, type Training } from "./protocol.ts";

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
  fit: async (on, options) => fitDraws([on], options)[0] as Fitted<number>,
  fitDraws: async (draws, options) => fitDraws(draws, options),
});

interface Options {
  penalties: readonly number[];
  maxIterations: number;
}

/** All draws and strengths are fitted at once. */
function fitDraws(draws: readonly Training<number>[], { penalties, maxIterations }: Options): Fitted<number>[] {
  const { classes } = draws[0] as Training<number>;
  const options = { classes, maxIterations };
  const parts = draws.map((draw) => ({ draw, all: { features: draw.features as Tensor, labels: draw.truths } }));
  return scope(() => {
    const held = parts.map(({ draw, all }) => {
      const { fit, choose } = holdOut(draw.rows, draw.truths, 1 / 5);
      return { fit: take(all, fit), choose: take(all, choose) };
    });
    const tried = fitLogistic(
      held.flatMap(({ fit }) => penalties.map((penalty) => ({ part: fit, penalty }))),
      options,
    );
    const chosen = held.map(({ choose }, i) =>
      choosePenalty(penalties, tried.slice(i * penalties.length, (i + 1) * penalties.length), choose),
    );
    const models = fitLogistic(
      parts.map(({ draw, all }, i) => ({ part: take(all, draw.rows), penalty: chosen[i]?.penalty as number })),
      options,
    );
    return models.map((model, i) => fitted(model, chosen[i]?.heldOut as number));
  });
}

/** The strength with the lowest loss on held-out rows. Without any, as with one label a class, the one in the middle. */
export function choosePenalty(penalties: readonly number[], models: readonly LinearModel[], choose: Labelled) {
  const middle = penalties[Math.floor((penalties.length - 1) / 2)] as number;
  if (!choose.labels.length) return { penalty: middle, heldOut: Number.NaN };
  const scores = models.map((model) => score(model, choose));
  const best = scores.reduce((a, b, i) => (b.loss < (scores[a]?.loss ?? Number.POSITIVE_INFINITY) ? i : a), 0);
  return { penalty: penalties[best] as number, heldOut: scores[best]?.accuracy ?? Number.NaN };
}

function fitted(model: LinearModel, heldOut: number): Fitted<number> {
  for (const tensor of tensorsOf(model)) keep(tensor);
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
    dispose: () => dispose(...tensorsOf(model)),
  };
}

/** Some rows, in this order. */
export function take({ features, labels }: Labelled, rows: readonly number[]): Labelled {
  return {
    features: features.indexSelect(0, integers(rows, features.device)),
    labels: Int32Array.from(rows, (row) => labels[row] ?? -1),
  };
}

/** Mean cross-entropy (more informative than accuracy with few held-out labels) and accuracy. */
function score(model: LinearModel, { features, labels }: Labelled): { loss: number; accuracy: number } {
  const output = logits(model, features); // (N, C)
  const target = integers(labels, features.device);
  const loss = output.logSoftmax(1).gather(1, target.unsqueeze(1)).mean().neg().item();
  return { loss, accuracy: accuracy(output.argmax(1), labels) };
}

const tensorsOf = ({ mean, deviation, weight, bias }: LinearModel) => [mean, deviation, weight, bias];
