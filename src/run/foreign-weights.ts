/**
 * Weights from elsewhere: safetensors files with the tensor names of torchvision, timm or our runs, also behind prefixes of
 * wrappers (`module.`, `backbone.`), with or without a classifier.
 *
 * Exactly torchvision's names have resnet18 to resnet101 and vgg11 to vgg19 (`vgg11_bn` to `vgg19_bn`); exactly timm's have
 * resnet50v2 and resnet101v2 (`resnetv2_50`, `resnetv2_101`) and the transformers (`vit_tiny_patch16_224` and so on).
 */
import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { onDisk, SelfsightError, UsageError } from "../errors.ts";
import { createEncoder, type EncoderSpec, modelEntry } from "../models/index.ts";
import type { Encoder, Stem } from "../models/model.ts";
import { noGrad } from "../torch/autograd.ts";
import { firstNotFinite } from "../torch/nn/finite.ts";
import { fromTypedArray } from "../torch/ops.ts";
import { openSafetensors, type SafetensorsFile, type SafetensorsPlace } from "../torch/safetensors.ts";
import { scope } from "../torch/scope.ts";
import type { DType, Tensor } from "../torch/tensor.ts";

const PREFIX = /^(?:module|backbone|model|encoder)\./;
const CLASSIFIER = /^(?:fc|classifier|head|pre_logits)\./;
/** Counts batches. Files from before PyTorch 0.4.1 lack it, and nothing here depends on it. */
const COUNTER = /(?:^|\.)num_batches_tracked$/;

/**
 * Copies a file's weights into an encoder. A classifier is left out. Tensors of another shape are adapted if the encoder has
 * a rule for them.
 * @param name of the model, for messages
 * @throws UsageError if tensors are missing, unknown or of another shape or type; SelfsightError for a damaged file, and for
 *   weights that are NaN or infinite
 */
export function loadWeights(file: string, encoder: Encoder, name: string): void {
  const source = openWeights(file);
  try {
    const state = encoder.state();
    const { found, others } = match(file, source.entries.keys(), state);
    const read = (ours: string): Tensor => {
      const theirs = found.get(ours) as string;
      const { dtype, shape } = source.entries.get(theirs) as SafetensorsPlace;
      return fromTypedArray(source.read(theirs), shape, dtype.toLowerCase() as DType);
    };
    const fitted = (ours: string, like: Tensor): Tensor | undefined => {
      const values = read(ours).to(like.dtype);
      return String(values.shape) === String(like.shape) ? values : encoder.adapt?.(ours, values);
    };
    const missing = [...state.keys()].filter((ours) => !found.has(ours) && !COUNTER.test(ours));
    const misfits = [...found].flatMap(([ours, theirs]) => {
      const like = state.get(ours) as Tensor;
      const place = source.entries.get(theirs) as SafetensorsPlace;
      if (isFloat(place.dtype) !== isFloat(like.dtype)) return [`${theirs} is ${place.dtype}`];
      if (String(place.shape) === String(like.shape)) return [];
      const fits = scope(() => noGrad(() => String(fitted(ours, like)?.shape) === String(like.shape)));
      return fits ? [] : [`${theirs} is [${place.shape}], not [${like.shape}]`];
    });
    refuse(file, name, { missing, of: state.size, others, misfits });
    noGrad(() => {
      for (const [ours, like] of state) if (found.has(ours)) scope(() => like.copy_(fitted(ours, like) as Tensor));
    });
  } finally {
    source.close();
  }
  const weight = firstNotFinite(encoder);
  if (weight === undefined) return;
  throw new SelfsightError(`${file} cannot be used: its weight ${weight} holds NaN or infinity. Use other weights.`);
}

/**
 * Width and stem of the network that a file's weights are of, where they are not given: from what our runs
 * write into it and beside it, or from the shapes. Of stems whose kernels are equally large it is the architecture's first.
 * @throws UsageError for an unknown model, or a file that does not exist; SelfsightError for a damaged file
 */
export function specOf(file: string, given: EncoderSpec): { model: string; width: number; stem: Stem } {
  const { model } = given;
  const { stems } = modelEntry(model);
  // A run that goes on has its own copy of the weights: their file may be gone.
  if (given.width !== undefined && given.stem !== undefined) return { model, width: given.width, stem: given.stem };
  const source = openWeights(file);
  source.close();
  const { width, stem } = { ...describedBeside(file, model), ...describedIn(source, model), ...defined(given) };
  if (width !== undefined && stem !== undefined) return { model, width, stem };
  const candidates = (stem === undefined ? stems : [stem]).map((stem) => {
    const encoder = createEncoder({ model, stem, width: 1 });
    try {
      const state = encoder.state();
      const pairs = [...match(file, source.entries.keys(), state).found].map(([ours, theirs]) => ({
        plain: state.get(ours)?.shape ?? [],
        theirs: source.entries.get(theirs)?.shape ?? [],
      }));
      const unlike = pairs.filter(({ plain, theirs }) => String(plain.slice(2)) !== String(theirs.slice(2))).length;
      return { stem, unlike, width: widthOf(pairs) };
    } finally {
      encoder.dispose();
    }
  });
  const nearest = candidates.reduce((best, one) => (one.unlike < best.unlike ? one : best));
  return { model, width: width ?? nearest.width, stem: nearest.stem };
}

interface Pair {
  /** Shape at width 1. */
  plain: readonly number[];
  /** Shape in the file. */
  theirs: readonly number[];
}

/** The width with the fewest digits at which every vector of channels, rounded, is as long as in the file; 1 if there is none. */
function widthOf(pairs: readonly Pair[]): number {
  const vectors = pairs.filter(({ plain, theirs }) => plain.length === 1 && theirs.length === 1);
  const bounds = vectors.map(({ plain: [plain = 1], theirs: [theirs = 1] }) => ({
    low: (theirs - 0.5) / plain,
    high: (theirs + 0.5) / plain,
  }));
  const low = Math.max(0, ...bounds.map((one) => one.low));
  const high = Math.min(64, ...bounds.map((one) => one.high));
  const short = [0, 1, 2, 3, 4, 5, 6].map((digits) => Number(((low + high) / 2).toFixed(digits)));
  return vectors.length ? (short.find((width) => width > low && width < high) ?? 1) : 1;
}

/** The folder of the run that a file of weights is from, if it is from one: an encoder kept on the way lies in its `checkpoints`. */
export function runOf(file: string): string {
  const folder = dirname(resolve(file));
  const isRun = existsSync(join(folder, "config.yaml"));
  return !isRun && basename(folder) === "checkpoints" ? dirname(folder) : folder;
}

/** What a run has written into the file's header. */
function describedIn({ metadata }: SafetensorsFile, name: string): { width?: number; stem?: Stem } {
  const { model, width, stem } = metadata;
  if (model !== name) return {};
  const ours = modelEntry(name).stems.find((one) => one === stem);
  return { ...(Number(width) > 0 && { width: Number(width) }), ...(ours && { stem: ours }) };
}

/** What a run says of this model: its configuration, as long as no encoder is saved. Anything else beside the file is passed over. */
function describedBeside(file: string, model: string): { width?: number; stem?: Stem } {
  const [json, yaml] = ["config.json", "config.yaml"].map((name) => join(runOf(file), name)) as [string, string];
  try {
    if (existsSync(json)) {
      const { architecture, selfsight } = JSON.parse(readFileSync(json, "utf8"));
      return (selfsight?.model ?? architecture) === model
        ? defined({ width: selfsight?.width, stem: selfsight?.stem })
        : {};
    }
    const { task, preset, width, stem, ...config } = existsSync(yaml) ? parse(readFileSync(yaml, "utf8")) : {};
    const isOurs = config.model === model && task !== undefined && preset !== undefined;
    return isOurs ? defined({ width, stem }) : {};
  } catch {
    return {};
  }
}

const defined = <Values extends object>(values: Values): Values =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Values;

/** The file's names by the network's. A classifier is in neither part. */
function match(file: string, names: Iterable<string>, state: ReadonlyMap<string, Tensor>) {
  const found = new Map<string, string>();
  const others: string[] = [];
  for (const theirs of names) {
    let ours = theirs;
    while (!state.has(ours) && PREFIX.test(ours)) ours = ours.replace(PREFIX, "");
    const before = found.get(ours);
    if (before !== undefined)
      throw new UsageError(`${file} has ${ours} twice, as ${before} and ${theirs}. Save one network in it only.`);
    if (state.has(ours)) found.set(ours, theirs);
    else if (!CLASSIFIER.test(ours)) others.push(theirs);
  }
  return { found, others };
}

const isFloat = (dtype: string) => /^b?f\d/i.test(dtype);

interface Misfit {
  missing: readonly string[];
  /** Tensors that the network has. */
  of: number;
  others: readonly string[];
  misfits: readonly string[];
}

/** @throws UsageError that names the first tensors of each kind, and counts the others */
function refuse(file: string, name: string, { missing, of, others, misfits }: Misfit): void {
  const some = (list: readonly string[], joint: string) =>
    `${list.slice(0, 3).join(joint)}${list.length > 3 ? `${joint}and ${list.length - 3} more` : ""}`;
  const reasons = [
    missing.length && `it lacks ${missing.length} of ${of} tensors (${some(missing, ", ")})`,
    others.length && `${others.length} of its tensors are unknown there (${some(others, ", ")})`,
    misfits.length && `${misfits.length} have another shape or type (${some(misfits, "; ")})`,
  ].filter(Boolean);
  if (!reasons.length) return;
  throw new UsageError(
    `${file} does not fit ${name}: ${reasons.join("; ")}. Name the model, width and stem that it was made with.`,
  );
}

/** @throws UsageError for a file that does not exist or is PyTorch's own format; SelfsightError for a damaged one */
function openWeights(file: string): SafetensorsFile {
  if (existsSync(file) && isZip(file)) {
    throw new UsageError(
      `${file} is PyTorch's own format, which is not read here. Convert it in Python: ` +
        'safetensors.torch.save_file(torch.load(…), "weights.safetensors").',
    );
  }
  return openSafetensors(file);
}

/** Whether a file is a zip archive, as torch.save writes. @throws SelfsightError for a file that cannot be opened */
function isZip(file: string): boolean {
  const start = Buffer.alloc(4);
  const descriptor = onDisk(`${file} cannot be read`, () => openSync(file, "r"));
  try {
    return readSync(descriptor, start) === 4 && start.toString("latin1") === "PK\x03\x04";
  } catch {
    return false; // a folder: opening it says so
  } finally {
    closeSync(descriptor);
  }
}
