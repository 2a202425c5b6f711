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
import { accuracy, classification, defineProtocol, type Training } from "./protocol.ts";

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
  async fit({ features, truths, rows, classes }: Training<number>, { penalties, maxIterations }) {
    const all = { features: features as Tensor, labels: truths };
    const path = (part: Labelled, strengths: readonly number[]) =>
      regularisationPath(part, classes, strengths, maxIterations);
    const { model, heldOut } = scope(() => {
      const { fit, choose } = holdOut(rows, truths, 1 / 5);
      const held = take(all, choose);
      const scores = path(take(all, fit), penalties).map((one) => score(one, held));
      const best = scores.reduce((a, b, i) => (b.loss < (scores[a]?.loss ?? Number.POSITIVE_INFINITY) ? i : a), 0);
      const final = path(take(all, rows), penalties.slice(0, best + 1)).at(-1) as LinearModel;
      for (const tensor of tensorsOf(final)) keep(tensor);
      return { model: final, heldOut: scores[best]?.accuracy ?? Number.NaN };
    });
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
  },
});

/** One model per penalty, in the order given (strong to weak). Each fit starts where the previous one ended. */
function regularisationPath(
  part: Labelled,
  classes: number,
  penalties: readonly number[],
  maxIterations: number,
): LinearModel[] {
  const models: LinearModel[] = [];
  for (const penalty of penalties)
    models.push(fitLogistic(part, { classes, penalty, maxIterations, start: models.at(-1) }));
  return models;
}

function take({ features, labels }: Labelled, rows: readonly number[]): Labelled {
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
