/** What a study will take: `--dry-run`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withCleanup } from "../../cleanup.ts";
import { InterruptedError } from "../../errors.ts";
import { type Encoder, parameterCount } from "../../models/model.ts";
import type { Hooks } from "../../run/events.ts";
import type { TrainingConfig } from "../../run/options.ts";
import { peakMemory } from "../../setup/memory.ts";
import { autocast, noGrad } from "../../torch/autograd.ts";
import { type Compute, chooseCompute } from "../../torch/compute.ts";
import { synchronize } from "../../torch/device.ts";
import { randn } from "../../torch/ops.ts";
import { scope } from "../../torch/scope.ts";
import { stepsPerEpoch } from "../../train/batches.ts";
import { fastestConvolutions } from "../../train/convolutions.ts";
import { train } from "../../train/loop.ts";
import { firstEncoder, prepareTraining } from "../../train/prepare.ts";
import type { Cell } from "./cell.ts";
import type { StudyImages } from "./images.ts";
import type { StudyConfig } from "./options.ts";
import { kindOf, resolvedTraining } from "./possible.ts";

export interface PlannedCell extends Cell {
  /** Seconds: of training, as given or from some steps measured here; of measuring, from the speed of the network. */
  training: number;
  measuring: number;
  /** Learned parameters of the encoder. */
  parameters: number;
}

export interface Plan {
  cells: PlannedCell[];
  /** Bytes that this process took at most, if steps were measured: nearly what a training takes. */
  peak?: number | undefined;
  /** Protocols whose time is not known beforehand: no part of `measuring`. */
  unknown: string[];
}

/** Training steps to measure; the first ones are slower. */
const [STEPS, SLOW] = [20, 5];
/** Seconds that a protocol takes, relative to the linear probe. Of others it is not known. */
const JUDGED: Readonly<Record<string, number>> = { linear: 1, knn: 0 };
/** Seconds that a linear probe takes for each layer, with 25 labels of 10 classes and 5 draws; measured on one core. */
const PROBE = 1.6;
/** Seconds to read and decode a photo of 128 × 171 pixels, measured on one core. */
const DECODE = 0.001;

/** Estimates every cell; of those that are set up alike, one is measured. @throws InterruptedError if the signal aborts */
export async function planStudy(
  config: StudyConfig,
  cells: readonly Cell[],
  images: StudyImages,
  { onEvent, signal }: Hooks,
): Promise<Plan> {
  const speeds = new Map<string, Speed>();
  const planned: PlannedCell[] = [];
  for (const cell of cells) {
    if (signal?.aborted) throw new InterruptedError("Interrupted before anything was trained.");
    const resolved = resolvedTraining(config, cell);
    const kind = kindOf(cell);
    if (!speeds.has(kind)) onEvent?.({ type: "working", what: `trying ${cell.name}` });
    const speed = speeds.get(kind) ?? (await speedOf(resolved, images));
    speeds.set(kind, speed);
    planned.push({ ...cell, ...(await timesOf(config, cell, resolved, images, speed)), parameters: speed.parameters });
  }
  const measured = config.minutes === undefined;
  const unknown = config.protocol.filter((name) => JUDGED[name] === undefined);
  return { cells: planned, unknown, ...(measured && { peak: peakMemory() }) };
}

interface Speed {
  /** Seconds of a training step; NaN if minutes are given. */
  step: number;
  /** Seconds for the features of one image. */
  features: number;
  layers: number;
  parameters: number;
}

async function timesOf(
  { labelsPerClass, draws, protocol }: StudyConfig,
  { factors }: Cell,
  { minutes, epochs = 0, batchSize }: TrainingConfig,
  images: StudyImages,
  { step, features, layers }: Speed,
): Promise<{ training: number; measuring: number }> {
  const count = factors.trainImages === "all" ? await images.learnable(factors.task) : factors.trainImages;
  const steps = Math.max(1, Math.round(epochs * stepsPerEpoch(count, batchSize)));
  const drawn = labelsPerClass.map((labels) => {
    if (labels === "all") return images.labelled;
    return (
      draws *
      (typeof labels === "number" ? labels * images.classes : (Number.parseFloat(labels) / 100) * images.labelled)
    );
  });
  const probes = protocol.reduce((sum, name) => sum + (JUDGED[name] ?? 0), 0);
  const embedded = Math.min(images.labelled, Math.max(...drawn)) + images.tested;
  return {
    training: minutes === undefined ? steps * step : minutes * 60,
    measuring:
      2 * (embedded * features + layers * labelsPerClass.length * probes * PROBE) +
      (images.labelled + images.tested) * DECODE,
  };
}

/** Trains for some steps on a sample of the images, if it is not given how long, and computes its features. */
async function speedOf(resolved: TrainingConfig, images: StudyImages): Promise<Speed> {
  return withCleanup(async (cleanup) => {
    const config: TrainingConfig = { ...resolved, epochs: Number.MAX_SAFE_INTEGER, minutes: undefined };
    const compute = await chooseCompute(config);
    const encoder = firstEncoder(config);
    cleanup.push(() => encoder.dispose());
    const sample = await images.sample(config);
    const { run } = await prepareTraining({ config, compute, encoder, images: sample }, cleanup);
    const times: number[] = [];
    if (resolved.minutes === undefined) {
      const folder = mkdtempSync(join(tmpdir(), "selfsight-"));
      cleanup.push(() => rmSync(folder, { recursive: true, force: true }));
      let before = 0;
      for await (const { step, seconds } of train({
        ...run,
        chooser: fastestConvolutions(join(folder, "ways.json")),
      })) {
        if (step > SLOW) times.push(seconds - before);
        before = seconds;
        if (step >= STEPS) break;
      }
    }
    return {
      step: times.sort((a, b) => a - b)[times.length >> 1] ?? Number.NaN,
      features: secondsOfFeatures(encoder, config.imageSize, compute),
      layers: Object.keys(encoder.featureDims).length + 1, // and the output
      parameters: parameterCount(encoder),
    };
  });
}

/** Seconds of the forward pass for one image, after a first one to warm up. */
function secondsOfFeatures(encoder: Encoder, size: number, { device, precision }: Compute): number {
  const count = 32;
  let seconds = 0;
  encoder.eval();
  for (let i = 0; i < 2; i++) {
    const started = performance.now();
    scope(() =>
      noGrad(() => {
        const images = randn([count, 3, size, size], { device }).contiguous("channels_last");
        autocast(device, precision, () => encoder.encode(images));
      }),
    );
    synchronize(device);
    seconds = (performance.now() - started) / 1000;
  }
  return seconds / count;
}
