/** Pictures of what the network sees, with the right answer and its guess. */
import { writeFileSync } from "node:fs";
import { denormalise, pixelTensor } from "../augment/normalise.ts";
import { contactSheet } from "../data/sheet.ts";
import { noGrad } from "../torch/autograd.ts";
import { scope } from "../torch/scope.ts";
import { augment, type TrainingRun } from "./loop.ts";

/** Writes a PNG sheet of the first images of the set, as the task shows them. */
export async function saveSamples(
  file: string,
  { config, compute, encoder, store, task }: TrainingRun,
  count = 16,
): Promise<void> {
  const indices = Array.from({ length: Math.min(count, store.length) }, (_, i) =>
    Math.floor((i * store.length) / count),
  );
  const bytes = await store.get(indices);
  for (const module of [encoder, ...Object.values(task.modules)]) module.eval();
  const cells = scope(() =>
    noGrad(() => {
      const views = augment(pixelTensor(bytes, store.size).to(compute.device), config, 0);
      return task.preview(views).map(({ image, answer, guess }) => ({
        pixels: denormalise(image).permute(1, 2, 0).contiguous().bytes(),
        width: image.size(2),
        height: image.size(1),
        caption: `${guess} / ${answer}`,
        good: guess === answer,
      }));
    }),
  );
  for (const module of [encoder, ...Object.values(task.modules)]) module.train();
  writeFileSync(file, await contactSheet(cells, 8));
}
