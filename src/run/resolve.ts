/** What a run is trained with: what the user gave, then what the task, the architecture and Selfsight bring. One place for all defaults. */
import { UsageError } from "../errors.ts";
import { modelEntry } from "../models/index.ts";
import type { Stem } from "../models/model.ts";
import { parseOptions } from "../options.ts";
import { taskEntry } from "../tasks/index.ts";
import type { Task, TaskDefaults } from "../tasks/task.ts";
import { defaultRunFolder } from "./folder.ts";
import type { PretrainConfig, TrainingConfig } from "./options.ts";

/** What holds where neither the user nor the task says. The stem is the architecture's own. */
const ours: Required<Omit<TaskDefaults, "stem" | "learningRate">> = {
  flip: true,
  minArea: 0.08,
  batchSize: 64,
  optimizer: "sgd",
  schedule: "cosine",
  warmup: 0.05,
  weightDecay: 5e-4,
};
const EPOCHS = 50;
/** Peaks by optimizer. */
const RATES = { sgd: 0.05, adamw: 0.001 } as const;

/**
 * Fills in what was left open.
 * @throws UsageError for an unknown task or model, options that the task does not have, and options without effect
 */
export function resolveConfig(config: PretrainConfig): TrainingConfig {
  const task = taskEntry(config.task);
  const { stems } = modelEntry(config.model);
  const own = { ...ours, ...task.defaults };
  const optimizer = config.optimizer ?? own.optimizer;
  const taskRate = optimizer === own.optimizer ? own.learningRate : undefined; // a rate is an optimizer's
  const { epochs = EPOCHS, minutes } = config;
  return {
    ...config,
    taskOptions: resolveTaskOptions(config.task, task, config.taskOptions),
    stem: config.stem ?? stems.find((stem) => stem === own.stem) ?? (stems[0] as Stem),
    flip: config.flip ?? own.flip,
    minArea: config.minArea ?? own.minArea,
    batchSize: config.batchSize ?? own.batchSize,
    optimizer,
    learningRate: config.learningRate ?? taskRate ?? RATES[optimizer],
    schedule: config.schedule ?? own.schedule,
    warmup: config.warmup ?? own.warmup,
    weightDecay: config.weightDecay ?? own.weightDecay,
    epochs: minutes === undefined ? epochs : undefined,
    out: config.out ?? defaultRunFolder(config),
  };
}

/** @throws UsageError for options given together that contradict each other, or of which one has no effect */
export function refuseContradictions({ epochs, minutes, crop, minArea }: PretrainConfig): void {
  if (epochs !== undefined && minutes !== undefined) throw new UsageError("Give either epochs or minutes, not both.");
  if (crop === "shifted" && minArea !== undefined)
    throw new UsageError("minArea has no effect with crop shifted, which only moves images. Leave one of them out.");
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
        `${what} ${option}: has no effect with ${other}=${chosen[other]}. Give ${other}=${value}, or leave ${option} out.`,
      );
    }
  }
  return chosen;
}
