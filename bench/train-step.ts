/** A training step on data that already lies in memory: same network, same batch, same optimizer as the peer. */
import { median } from "simple-statistics";
import { createEncoder } from "../src/models/index.ts";
import { autocast } from "../src/torch/autograd.ts";
import { Linear } from "../src/torch/nn/layers.ts";
import { crossEntropy, randint, randn } from "../src/torch/ops.ts";
import { SGD } from "../src/torch/optim/sgd.ts";
import { scope } from "../src/torch/scope.ts";
import type { MemoryFormat } from "../src/torch/tensor.ts";
import { chooseCompute } from "../src/train/precision.ts";
import { type Row, toRow } from "./rows.ts";
import { alternate, type Context, type Measure, withPeers } from "./runner.ts";

const STEPS = 3;
/** Memory is reused from the fifth step on: by then every size of tensor has been made once. */
const WARM_UP = 5;

const networks = {
  nin4: { size: 32, batch: 128 },
  resnet18: { size: 64, batch: 64 },
};

interface Variant {
  memoryFormat: MemoryFormat;
  dtype: "f32" | "bf16";
}

/** The peer's names of the variants, and what they are. */
const variants = {
  fp32: { memoryFormat: "contiguous_format", dtype: "f32" },
  "fp32-channels-last": { memoryFormat: "channels_last", dtype: "f32" },
  "bf16-channels-last": { memoryFormat: "channels_last", dtype: "bf16" },
} as const satisfies Record<string, Variant>;
type VariantName = keyof typeof variants;

export async function trainStep(context: Context): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of Object.keys(networks) as (keyof typeof networks)[]) rows.push(...(await compare(context, name)));
  return rows;
}

async function compare(context: Context, network: keyof typeof networks): Promise<Row[]> {
  const names = Object.keys(variants) as VariantName[];
  const { precision } = await chooseCompute({ device: "cpu", precision: "auto", threads: context.threads });
  const ourDefault = precision === "bf16" ? "bf16-channels-last" : "fp32-channels-last";
  const args = (variant: VariantName) => [
    ...["--network", network, "--variant", variant, "--threads", String(context.threads)],
    ...["--steps", String(STEPS), "--warm-up", String(WARM_UP)],
  ];
  return withPeers(context, "train_step.py", mapOver(names, args), async (peers) => {
    const ours = mapOver(names, (variant) => ourSteps(network, variants[variant]));
    const measures: Record<string, Measure> = {};
    for (const name of names) {
      measures[`ours ${name}`] = ours[name];
      measures[`peer ${name}`] = peers[name].measure;
    }
    const values = await alternate(context.rounds, measures);
    const row = (label: string, mine: VariantName, theirs: VariantName) =>
      toRow("train-step", `${network}, ${label}`, "images/s", at(values, `ours ${mine}`), at(values, `peer ${theirs}`));
    return [
      ...names.map((name) => row(name, name, name)),
      row(`our default (${ourDefault}) against PyTorch's (fp32)`, ourDefault, "fp32"),
    ];
  });
}

/** A round of a network of ours, warmed up: images/s of the median step. */
function ourSteps(network: keyof typeof networks, { memoryFormat, dtype }: Variant): Measure {
  const { size, batch } = networks[network];
  const encoder = createEncoder({ model: network }).to({ memoryFormat });
  const head = new Linear(encoder.outDim, 4);
  const [images, labels] = [randn([batch, 3, size, size]).to({ memoryFormat }), randint(4, [batch])];
  const parameters = [...encoder.parameters(), ...head.parameters()];
  const optimizer = new SGD([{ parameters, weightDecay: 5e-4 }], { momentum: 0.9, nesterov: true });
  const step = () =>
    scope(() => {
      const logits = autocast("cpu", dtype, () => head.forward(encoder.forward(images)));
      const loss = crossEntropy(logits.to("f32"), labels);
      loss.backward();
      optimizer.step(0.01);
      optimizer.zeroGrad();
      return loss.item();
    });
  for (let i = 0; i < WARM_UP; i++) step();
  return () => {
    const seconds = Array.from({ length: STEPS }, () => {
      const start = performance.now();
      step();
      return (performance.now() - start) / 1000;
    });
    return batch / median(seconds);
  };
}

/** { name: make(name) } for each name. */
function mapOver<Name extends string, T>(names: readonly Name[], make: (name: Name) => T): Record<Name, T> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, T>;
}

function at(values: Readonly<Record<string, number[]>>, name: string): number[] {
  const found = values[name];
  if (!found) throw new RangeError(`no measurements of ${name}`);
  return found;
}
