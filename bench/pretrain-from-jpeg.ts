/**
 * Rotation pre-training as a user runs it: a folder of 128 px photos, random crops of 64 px, ResNet-18, two epochs.
 * Times the whole process from start to end.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chooseCompute } from "../src/torch/compute.ts";
import { copyPhotos, withFolder } from "./photos.ts";
import type { Python } from "./python.ts";
import { type Row, toRow } from "./rows.ts";
import { alternate, type Context, type Measure, peerEnvironment, peerPath, timeProcess } from "./runner.ts";

const PHOTOS = 1024;
const EPOCHS = 2;
const BATCH = 64;
const SIZE = 64;
/** Numbers of DataLoader workers to try the peer with. */
const WORKERS = [0, 1, 2, 4];

const cli = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

export async function pretrainFromJpeg(context: Context): Promise<Row[]> {
  const { precision } = await chooseCompute({ device: "cpu", precision: "auto", threads: context.threads });
  const fast = ["--channels-last", ...(precision === "bf16" ? ["--amp"] : [])];
  const pythons = [context.python, ...(context.newer ? [context.newer] : [])];
  return withFolder(async (folder) => {
    const photos = await copyPhotos(context, folder, "photos", PHOTOS);
    const peers = [await peerAtItsBest(context, photos, context.python, [])];
    for (const python of pythons) peers.push(await peerAtItsBest(context, photos, python, fast));
    let run = 0;
    const ours = () => pretrain(context, photos, join(folder, `run${run++}`));
    const measures = Object.fromEntries(peers.map(({ label, measure }): [string, Measure] => [label, measure]));
    const values = await alternate<string>(context.rounds, { ours, ...measures });
    return peers.map(({ label }) =>
      toRow("pretrain-from-jpeg", `against ${label}`, "s", values["ours"] as number[], values[label] as number[]),
    );
  });
}

/** One of our runs, with an empty cache, so that nothing is decoded before the clock starts. */
function pretrain(context: Context, photos: string, out: string): Promise<number> {
  const args = [
    ...[cli, "pretrain", photos, "--task", "rotation", "--model", "resnet18", "--width", "1"],
    ...["--image-size", String(SIZE), "--min-area", "0.08"],
    ...["--epochs", String(EPOCHS), "--batch-size", String(BATCH)],
    ...["--threads", String(context.threads), "--out", out],
  ];
  return timeProcess(process.execPath, args, {
    ...process.env,
    SELFSIGHT_CACHE: `${out}-cache`,
    OMP_NUM_THREADS: String(context.threads),
  });
}

/** A peer with the number of workers that trains one epoch fastest. */
async function peerAtItsBest(context: Context, photos: string, python: Python, flags: readonly string[]) {
  const train = (workers: number, epochs: number) => {
    const args = ["--workers", String(workers), "--epochs", String(epochs), "--photos", String(PHOTOS)];
    const sizes = ["--batch", String(BATCH), "--size", String(SIZE), "--threads", String(context.threads)];
    const script = peerPath("pretrain_from_jpeg.py");
    return timeProcess(python.path, [script, photos, ...args, ...sizes, ...flags], peerEnvironment(context.threads));
  };
  const tried: { workers: number; seconds: number }[] = [];
  for (const workers of WORKERS) tried.push({ workers, seconds: await train(workers, 1) });
  const { workers } = tried.reduce((best, one) => (one.seconds < best.seconds ? one : best));
  const settings = flags.map((flag) => flag.replace("--", "")).join(" and ") || "its defaults";
  const label = `PyTorch ${python.torch}, ${settings}, ${workers} workers`;
  context.say(`  ${label} (one epoch: ${describe(tried)})`);
  return { label, measure: () => train(workers, EPOCHS) };
}

const describe = (tried: readonly { workers: number; seconds: number }[]) =>
  tried.map(({ workers, seconds }) => `${workers}: ${seconds.toFixed(1)} s`).join(", ");
