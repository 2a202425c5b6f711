/** Images of what the network sees, with the right answer and its guess. */
import { denormalise } from "../augment/normalise.ts";
import { contactSheet } from "../data/sheet.ts";
import { autocast, noGrad } from "../torch/autograd.ts";
import { manualSeed } from "../torch/random.ts";
import { scope } from "../torch/scope.ts";
import { imagesUsed, readBatch, toViews } from "./batches.ts";
import type { TrainingRun } from "./loop.ts";

/** A PNG sheet of images from all over the set, as the task shows them. */
export async function sampleSheet(
  run: Pick<TrainingRun, "config" | "compute" | "encoder" | "images" | "task" | "world">,
  most = 16,
): Promise<Uint8Array> {
  const { config, compute, encoder, images, task } = run;
  const used = imagesUsed(images, task);
  const count = Math.min(most, used);
  const indices = Int32Array.from({ length: count }, (_, i) => Math.floor((i * used) / count));
  const raw = await readBatch(images, used, indices);
  const modules = [encoder, ...Object.values({ ...task.trained, ...task.state })];
  for (const module of modules) module.eval();
  const cells = scope(() =>
    noGrad(() => {
      manualSeed(config.seed);
      const [views, batch] = toViews(raw, images, run, { step: 0, progress: 0 });
      const shown = autocast(compute.device, compute.precision, () => task.preview(views, batch));
      return shown.map(({ image, answer, guess }) => ({
        pixels: denormalise(image).permute(1, 2, 0).contiguous().bytes(),
        width: image.size(2),
        height: image.size(1),
        caption: guess === null ? answer : `${guess} / ${answer}`,
        ...(guess !== null && { good: guess === answer }),
      }));
    }),
  );
  for (const module of modules) module.train();
  return contactSheet(cells, 8);
}
