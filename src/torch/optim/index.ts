/** Optimizers and schedules: `optim` of the public API. */
export { AdamW } from "./adamw.ts";
export {
  type BatchCurvature,
  type BatchObjective,
  type BatchOptions,
  type BatchValue,
  minimiseBatch,
} from "./batch-lbfgs.ts";
export { decayGroups } from "./groups.ts";
export { Optimizer, type ParameterGroup } from "./optimizer.ts";
export * as schedule from "./schedule.ts";
export { SGD } from "./sgd.ts";
