/**
 * Memory of a training run: `npx tsx bench/memory.ts IMAGES [pretrain's options as JSON] [EARLY LATE]`. Trains 1,000 steps of rotation
 * and prints one line of JSON: the distinct numbers of live tensors after steps, and resident bytes after steps 100 and 1,000, or after
 * steps EARLY and LATE.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PretrainOptions } from "../src/run/options.ts";
import { memory } from "../src/torch/scope.ts";
import { pretrain } from "../src/train/pretrain.ts";

const [images, options = "{}", first = "100", last = "1000"] = process.argv.slice(2);
const [EARLY, LATE] = [Number(first), Number(last)];
if (!images) throw new Error("Expected a folder of images, or a data set's name.");
const folder = mkdtempSync(join(tmpdir(), "selfsight-memory-"));
const stop = new AbortController();
const live = new Set<number>();
const resident: Record<number, number> = {};
let steps = 0;
const given = JSON.parse(options) as Partial<PretrainOptions>;
try {
  // More epochs than needed: the run is stopped after the last step that counts.
  const run = pretrain(
    { images, epochs: 10 * LATE, saveMinutes: 1000, ...given, out: join(folder, "run") },
    {
      signal: stop.signal,
      onEvent(event) {
        if (event.type !== "step") return;
        const { step } = event.record;
        steps = step;
        live.add(memory().tensors);
        if (step === EARLY || step === LATE) resident[step] = process.memoryUsage.rss();
        if (step === LATE) stop.abort();
      },
    },
  );
  await run.catch((error) => {
    if (steps < LATE) throw error;
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const [early = 0, late = 0] = [resident[EARLY], resident[LATE]];
process.stdout.write(`${JSON.stringify({ steps, liveTensors: [...live], early, late, growth: late / early - 1 })}\n`);
