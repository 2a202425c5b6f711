/** Supervised classification with the images' own labels: the yardstick for every pretext task. */
import { z } from "zod";
import { UsageError } from "../errors.ts";
import { accuracy } from "../metric.ts";
import { Linear } from "../torch/nn/layers.ts";
import { crossEntropy } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";
import { defineTask } from "./task.ts";

export const supervised = defineTask({
  title: "Supervised classification",
  paper: "no pretext: labels and cross-entropy, the yardstick",
  options: z.strictObject({
    labelSmoothing: z.number().min(0).lt(1).default(0).describe("fraction of the target spread over all classes"),
  }),
  usesLabels: true,
  quick: { defaults: { firstLayer: "trained" } }, // a yardstick should learn all that labels can teach
  create({ encoder, images: { classes } }, { labelSmoothing }) {
    if (!classes || classes.length < 2) {
      throw new UsageError(
        "The task supervised needs labelled images of at least two classes: one sub-folder for each class, or a file " +
          "with labels. The other tasks need no labels.",
      );
    }
    const fc = new Linear(encoder.outDim, classes.length);
    return {
      trained: { fc },
      metric: accuracy,
      guess: { value: 1 / classes.length, loss: Math.log(classes.length) },
      lossUnit: "nats",
      step([images], { labels }) {
        const target = labels as Tensor; // there are classes, so there are labels
        const logits = fc.forward(encoder.forward(images)); // (B, classes)
        const loss = crossEntropy(logits, target, { labelSmoothing });
        return { loss, metrics: { accuracy: logits.argmax(1).eq(target).mean() } };
      },
      preview([images], { labels }) {
        const guesses = fc.forward(encoder.forward(images)).argmax(1).toArray();
        return (labels as Tensor).toArray().map((label, i) => ({
          image: images.select(0, i),
          answer: classes[label] ?? "?",
          guess: classes[guesses[i] ?? -1] ?? "?",
        }));
      },
    };
  },
});
