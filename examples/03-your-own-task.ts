/**
 * Your own pretext task: was this picture mirrored top to bottom? A task defines what to do with a batch; everything
 * else (loop, checkpoints, logs, evaluation) stays the same. Run: npx tsx examples/03-your-own-task.ts [images]
 */
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accuracy, cat, crossEntropy, defineTask, nn, pretrain, registerTask, tensor } from "selfsight";
import sharp from "sharp";
import { z } from "zod";

const flip = defineTask({
  title: "Mirrored top to bottom",
  paper: "an example",
  options: z.strictObject({}),
  create({ encoder }) {
    const fc = new nn.Linear(encoder.outDim, 2);
    return {
      trained: { fc },
      metric: accuracy,
      guess: { value: 1 / 2, loss: Math.log(2) },
      step([images]) {
        const both = cat([images, images.flip(2)]); // (2·B, 3, S, S)
        const count = images.size(0);
        const target = tensor(Array.from({ length: 2 * count }, (_, i) => (i < count ? 0 : 1))).to("i64");
        const logits = fc.forward(encoder.forward(both)); // (2·B, 2)
        return { loss: crossEntropy(logits, target), metrics: { accuracy: logits.argmax(1).eq(target).mean() } };
      },
      preview([images]) {
        const guesses = fc.forward(encoder.forward(images)).argmax(1).toArray();
        const name = (mirrored?: number) => (mirrored ? "mirrored" : "as it is");
        return guesses.map((guess, i) => ({ image: images.select(0, i), answer: name(0), guess: name(guess) }));
      },
    };
  },
});
registerTask("flip", flip);

const out = mkdtempSync(join(tmpdir(), "selfsight-flip-"));
const [images = await ramps(join(out, "images"))] = process.argv.slice(2);
const { last } = await pretrain(
  {
    images,
    task: "flip",
    model: "resnet10",
    width: 0.125,
    stem: "cifar",
    imageSize: 16,
    batchSize: 16,
    epochs: 8,
    out: join(out, "run"),
  },
  {
    onEvent(event) {
      if (event.type === "step") console.log(`step ${event.record.step}: loss ${event.record.loss.toFixed(3)}`);
    },
  },
);
console.log(
  `accuracy ${((last?.metrics["accuracy"] ?? 0) * 100).toFixed(0)} % (chance 50 %); the run is in ${out}/run`,
);

/** 64 pictures, brighter at the top. */
async function ramps(folder: string): Promise<string> {
  mkdirSync(folder);
  const size = 24;
  for (let i = 0; i < 64; i++) {
    const bytes = Uint8Array.from({ length: 3 * size * size }, (_, at) => {
      const row = Math.floor(at / (3 * size));
      return 200 * (1 - row / size) + 55 * Math.random();
    });
    const picture = sharp(bytes, { raw: { width: size, height: size, channels: 3 } });
    await picture.png().toFile(join(folder, `${i}.png`));
  }
  return folder;
}
