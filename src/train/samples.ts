/** Images of what the network sees, with the right answer and its guess. */
import { denormalise } from "../augment/normalise.ts";
import { evenly } from "../data/images.ts";
import { contactSheet, type SheetCell } from "../data/sheet.ts";
import type { PreviewCell } from "../tasks/task.ts";
import { autocast, noGrad } from "../torch/autograd.ts";
import { manualSeed } from "../torch/random.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { imagesUsed, readBatch, toViews } from "./batches.ts";
import type { TrainingRun } from "./loop.ts";

/** A PNG sheet of images from all over the set, as the task shows them. */
export async function sampleSheet(
  run: Pick<TrainingRun, "config" | "compute" | "encoder" | "images" | "task" | "world">,
  most = 16,
): Promise<Uint8Array> {
  const { config, compute, encoder, images, task } = run;
  const used = imagesUsed(images, task);
  const raw = await readBatch(images, used, evenly(most, used));
  const modules = [encoder, ...Object.values({ ...task.trained, ...task.state })];
  for (const module of modules) module.eval();
  const cells = scope(() =>
    noGrad(() => {
      manualSeed(config.seed);
      const [views, batch] = toViews(raw, images, run, { step: 0, progress: 0 });
      const shown = autocast(compute.device, compute.precision, () => task.preview(views, batch));
      return shown.map(cellsOf);
    }),
  );
  for (const module of modules) module.train();
  const together = cells[0]?.length ?? 1;
  const columns = together === 1 ? COLUMNS : together * Math.max(1, Math.floor(IN_PANELS / together));
  return contactSheet(cells.flat(), columns, SIDE, together > 1 ? together : 0);
}

/** Pictures in a row, one or several for each image, and the width of each in pixels. */
const [COLUMNS, IN_PANELS, SIDE] = [8, 6, 112];

/** One cell, or one for each panel. The last frame says whether the guess is right, unless outlines in it do. */
function cellsOf({ image, answer, guess, panels }: PreviewCell): SheetCell[] {
  const right = guess === null ? {} : { good: guess === answer };
  if (!panels) return [{ ...pictureOf(image), caption: guess === null ? answer : `${guess} / ${answer}`, ...right }];
  return panels.map((panel, i) => ({
    ...pictureOf(panel.image),
    caption: panel.caption,
    ...(panel.outlines && { outlines: panel.outlines }),
    ...(i === panels.length - 1 && !panel.outlines?.some(({ good }) => good !== undefined) && right),
  }));
}

function pictureOf(image: Tensor): Pick<SheetCell, "pixels" | "width" | "height"> {
  return {
    pixels: denormalise(image).permute(1, 2, 0).contiguous().bytes(),
    width: image.size(2),
    height: image.size(1),
  };
}
