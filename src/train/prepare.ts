/** Creates everything that training needs from its configuration; writes nothing. */
import { normalise, pixelTensor } from "../augment/normalise.ts";
import type { ImageSet } from "../data/images.ts";
import { type DecodedStore, decodeSizeFor, openPixels } from "../data/pixels.ts";
import type { LearnOptions } from "../data/splits.ts";
import { UsageError } from "../errors.ts";
import { createEncoder } from "../models/index.ts";
import { type Encoder, requireImageSize } from "../models/model.ts";
import { randomAt } from "../random.ts";
import { counting, type Hooks } from "../run/events.ts";
import { initialEncoder } from "../run/folder.ts";
import type { PretrainOptions, TrainingConfig } from "../run/options.ts";
import { flag } from "../setup/terminal.ts";
import { taskEntry } from "../tasks/index.ts";
import type { Modules, TaskInstance } from "../tasks/task.ts";
import { noGrad } from "../torch/autograd.ts";
import type { Compute } from "../torch/compute.ts";
import { fixedWays } from "../torch/nn/convolution.ts";
import type { Parameter } from "../torch/nn/module.ts";
import { AdamW } from "../torch/optim/adamw.ts";
import { decayGroups } from "../torch/optim/groups.ts";
import type { Optimizer } from "../torch/optim/optimizer.ts";
import { cosine, steps, warmUp } from "../torch/optim/schedule.ts";
import { SGD } from "../torch/optim/sgd.ts";
import { rngState, setRngState } from "../torch/random.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { alone, type World } from "../torch/world.ts";
import { describeImages, imagesUsed, stepsPerEpoch, type TrainingImages, trainingImages } from "./batches.ts";
import { firstLayer, startFromPatches } from "./first-layer.ts";
import type { TrainingRun } from "./loop.ts";

/**
 * Decodes a set at the size from which crops are cut.
 * @param tolerated fraction of the images that may be unreadable; default: that of `openPixels`
 */
export async function decodeImages(
  set: ImageSet,
  { imageSize, task, crop }: Pick<TrainingConfig, "imageSize" | "task" | "crop">,
  hooks: Hooks = {},
  tolerated?: number,
): Promise<TrainingImages & { store: DecodedStore }> {
  const size = await decodeSizeFor(set, imageSize, crop);
  const how = { size, tolerated, onProgress: counting(hooks, "decode"), signal: hooks.signal };
  const store = await openPixels(set, how);
  return { ...trainingImages(set, store, usesLabels(task)), store };
}

/** Which of the images a run of this configuration learns from. */
export const learnOptions = ({ split, holdBack, task, trainImages, seed }: TrainingConfig): LearnOptions => ({
  split,
  ...(holdBack && { holdBack }),
  labelled: usesLabels(task),
  draw: trainImages === undefined ? undefined : { count: trainImages, seed },
});

export const usesLabels = (task: string): boolean => taskEntry(task).usesLabels ?? false;

/** The encoder that a run starts with. @throws UsageError if it cannot take the images */
export function firstEncoder(config: TrainingConfig): Encoder {
  const encoder = initialEncoder(config, config.out);
  try {
    requireImageSize(encoder, config.imageSize, config.model);
    return encoder;
  } catch (error) {
    encoder.dispose();
    throw error;
  }
}

/** Random stream of the first kernels, next to the seed. */
const FIRST_LAYER = 7;

/** A run at its start, and the modules it saves: the encoder, and the task's modules as `task.NAME`. */
export interface Prepared {
  run: TrainingRun;
  modules: Modules;
}

/**
 * Sets up a task for an encoder and images. `cleanup` frees what is created.
 * @throws UsageError if encoder, task, images and batch size do not fit together
 */
export async function prepareTraining(
  {
    config,
    compute,
    encoder,
    images,
    world = alone,
  }: { config: TrainingConfig; compute: Compute; encoder: Encoder; images: TrainingImages; world?: World },
  cleanup: (() => unknown)[],
): Promise<Prepared> {
  refuseNoImages(images.store.length);
  const entry = taskEntry(config.task);
  const options = entry.options.parse(config.taskOptions); // resolved already
  const { pixels, ...about } = await describeImages(images, config);
  const place = { device: compute.device, memoryFormat: "channels_last" } as const;
  const copy = () => copyOf(encoder, config).to(place);
  const sample = () => scope(() => normalise(pixelTensor(pixels, images.store.size)));
  if (config.firstLayer !== "trained") {
    scope(() => startFromPatches(encoder, sample(), config.imageSize, randomAt(config.seed, FIRST_LAYER)));
    for (const parameter of firstLayer(encoder)) parameter.requiresGrad_(false);
  }
  const task = scope(() =>
    entry.create({ encoder, copy, images: { ...about, sample: sample() }, world, seed: config.seed }, options),
  );
  const trained = { encoder, ...prefixKeys("task", task.trained) };
  const modules = { ...trained, ...prefixKeys("task", task.state ?? {}) };
  for (const module of Object.values({ ...task.trained, ...task.state })) cleanup.push(() => module.dispose());
  refuseLargeBatch({ ...config, batchSize: config.batchSize * world.size }, imagesUsed(images, task));
  for (const module of Object.values(modules)) module.train().to(place);
  const named = Object.values(trained)
    .flatMap((module) => module.namedParameters())
    .filter(([, parameter]) => parameter.requiresGrad);
  const optimizer = createOptimizer(config, named);
  cleanup.push(() => optimizer.dispose());
  const start = { step: 0, seconds: 0 };
  const parameters = named.map(([, parameter]) => parameter);
  const how = { chooser: fixedWays, ...rates(config) };
  const run = { config, compute, images, encoder, task, optimizer, parameters, world, start, ...how };
  return { run, modules };
}

/** Another encoder of the same architecture, with the same weights and the same of them frozen. The state of libtorch's generator does not change. */
function copyOf(encoder: Encoder, config: TrainingConfig): Encoder {
  const before = rngState();
  const other = createEncoder(config);
  setRngState(before);
  before.dispose();
  const weights = encoder.state();
  scope(() =>
    noGrad(() => {
      for (const [name, tensor] of other.state()) {
        const same = weights.get(name) as Tensor;
        tensor.copy_(same);
        tensor.requiresGrad_(same.requiresGrad);
      }
    }),
  );
  return other;
}

function refuseNoImages(count: number): void {
  if (count === 0)
    throw new UsageError("There are no images to learn from. Give others, or other parts of them with --split.");
}

/** @throws UsageError for settings of crops where the task cuts its own pieces from whole images, as exemplar's patches are */
export function refuseIdleCrops(
  { crop, minArea, flip }: Pick<PretrainOptions, "crop" | "minArea" | "flip">,
  { views }: Pick<TaskInstance, "views">,
): void {
  const given = Object.entries({ crop: crop === "auto" ? undefined : crop, minArea, flip });
  const idle = given.find(([, value]) => value !== undefined)?.[0];
  if (views !== "whole" || idle === undefined) return;
  throw new UsageError(
    `${flag(idle)} has no effect here: the task cuts its own pieces from whole images. Leave it out.`,
  );
}

/** @throws UsageError if there are too few images for one batch */
export function refuseLargeBatch({ batchSize }: Pick<TrainingConfig, "batchSize">, images: number): void {
  if (stepsPerEpoch(images, batchSize) > 0) return;
  throw new UsageError(
    `A batch of ${batchSize} is more than the ${images} images there are. Use --batch-size ${images} or less.`,
  );
}

function createOptimizer(config: TrainingConfig, named: readonly [string, Parameter][]): Optimizer {
  const groups = decayGroups(named, config.weightDecay);
  return config.optimizer === "sgd" ? new SGD(groups, { momentum: 0.9, nesterov: true }) : new AdamW(groups);
}

function rates(config: TrainingConfig): Pick<TrainingRun, "peakRate" | "schedule"> {
  const body = config.schedule === "cosine" ? cosine : steps([0.3, 0.6, 0.8], 0.2);
  return {
    peakRate: config.learningRate,
    schedule: warmUp(config.warmup, body),
  };
}

function prefixKeys<Value>(prefix: string, record: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [`${prefix}.${key}`, value]));
}
