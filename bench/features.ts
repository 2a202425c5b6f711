/** Features of small images by ResNet-18 with the cifar stem: ours in each precision against PyTorch's defaults, from decoded pixels. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PixelStore } from "../src/data/pixels.ts";
import { encoderFeatures, OUTPUT } from "../src/evaluate/features.ts";
import { createEncoder } from "../src/models/index.ts";
import { chooseCompute } from "../src/torch/compute.ts";
import { dispose } from "../src/torch/scope.ts";
import { withFolder } from "./photos.ts";
import { type Row, toRow } from "./rows.ts";
import { alternate, type Context, type Measure, withPeers } from "./runner.ts";

const SIZE = 32;
const BYTES = SIZE * SIZE * 3;
/** Images a round. */
const COUNT = 1024;

export async function features(context: Context): Promise<Row[]> {
  return withFolder(async (folder) => {
    const pixels = Uint8Array.from({ length: COUNT * BYTES }, (_, i) => (i * 2654435761) >>> 24);
    const file = join(folder, "pixels.u8");
    writeFileSync(file, pixels);
    const store = memoryStore(pixels);
    const encoder = createEncoder({ model: "resnet18", stem: "cifar", width: 1 });
    const { precision } = await chooseCompute({ device: "cpu", precision: "auto", threads: context.threads });
    const ours = (dtype: "f32" | "bf16") => async () => {
      const start = performance.now();
      const layers = await encoderFeatures(encoder, store, { device: "cpu", precision: dtype }, { only: [OUTPUT] });
      dispose(...Object.values(layers));
      return (1000 * COUNT) / (performance.now() - start);
    };
    const args = [file, "--threads", String(context.threads)];
    return withPeers(context, "features.py", { peer: { args } }, async ({ peer }) => {
      const mine: Record<string, Measure> = {
        f32: ours("f32"),
        ...(precision === "bf16" ? { bf16: ours("bf16") } : {}),
      };
      for (const measure of Object.values(mine)) await measure();
      const all: Record<string, Measure> = { ...mine, peer: peer.measure };
      const { peer: theirs = [], ...values } = await alternate(context.rounds, all);
      const label = (name: string) => `resnet18, stem cifar, ${name} against PyTorch's default (fp32)`;
      return Object.entries(values).map(([name, own]) => toRow("features", label(name), "images/s", own, theirs));
    });
  });
}

/** Decoded images in memory. */
function memoryStore(pixels: Uint8Array): PixelStore {
  return {
    length: pixels.length / BYTES,
    size: SIZE,
    source: Int32Array.from({ length: pixels.length / BYTES }, (_, i) => i),
    skipped: [],
    async get(indices) {
      const batch = new Uint8Array(indices.length * BYTES);
      for (let i = 0; i < indices.length; i++) {
        const start = (indices[i] as number) * BYTES;
        batch.set(pixels.subarray(start, start + BYTES), i * BYTES);
      }
      return batch;
    },
    close: async () => {},
  };
}
