/** Training steps on data already in memory: ours against the peer's, both with the same settings and with each one's defaults. */
import { median } from "simple-statistics";
import { autocast } from "../src/torch/autograd.ts";
import { chooseCompute } from "../src/torch/compute.ts";
import type { Module } from "../src/torch/nn/module.ts";
import { SGD } from "../src/torch/optim/sgd.ts";
import { scope } from "../src/torch/scope.ts";
import type { MemoryFormat, Tensor } from "../src/torch/tensor.ts";
import { type Row, toRow } from "./rows.ts";
import { alternate, type Context, type Measure, withPeers } from "./runner.ts";

const STEPS = 3;
/** Memory is reused from the fifth step on: by then every size of tensor has been allocated once. */
const WARM_UP = 5;

export interface Variant {
  memoryFormat: MemoryFormat;
  dtype: "f32" | "bf16";
}

/** The variants, by the peer's names. */
const variants = {
  fp32: { memoryFormat: "contiguous_format", dtype: "f32" },
  "fp32-channels-last": { memoryFormat: "channels_last", dtype: "f32" },
  "bf16-channels-last": { memoryFormat: "channels_last", dtype: "bf16" },
} as const satisfies Record<string, Variant>;
type VariantName = keyof typeof variants;

/** What is trained: modules in a variant's memory format, and the loss of a step. */
export interface Training {
  modules: readonly Module[];
  loss(): Tensor;
}

export interface StepCase {
  bench: string;
  name: string;
  /** A script of bench/peers/, and the arguments that select this case. */
  peer: { script: string; args: readonly string[] };
  /** Images per step. */
  batch: number;
  make(variant: Variant): Training;
}

/** One row per variant, and one for our default against PyTorch's. */
export async function compareSteps(context: Context, { bench, name, peer, batch, make }: StepCase): Promise<Row[]> {
  const names = Object.keys(variants) as VariantName[];
  const { precision } = await chooseCompute({ device: "cpu", precision: "auto", threads: context.threads });
  const ourDefault = precision === "bf16" ? "bf16-channels-last" : "fp32-channels-last";
  const args = (variant: VariantName) => [
    ...[...peer.args, "--variant", variant, "--threads", String(context.threads)],
    ...["--steps", String(STEPS), "--warm-up", String(WARM_UP)],
  ];
  return withPeers(context, peer.script, mapOver(names, args), async (peers) => {
    const ours = mapOver(names, (variant) => ourSteps(make(variants[variant]), variants[variant], batch));
    const measures: Record<string, Measure> = {};
    for (const variant of names) {
      measures[`ours ${variant}`] = ours[variant];
      measures[`peer ${variant}`] = peers[variant].measure;
    }
    const values = await alternate(context.rounds, measures);
    const row = (label: string, mine: VariantName, theirs: VariantName) =>
      toRow(bench, `${name}, ${label}`, "images/s", at(values, `ours ${mine}`), at(values, `peer ${theirs}`));
    return [
      ...names.map((variant) => row(variant, variant, variant)),
      row(`our default (${ourDefault}) against PyTorch's (fp32)`, ourDefault, "fp32"),
    ];
  });
}

/** Warms up, and returns the measure of one round of our steps: images/s of the median step. */
function ourSteps({ modules, loss }: Training, { dtype }: Variant, batch: number): Measure {
  const parameters = modules.flatMap((module) => module.parameters());
  const optimizer = new SGD([{ parameters, weightDecay: 5e-4 }], { momentum: 0.9, nesterov: true });
  const step = () =>
    scope(() => {
      const value = autocast("cpu", dtype, loss);
      value.backward();
      optimizer.step(0.01);
      optimizer.zeroGrad();
      return value.item();
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
