/**
 * Rotation prediction: turn each image by 0, 90, 180 and 270 degrees and ask the network which turn it sees.
 * Gidaris, Singh & Komodakis, ICLR 2018, https://arxiv.org/abs/1803.07728
 */
import { z } from "zod";
import { Linear } from "../torch/nn/layers.ts";
import { arange, cat, crossEntropy } from "../torch/ops.ts";
import { defineTask } from "./task.ts";

export const rotation = defineTask({
  title: "Rotation",
  paper: "https://arxiv.org/abs/1803.07728",
  options: z.strictObject({
    angles: z
      .literal([2, 4])
      .default(4)
      .describe("turns to tell apart: 4 (0°, 90°, 180°, 270°) or 2 (0°, 180°); 4 is best (table 2)"),
  }),
  create(encoder, { angles }) {
    const fc = new Linear(encoder.outDim, angles);
    const turns = Array.from({ length: angles }, (_, i) => (i * 4) / angles);
    return {
      modules: { fc },
      chance: { metric: "accuracy", value: 1 / angles, loss: Math.log(angles) },
      copies: angles,
      step(images) {
        // All copies of an image in one batch (section 3.1), and exact quarter turns of a square: resampling would
        // leave traces to cheat by.
        const turned = cat(turns.map((k) => images.rot90(k, [2, 3]))); // (A·B, 3, S, S)
        const target = arange(angles, { device: images.device }).repeatInterleave(images.size(0)); // (A·B)
        const logits = fc.forward(encoder.forward(turned)); // (A·B, A)
        return { loss: crossEntropy(logits, target), metrics: { accuracy: logits.argmax(1).eq(target).mean() } };
      },
      preview(images) {
        const answers = Array.from({ length: images.size(0) }, (_, i) => i % angles);
        const seen = cat(answers.map((answer, i) => images.narrow(0, i, 1).rot90(turns[answer] ?? 0, [2, 3])));
        const guesses = fc.forward(encoder.forward(seen)).argmax(1).toArray();
        const degrees = (index: number) => `${(index * 360) / angles}°`;
        return answers.map((answer, i) => ({
          image: seen.select(0, i),
          answer: degrees(answer),
          guess: degrees(guesses[i] ?? -1),
        }));
      },
    };
  },
});
