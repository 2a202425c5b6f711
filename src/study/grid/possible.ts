/** Which cells can be trained: everything that training needs is set up once for each kind of cell, before the first one starts. */
import { withCleanup } from "../../cleanup.ts";
import { plural } from "../../data/names.ts";
import { InterruptedError, SelfsightError, UsageError } from "../../errors.ts";
import { parseOptions } from "../../options.ts";
import { pretrainOptions, type TrainingConfig } from "../../run/options.ts";
import { refuseContradictions, resolveConfig } from "../../run/resolve.ts";
import { chooseCompute } from "../../torch/compute.ts";
import { firstEncoder, prepareTraining, refuseIdleCrops, refuseLargeBatch, usesLabels } from "../../train/prepare.ts";
import type { Cell } from "./cell.ts";
import { trainingOf } from "./cell-run.ts";
import type { Failure } from "./folder.ts";
import type { StudyImages } from "./images.ts";
import type { StudyConfig } from "./options.ts";

/** The resolved configuration of a cell's run. @throws UsageError for settings that do not fit together */
export function resolvedTraining(config: StudyConfig, cell: Cell): TrainingConfig {
  const options = parseOptions(pretrainOptions, trainingOf(config, cell));
  refuseContradictions(options);
  return resolveConfig(options);
}

/** Cells that differ only in these are set up alike. */
export const kindOf = ({ factors }: Cell): string => JSON.stringify({ ...factors, seed: 0, trainImages: "all" });

/** The cells that cannot be trained, and why. @throws InterruptedError if the signal aborts */
export async function impossibleCells(
  config: StudyConfig,
  cells: readonly Cell[],
  images: StudyImages,
  signal?: AbortSignal,
): Promise<Failure[]> {
  const tried = new Map<string, string | undefined>();
  const impossible: Failure[] = [];
  for (const cell of cells) {
    if (signal?.aborted) throw new InterruptedError("Interrupted before anything was trained.");
    const kind = kindOf(cell);
    if (!tried.has(kind)) tried.set(kind, await problemOf(() => trySetup(config, cell, images)));
    const message = tried.get(kind) ?? (await problemOf(() => checkNumbers(config, cell, images)));
    if (message !== undefined) impossible.push({ name: cell.name, message });
  }
  return impossible;
}

/** Sets up encoder and task with some of the images. */
async function trySetup(config: StudyConfig, cell: Cell, images: StudyImages): Promise<void> {
  const resolved: TrainingConfig = { ...resolvedTraining(config, cell), batchSize: 1, firstLayer: "trained" };
  await withCleanup(async (cleanup) => {
    const compute = await chooseCompute(resolved);
    const encoder = firstEncoder(resolved);
    cleanup.push(() => encoder.dispose());
    const sample = await images.sample(resolved);
    const { run } = await prepareTraining({ config: resolved, compute, encoder, images: sample }, cleanup);
    refuseIdleCrops(trainingOf(config, cell), run.task);
  });
}

async function checkNumbers(config: StudyConfig, cell: Cell, images: StudyImages): Promise<void> {
  const { trainImages, task } = cell.factors;
  const all = await images.learnable(task);
  const count = trainImages === "all" ? all : trainImages;
  if (count > all) throw new UsageError(`There are ${all} images to learn from; trainImages asks for ${count}.`);
  refuseLargeBatch(resolvedTraining(config, cell), count);
  const copies = usesLabels(task) ? await images.copies() : 0;
  if (copies)
    throw new UsageError(
      `${plural(copies, "test image is a copy", "test images are copies")} of images whose labels ${task} learns: it would be tested on what it remembers. Remove the copies, or leave ${task} out.`,
    );
}

async function problemOf(attempt: () => Promise<void>): Promise<string | undefined> {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    if (error instanceof SelfsightError && !(error instanceof InterruptedError)) return error.message;
    throw error;
  }
}
