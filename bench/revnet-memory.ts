/**
 * Memory of training by depth: `npx tsx bench/revnet-memory.ts MODEL,MODEL,... [options as JSON]`. `revnet50:stored` is that network
 * on libtorch's own graph, which keeps every activation. Each is trained for a few steps in its own process. The memory of its
 * activations is the peak resident size, minus the size with parameters, gradients and momenta but almost no activations.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { median } from "simple-statistics";
import { createEncoder } from "../src/models/index.ts";
import type { Stem } from "../src/models/model.ts";
import { peakMemory } from "../src/setup/memory.ts";
import { autocast } from "../src/torch/autograd.ts";
import { threads } from "../src/torch/device.ts";
import { Linear } from "../src/torch/nn/layers.ts";
import { crossEntropy, randint, randn } from "../src/torch/ops.ts";
import { SGD } from "../src/torch/optim/sgd.ts";
import { scope } from "../src/torch/scope.ts";
import { storeActivations } from "../src/torch/segment.ts";

const defaults = {
  width: 0.5,
  stem: "cifar" as Stem,
  size: 64,
  batch: 64,
  precision: "f32" as "f32" | "bf16",
  steps: 4,
  threads: 2,
};

interface Figures {
  parameters: number;
  /** Bytes of the process with the network in it, and of the activations on top. */
  bare: number;
  activations: number;
  /** Seconds of the median step. */
  step: number;
}

function measure(
  name: string,
  { width, stem, size, batch, precision, steps, threads: count }: typeof defaults,
): Figures {
  threads(count);
  const [model = "", graph] = name.split(":");
  const encoder = createEncoder({ model, width, stem }).to({ memoryFormat: "channels_last" });
  const head = new Linear(encoder.outDim, 4);
  const parameters = [...encoder.parameters(), ...head.parameters()];
  const optimizer = new SGD([{ parameters, weightDecay: 5e-4 }], { momentum: 0.9, nesterov: true });
  const train = (images: number, side: number) =>
    scope(() => {
      const started = performance.now();
      const pixels = randn([images, 3, side, side]).contiguous("channels_last");
      const forward = () => autocast("cpu", precision, () => head.forward(encoder.forward(pixels)));
      const logits = graph === "stored" ? storeActivations(forward) : forward();
      crossEntropy(logits, randint(4, [images])).backward();
      optimizer.step(0.01); // gradients are zeroed but stay allocated: they belong to the bare network
      for (const parameter of parameters) parameter.grad?.zero_();
      return (performance.now() - started) / 1000;
    });
  train(2, encoder.minImageSize);
  const bare = process.memoryUsage.rss();
  const seconds = Array.from({ length: steps }, () => train(batch, size)).slice(1);
  return {
    parameters: parameters.reduce((sum, { numel }) => sum + numel, 0),
    bare,
    activations: peakMemory() - bare,
    step: median(seconds),
  };
}

const [names, given = "{}", child] = process.argv.slice(2);
if (!names) throw new Error("Expected models: revnet26,revnet50,revnet50:stored");
const options = { ...defaults, ...(JSON.parse(given) as Partial<typeof defaults>) };
if (child) process.stdout.write(JSON.stringify(measure(names, options)));
else {
  const drawn = new Table({
    head: ["network", "parameters", "bare, MB", "activations, MB", "step, s"],
    colAligns: ["left", "right", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  for (const name of names.split(",")) {
    const script = fileURLToPath(import.meta.url);
    const run = ["--import", "tsx", script, name, given, "child"];
    const figures = JSON.parse(execFileSync(process.execPath, run, { encoding: "utf8" })) as Figures;
    const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
    const { parameters, bare, activations, step } = figures;
    drawn.push([name, `${(parameters / 1e6).toFixed(2)} M`, megabytes(bare), megabytes(activations), step.toFixed(2)]);
  }
  process.stdout.write(`${drawn.toString()}\n`);
}
