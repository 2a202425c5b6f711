/**
 * Linear probe: multinomial logistic regression on standardised, frozen features. The strength of the L2 penalty is
 * chosen on a held-out fifth of the training labels (Kornblith, Shlens & Le, CVPR 2019, section 3,
 * https://arxiv.org/abs/1805.08974, choose it so too), then everything is fitted again on all of them.
 */
import { z } from "zod";
import { SelfsightError } from "../errors.ts";
import { allFinite } from "../torch/nn/finite.ts";
import { integers } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { holdOut } from "./draws.ts";
import { fitLogistic, type LinearModel, logits } from "./logistic.ts";
import { accuracy, defineProtocol, type Labelled, marks, mean } from "./protocol.ts";

export const linear = defineProtocol({
  title: "Linear probe: logistic regression",
  options: z.strictObject({
    penalties: z
      .array(z.number().positive())
      .min(1)
      .default([10, 1, 0.1, 0.01, 0.001, 0.0001])
      .describe("L2 strengths to choose from: penalty / 2 · |weights|² beside the mean cross-entropy"),
    maxIterations: z.int().positive().default(100).describe("of L-BFGS, for each fit"),
  }),
  measure({ train, test, classes, draws }, { penalties, maxIterations }) {
    const heldOut: number[] = [];
    const correct = draws.map((rows) =>
      scope(() => {
        const { fit, choose } = holdOut(rows, train.labels, 1 / 5);
        const path = (part: Labelled, strengths: readonly number[]) =>
          regularisationPath(part, classes, strengths, maxIterations);
        const held = take(train, choose);
        const scores = path(take(train, fit), penalties).map((model) => score(model, held));
        const best = scores.reduce((a, b, i) => (b.loss < (scores[a]?.loss ?? Number.POSITIVE_INFINITY) ? i : a), 0);
        heldOut.push(scores[best]?.accuracy ?? Number.NaN);
        const final = path(take(train, rows), penalties.slice(0, best + 1)).at(-1) as LinearModel;
        const answers = logits(final, test.features);
        if (!allFinite(answers))
          throw new SelfsightError(
            "The linear probe did not converge: its answers are not finite. Give larger penalties.",
          );
        return marks(answers.argmax(1), test.labels);
      }),
    );
    return [{ name: "linear", correct, heldOut: mean(heldOut) }];
  },
});

/** One model a penalty, in the order given (strong to weak), each fit starting where the one before ended. */
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

/** Mean cross-entropy (it tells more than accuracy where few labels are held out) and accuracy. */
function score(model: LinearModel, { features, labels }: Labelled): { loss: number; accuracy: number } {
  const output = logits(model, features); // (N, C)
  const target = integers(labels, features.device);
  const loss = output.logSoftmax(1).gather(1, target.unsqueeze(1)).mean().neg().item();
  return { loss, accuracy: accuracy(marks(output.argmax(1) as Tensor, labels)) };
}
