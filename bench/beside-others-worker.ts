/** `beside-others-worker.ts pretrain|fit PHOTOS [THREADS]`: prints steps per second of pre-training, or seconds per fit. */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "simple-statistics";
import { InterruptedError } from "../src/errors.ts";
import { disposeModel, fitLogistic } from "../src/evaluate/logistic.ts";
import { threads } from "../src/torch/device.ts";
import { randn } from "../src/torch/ops.ts";
import { manualSeed } from "../src/torch/random.ts";
import { pretrain } from "../src/train/pretrain.ts";

const SECONDS = 10;
/** Seconds of warm-up: by then every size of tensor has been made once, and the threads have adapted to the load. */
const WARM_UP = 3;
const [ROWS, WIDTH, CLASSES] = [1000, 1024, 10];

async function stepsPerSecond(images: string, count?: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "selfsight-beside-"));
  const stop = new AbortController();
  let [startedAt, countedFrom, counted, steps] = [0, 0, 0, 0];
  const seconds = () => (performance.now() - startedAt) / 1000;
  try {
    await pretrain(
      { images, minutes: 10, saveMinutes: 1000, threads: count, out: join(folder, "run") },
      {
        signal: stop.signal,
        onEvent(event) {
          if (event.type !== "step") return;
          if (startedAt === 0) startedAt = performance.now();
          if (seconds() < WARM_UP) return;
          if (counted === 0) [countedFrom, steps] = [seconds(), 0];
          else steps++;
          counted = seconds() - countedFrom;
          if (counted > SECONDS) stop.abort();
        },
      },
    );
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return steps / counted;
}

/** Median time of fitting a linear probe to random features. Every fit uses all its iterations. */
async function secondsOfFit(count: number): Promise<number> {
  threads(count);
  manualSeed(0);
  const part = {
    features: randn([ROWS, WIDTH]),
    rows: Array.from({ length: ROWS }, (_, row) => row),
    labels: Int32Array.from({ length: ROWS }, (_, i) => i % CLASSES),
  };
  const measure = async () => {
    const start = performance.now();
    const models = await fitLogistic([{ part, penalty: 1e-4 }], { classes: CLASSES, maxIterations: 50 });
    const seconds = (performance.now() - start) / 1000;
    for (const model of models) disposeModel(model);
    return seconds;
  };
  await measure();
  const taken: number[] = [];
  for (const start = performance.now(); performance.now() - start < SECONDS * 1000; ) taken.push(await measure());
  return median(taken);
}

const [work, photos = "", count = "auto"] = process.argv.slice(2);
const threadCount = count === "auto" ? undefined : Number(count);
process.stdout.write(
  `${work === "fit" ? await secondsOfFit(threadCount ?? availableParallelism()) : await stepsPerSecond(photos, threadCount)}\n`,
);
