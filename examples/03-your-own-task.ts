/**
 * A pretext task of your own: was this picture mirrored top to bottom? A task says what to do with a batch; everything
 * else (loop, checkpoints, logs, evaluation) stays as it is. Run: npx tsx examples/03-your-own-task.ts
 */
import { cat, createEncoder, crossEntropy, defineTask, manualSeed, nn, optim, rand, scope, tensor } from "selfsight";
import { z } from "zod";

const flip = defineTask({
  title: "Mirrored top to bottom",
  paper: "an example",
  options: z.strictObject({}),
  create(encoder) {
    const fc = new nn.Linear(encoder.outDim, 2);
    return {
      modules: { fc },
      chance: { metric: "accuracy", value: 1 / 2, loss: Math.log(2) },
      copies: 2,
      step(images) {
        const both = cat([images, images.flip(2)]); // (2·B, 3, S, S)
        const count = images.size(0);
        const target = tensor(Array.from({ length: 2 * count }, (_, i) => (i < count ? 0 : 1))).to("i64");
        const logits = fc.forward(encoder.forward(both)); // (2·B, 2)
        return { loss: crossEntropy(logits, target), metrics: { accuracy: logits.argmax(1).eq(target).mean() } };
      },
      preview: (images) =>
        images.chunk(images.size(0)).map((image) => ({ image: image.select(0, 0), answer: "upright", guess: "?" })),
    };
  },
});

manualSeed(0);
const encoder = createEncoder({ model: "resnet10", width: 0.125, stem: "cifar" });
const task = flip.create(encoder);
const parameters = [encoder, ...Object.values(task.modules)].flatMap((module) => module.namedParameters());
const optimizer = new optim.SGD(optim.decayGroups(parameters, 0), { momentum: 0.9 });
// Pictures that are brighter at the top.
const ramp = tensor(Array.from({ length: 16 }, (_, row) => [1 - row / 8])); // (16, 1)
for (let step = 0; step < 30; step++) {
  const { loss, accuracy } = scope(() => {
    const { loss, metrics } = task.step(rand([16, 3, 16, 16]).add(ramp));
    loss.backward();
    optimizer.step(0.05);
    optimizer.zeroGrad();
    return { loss: loss.item(), accuracy: metrics["accuracy"]?.item() ?? 0 };
  });
  if (step % 10 === 9)
    console.log(
      `step ${step + 1}: loss ${loss.toFixed(3)} (chance ${task.chance.loss.toFixed(3)}), accuracy ${(accuracy * 100).toFixed(0)} %`,
    );
}
