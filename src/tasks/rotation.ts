/**
 * Rotation prediction: rotate each image by 0, 90, 180 and 270 degrees and ask the network which rotation it sees.
 * Gidaris, Singh & Komodakis, ICLR 2018, https://arxiv.org/abs/1803.07728
 *
 * Departures, with 8 angles only: images are cut to circles (the paper: the square inside), softened a little, and tilted by up to
 * 5° more, so that the traces of resampling say less about the angle. 2 and 4 angles are exact.
 */
import { z } from "zod";
import { rotateInCircle } from "../augment/geometry.ts";
import { accuracy } from "../metric.ts";
import { type RandomGenerator, randomInt } from "../random.ts";
import { Linear } from "../torch/nn/layers.ts";
import { cat, crossEntropy, full } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";
import { defineTask } from "./task.ts";

export const rotation = defineTask({
  title: "Rotation",
  paper: "https://arxiv.org/abs/1803.07728",
  options: z.strictObject({
    angles: z
      .literal([2, 4, 8])
      .default(4)
      .describe(
        "rotations to tell apart, evenly spaced: 4 are best (table 2); 8 are cut to circles, softened and tilted",
      ),
    first: z.literal([0, 90]).default(0).describe("the first rotation: with 2 angles, 0° and 180°, or 90° and 270°"),
    copies: z
      .enum(["all", "one"])
      .default("all")
      .describe("of an image in a step: turned by each angle, or by one of them"),
  }),
  // More images in place of more copies, and crops that leave up and down to be seen: docs/RESULTS.md.
  quick: { defaults: { minArea: 0.35 }, options: { copies: "one" } },
  onlyWith: { first: { angles: 2 } },
  create({ encoder }, { angles, first, copies }) {
    const fc = new Linear(encoder.outDim, angles);
    const degrees = Array.from({ length: angles }, (_, i) => (first + (i * 360) / angles) % 360);
    const turn = angles === 8 ? rotateInCircle : quarterTurn;
    return {
      trained: { fc },
      metric: accuracy,
      guess: { value: 1 / angles, loss: Math.log(angles) },
      lossUnit: "nats",
      step([images], batch) {
        const parts = copies === "all" ? allAngles(images, angles) : oneAngleEach(images, angles, batch.random);
        const turned = cat(parts.map(([i, part]) => turn(part, degrees[i] as number, batch.random))); // (N, 3, S, S)
        const target = cat(
          parts.map(([i, { shape }]) => full([shape[0] ?? 0], i, { device: images.device, dtype: "i64" })),
        ); // (N)
        const logits = fc.forward(encoder.forward(turned)); // (N, A)
        return {
          loss: crossEntropy(logits, target),
          metrics: { accuracy: logits.argmax(1).eq(target).mean() },
        };
      },
      preview([images], { random }) {
        const answers = Array.from({ length: images.size(0) }, (_, i) => i % angles);
        const seen = cat(answers.map((answer, i) => turn(images.narrow(0, i, 1), degrees[answer] ?? 0, random)));
        const guesses = fc.forward(encoder.forward(seen)).argmax(1).toArray();
        return answers.map((answer, i) => ({
          image: seen.select(0, i),
          answer: `${degrees[answer]}°`,
          guess: `${degrees[guesses[i] ?? -1]}°`,
        }));
      },
    };
  },
});

/** Images (B, 3, S, S) with the numbers of the angles by which they are turned. */
type Parts = [angle: number, images: Tensor][];

/** All copies of an image in one batch (section 3.1). */
const allAngles = (images: Tensor, angles: number): Parts => Array.from({ length: angles }, (_, i) => [i, images]);

/** The batch cut into a part for each angle. The parts are equal to one image; which angles get the longer ones is random. */
function oneAngleEach(images: Tensor, angles: number, random: RandomGenerator): Parts {
  const first = randomInt(random, 0, angles - 1);
  const cut = (i: number) => Math.round((i * images.size(0)) / angles);
  const parts = Array.from({ length: angles }, (_, i): Parts[number] => [
    (first + i) % angles,
    images.narrow(0, cut(i), cut(i + 1) - cut(i)),
  ]);
  return parts.filter(([, part]) => part.size(0) > 0); // a batch of fewer images than angles
}

/** Exact rotation by multiples of 90°: resampling would leave traces that give the answer away. */
function quarterTurn(images: Tensor, degrees: number, _random: RandomGenerator): Tensor {
  return images.rot90(degrees / 90, [2, 3]);
}
