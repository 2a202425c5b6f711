/**
 * Checks that a change has no effect on training: trains every task for 20 steps with a fixed seed on one thread in f32, and
 * prints a digest of the encoder's weights. Run it before and after the change: on one machine, the digests must be equal.
 *
 *   npx tsx bench/weights.ts [images] [task ...]
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pretrain, tasks } from "../src/index.ts";

const [images = "emoji", ...only] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "selfsight-weights-"));
try {
  for (const task of only.length ? only : Object.keys(tasks)) {
    const out = join(folder, task);
    const small = { model: "resnet10", width: 0.25, imageSize: 64, batchSize: 16, split: "train" } as const;
    const { last } = await pretrain({
      ...{ images, task, out, ...small },
      ...{ epochs: 320 / 2768, seed: 0, threads: 1, device: "cpu", precision: "f32" },
    });
    const file = readFileSync(join(out, "encoder.safetensors"));
    const weights = file.subarray(8 + Number(file.readBigUInt64LE(0))); // after the header
    const digest = createHash("sha256").update(weights).digest("hex").slice(0, 32);
    console.log(`${task.padEnd(15)} ${digest}  ${last?.step} steps, loss ${last?.loss}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
