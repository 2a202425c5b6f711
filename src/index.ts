/** The public API: one line per module. */
export { randomResizedCrop, randomShift } from "./augment/geometry.ts";
export { denormalise, MEAN, normalise, pixelTensor, STD } from "./augment/normalise.ts";
export { type Dataset, datasets } from "./data/datasets.ts";
export { decodeImage } from "./data/decode.ts";
export {
  concatenate,
  type ImageCollection,
  type ImageData,
  type ImageSet,
  selectSplits,
  splitByGroup,
  subset,
} from "./data/images.ts";
export type { Box, Objects } from "./data/objects.ts";
export { openImages } from "./data/open.ts";
export { decodeSizeFor, epochOrder, openPixels, type PixelStore } from "./data/pixels.ts";
export { contactSheet, type SheetCell } from "./data/sheet.ts";
export { InterruptedError, SelfsightError, UsageError } from "./errors.ts";
export { type Embedded, type EmbedOptions, embed } from "./evaluate/embed.ts";
export { type Evaluation, evaluate } from "./evaluate/evaluate.ts";
export { encoderFeatures, type LayerFeatures, pixelFeatures } from "./evaluate/features.ts";
export { protocols, registerProtocol } from "./evaluate/index.ts";
export { type CurvePoint, type LabelSavings, labelSavings } from "./evaluate/label-savings.ts";
export { type MapDifference, type MapNumber, mapDifferences, mapNumbers } from "./evaluate/map-numbers.ts";
export type { EvaluateOptions } from "./evaluate/options.ts";
export { classification, defineProtocol, type Protocol } from "./evaluate/protocol.ts";
export type { Difference, ResultRow } from "./evaluate/result.ts";
export { fractionInterval, meanInterval, pairedInterval } from "./evaluate/statistics.ts";
export { type ActivationOptions, attentionMaps } from "./inspect/attention/activation.ts";
export {
  type MapSource,
  type MeasuredMaps,
  type MeasureMapsOptions,
  measureMaps,
} from "./inspect/attention/measure-maps.ts";
export { upsample } from "./inspect/attention/upsample.ts";
export { type PreviewOptions, type PreviewResult, preview } from "./inspect/preview.ts";
export { accuracy, type Metric, mAP } from "./metric.ts";
export {
  type DetailOptions,
  describeModel,
  type ModelDetail,
  type SpeedOptions,
  trainingSpeed,
} from "./models/detail.ts";
export { createEncoder, type EncoderSpec, models, registerModel } from "./models/index.ts";
export { ConvEncoder, type Encoded, Encoder, type Maps, type Stem, type TokenEncoder } from "./models/model.ts";
export { randomAt, shuffle, uniform } from "./random.ts";
export { writeAttention } from "./report/attention.ts";
export { type Report, writeReport } from "./report/html.ts";
export { mapVerdict, massSentence } from "./report/map-sentences.ts";
export { resultTable } from "./report/table.ts";
export { verdict } from "./report/verdict.ts";
export { loadState, saveState } from "./run/checkpoint.ts";
export type { Hooks, RunEvent, StepRecord } from "./run/events.ts";
export { loadEncoder } from "./run/folder.ts";
export { type PretrainOptions, pretrainOptions } from "./run/options.ts";
export { doctor } from "./setup/doctor.ts";
export { setup } from "./setup/setup.ts";
export { type AttentionResult, attention } from "./study/attention/attention.ts";
export type { AttentionOptions } from "./study/attention/options.ts";
export { type BenchmarkResult, benchmark } from "./study/benchmark/benchmark.ts";
export type { BenchmarkOptions } from "./study/benchmark/options.ts";
export type { Study } from "./study/grid/folder.ts";
export type { StudyOptions } from "./study/grid/options.ts";
export { type StudyResult, study } from "./study/grid/study.ts";
export type { StudyRun } from "./study/grid/work.ts";
export { registerTask, tasks } from "./tasks/index.ts";
export { defineTask, type Task, type TaskInstance } from "./tasks/task.ts";
export { autocast, grad, noGrad } from "./torch/autograd.ts";
export { deterministic, devices, synchronize, threads, torchVersion } from "./torch/device.ts";
export { schemas } from "./torch/dispatch.ts";
export * as nn from "./torch/nn/index.ts";
export * from "./torch/ops.ts";
export * as optim from "./torch/optim/index.ts";
export { manualSeed, rngState, setRngState } from "./torch/random.ts";
export { openSafetensors, writeSafetensors } from "./torch/safetensors.ts";
export { dispose, keep, memory, scope } from "./torch/scope.ts";
export { call, type Device, type DType, Tensor } from "./torch/tensor.ts";
export { alone, type World } from "./torch/world.ts";
export { type PretrainResult, pretrain } from "./train/pretrain.ts";
