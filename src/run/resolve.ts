/** Resolves a run's configuration: the user's values, then defaults of the task, the architecture and Selfsight. All are set here. */
import { UsageError } from "../errors.ts";
import { modelEntry } from "../models/index.ts";
import type { Stem } from "../models/model.ts";
import { parseOptions } from "../options.ts";
import { taskEntry } from "../tasks/index.ts";
import type { Task, TaskDefaults } from "../tasks/task.ts";
import { defaultRunFolder } from "./folder.ts";
import { specOf } from "./foreign-weights.ts";
import type { PretrainConfig, TrainingConfig } from "./options.ts";

/**
 * Defaults where neither the user, the task nor the architecture sets a value, also by the preset `paper`: the papers differ in these, and train for
 * hours on many GPUs. The stem's is the architecture's.
 */
const ours: Required<Omit<TaskDefaults, "stem" | "learningRate" | "weightDecay">> = {
  crop: "auto",
  flip: true,
  minArea: 0.08,
  firstLayer: "trained",
  batchSize: 64,
  optimizer: "sgd",
  schedule: "cosine",
  warmup: 0.05,
};
/** The preset `quick`, for every task. What was tried, and what it gave: docs/RESULTS.md. */
const quick: TaskDefaults = { firstLayer: "patches" };
/** The longest run in minutes that takes the preset `quick` by itself. */
const QUICK_MINUTES = 15;
const EPOCHS = 50;
/** The width of every architecture where the user sets none. */
export const WIDTH = 0.5;
/** Peak learning rates by optimizer. */
const RATES = { sgd: 0.05, adamw: 0.001 } as const;
/** AdamW's is decoupled from the gradient: as much of it as of SGD's would shrink next to nothing. 0.05 as in ConvNeXt and DeiT. */
const DECAYS = { sgd: 5e-4, adamw: 0.05 } as const;

/**
 * Fills in defaults. Weights to begin with bring their width and stem, and a first layer that is trained further.
 * @throws UsageError for an unknown task or model, a missing file of weights, options that the task does not have, and options without effect
 */
export function resolveConfig(config: PretrainConfig): TrainingConfig {
  const task = taskEntry(config.task);
  const { stems, defaults: model } = modelEntry(config.model);
  const preset = presetOf(config);
  const theirs = { ...task.defaults, ...(preset === "quick" && { ...quick, ...task.quick?.defaults }) };
  const optimizer = config.optimizer ?? theirs.optimizer ?? model?.optimizer ?? ours.optimizer;
  // The architecture's way to train, unless the task has one of its own or the user wants another.
  const suited = theirs.optimizer === undefined && model?.optimizer === optimizer ? model : {};
  const own = { ...ours, ...theirs, ...suited };
  // A learning rate fits one optimizer only, and so does a weight decay.
  const fitting = optimizer === own.optimizer ? own : { learningRate: undefined, weightDecay: undefined };
  const { epochs = EPOCHS, minutes, init } = config;
  const { width = WIDTH, stem } = init === undefined ? config : specOf(init, config);
  return {
    ...config,
    preset,
    taskOptions: resolveTaskOptions(config.task, task, {
      ...(preset === "quick" && task.quick?.options),
      ...config.taskOptions,
    }),
    width,
    stem: stem ?? stems.find((stem) => stem === own.stem) ?? (stems[0] as Stem),
    crop: config.crop !== "auto" ? config.crop : config.minArea !== undefined ? "resized" : own.crop,
    flip: config.flip ?? own.flip,
    minArea: config.minArea ?? own.minArea,
    firstLayer: config.firstLayer ?? (init === undefined ? own.firstLayer : ours.firstLayer),
    batchSize: config.batchSize ?? own.batchSize,
    optimizer,
    learningRate: config.learningRate ?? fitting.learningRate ?? RATES[optimizer],
    schedule: config.schedule ?? own.schedule,
    warmup: config.warmup ?? own.warmup,
    weightDecay: config.weightDecay ?? fitting.weightDecay ?? DECAYS[optimizer],
    epochs: minutes === undefined ? epochs : undefined,
    out: config.out ?? defaultRunFolder(config),
  };
}

/**
 * The same for a run's saved configuration, in which nothing is open but what older versions did not have. Its crops stay as they were: the
 * least area is there, but need not have been asked for.
 */
export const resolveSaved = (saved: PretrainConfig): TrainingConfig => ({ ...resolveConfig(saved), crop: saved.crop });

/** The preset that `auto` means: quick for a run of a few minutes. */
export function presetOf({ preset, minutes }: Pick<PretrainConfig, "preset" | "minutes">): "quick" | "paper" {
  if (preset !== "auto") return preset;
  return minutes !== undefined && minutes <= QUICK_MINUTES ? "quick" : "paper";
}

/** @throws UsageError for options that contradict each other, or of which one has no effect */
export function refuseContradictions(config: PretrainConfig): void {
  const { epochs, minutes, crop, minArea, init, firstLayer, split, holdBack } = config;
  if (holdBack && split === undefined)
    throw new UsageError(
      "--hold-back has no effect without --split: what evaluate tests on is left out anyway. Leave it out.",
    );
  if (init !== undefined && firstLayer === "patches")
    throw new UsageError(
      "--first-layer patches would replace the first layer that --init brings. Leave one of them out.",
    );
  refuseMinutes(config);
  if (epochs !== undefined && minutes !== undefined) throw new UsageError("Give either epochs or minutes, not both.");
  if (crop === "shifted" && minArea !== undefined)
    throw new UsageError(
      "--min-area has no effect with --crop shifted, which only moves images. Leave one of them out.",
    );
}

/** @throws UsageError for minutes together with `deterministic`, also where one of them is from an earlier start */
export function refuseMinutes({ deterministic, minutes }: PretrainConfig): void {
  if (!deterministic || minutes === undefined) return;
  throw new UsageError("A run of so many --minutes takes as many steps as it can. For --deterministic, give --epochs.");
}

function resolveTaskOptions(name: string, { options, onlyWith = {} }: Task, given: object): Record<string, unknown> {
  const what = `option of ${name}`;
  const chosen = parseOptions(options, given, what);
  const untouched = options.safeParse({}).data ?? {};
  for (const [option, conditions] of Object.entries(onlyWith)) {
    if (JSON.stringify(chosen[option]) === JSON.stringify(untouched[option])) continue;
    const unmet = Object.entries(conditions).find(([other, value]) => chosen[other] !== value);
    if (unmet) {
      const [other, value] = unmet;
      throw new UsageError(
        `${option} has no effect with ${other}=${chosen[other]}. Give ${other}=${value}, or leave ${option} out.`,
      );
    }
  }
  return chosen;
}
