/**
 * Training steps on data already in memory: ours against PyTorch's, with the same settings, with each one's defaults, and against
 * PyTorch at its best. Variants that the processor would emulate are left out.
 */
import { median } from "simple-statistics";
import { autocast } from "../src/torch/autograd.ts";
import { chooseCompute } from "../src/torch/compute.ts";
import { type Chooser, withChooser } from "../src/torch/nn/convolution.ts";
import { measuringChooser } from "../src/torch/nn/measure-ways.ts";
import type { Module } from "../src/torch/nn/module.ts";
import { SGD } from "../src/torch/optim/sgd.ts";
import { scope } from "../src/torch/scope.ts";
import type { MemoryFormat, Tensor } from "../src/torch/tensor.ts";
import { type Row, toRow } from "./rows.ts";
import { alternate, type Context, type Measure, type PeerCase, withPeers } from "./runner.ts";

const STEPS = 3;
/** Memory is reused from the fifth step on: by then every size of tensor has been allocated once. */
const WARM_UP = 5;

export interface Variant {
  memoryFormat: MemoryFormat;
  dtype: "f32" | "bf16";
}

/** The variants that both sides have, by the peers' names. */
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
  /** Also compare with PyTorch at its best: compiled where it can be, the newer of two, in the better layout. */
  atItsBest?: boolean;
}

/** One row per variant, one for our default against PyTorch's, and one for each precision against PyTorch at its best. */
export async function compareSteps(context: Context, step: StepCase): Promise<Row[]> {
  const { bench, name, peer, batch, make } = step;
  const { precision } = await chooseCompute({ device: "cpu", precision: "auto", threads: context.threads });
  const names = (Object.keys(variants) as VariantName[]).filter((one) => precision === "bf16" || !isBf16(one));
  const ourDefault = precision === "bf16" ? "bf16-channels-last" : "fp32-channels-last";
  const best = step.atItsBest ? bestCases(context, precision) : {};
  const cases: Record<string, PeerCase> = {
    ...Object.fromEntries(names.map((one) => [one, { args: [one] }])),
    ...best,
  };
  const complete = ({ args: [variant = "", ...more], ...rest }: PeerCase): PeerCase => ({
    ...rest,
    args: [
      ...[...peer.args, "--variant", variant, ...more, "--threads", String(context.threads)],
      ...["--steps", String(STEPS), "--warm-up", String(WARM_UP)],
    ],
  });
  const all = Object.fromEntries(Object.entries(cases).map(([label, one]) => [label, complete(one)]));
  return withPeers(context, peer.script, all, async (peers) => {
    const chooser = measuringChooser({}); // as in pretrain
    const ours = Object.fromEntries(
      names.map((one) => [one, ourSteps(make(variants[one]), variants[one], batch, chooser)]),
    );
    const measures: Record<string, Measure> = {};
    for (const one of names) measures[`ours ${one}`] = ours[one] as Measure;
    for (const [label, { measure }] of Object.entries(peers)) measures[label] = measure;
    const values = await alternate(context.rounds, measures);
    const row = (label: string, mine: VariantName, theirs: string) =>
      toRow(bench, `${name}, ${label}`, "images/s", at(values, `ours ${mine}`), at(values, theirs));
    const fastest = (labels: readonly string[]) =>
      labels.reduce((a, b) => (median([...at(values, b)]) > median([...at(values, a)]) ? b : a));
    const rows = [
      ...names.map((one) => row(one, one, one)),
      row(`our default (${ourDefault}) against PyTorch's (fp32)`, ourDefault, "fp32"),
    ];
    if (!step.atItsBest) return rows;
    const started = Object.keys(peers);
    const floats = fastest(started.filter((label) => !isBf16(label)));
    rows.push(row(`fp32 against PyTorch at its best in fp32 (${floats})`, "fp32-channels-last", floats));
    if (precision === "f32") return rows;
    const any = fastest(started);
    return [...rows, row(`our default (${ourDefault}) against PyTorch at its best (${any})`, ourDefault, any)];
  });
}

const isBf16 = (label: string) => label.includes("bf16");

/** What else PyTorch can do here: both layouts, compiled, and the same in the newer PyTorch. */
function bestCases({ newer }: Context, precision: "f32" | "bf16"): Record<string, PeerCase> {
  const layouts =
    precision === "bf16"
      ? ["fp32", "fp32-channels-last", "bf16", "bf16-channels-last"]
      : ["fp32", "fp32-channels-last"];
  if (!newer) return precision === "bf16" ? { "bf16 contiguous": { args: ["bf16"] } } : {};
  return Object.fromEntries(
    layouts.flatMap((layout): [string, PeerCase][] => [
      [`${layout}, ${newer.torch}`, { python: newer, args: [layout], optional: true }],
      [`${layout}, ${newer.torch} compiled`, { python: newer, args: [layout, "--compile"], optional: true }],
    ]),
  );
}

/** Warms up, and returns the measure of one round of our steps: images/s of the median step. */
function ourSteps({ modules, loss }: Training, { dtype }: Variant, batch: number, chooser: Chooser): Measure {
  const parameters = modules.flatMap((module) => module.parameters());
  const optimizer = new SGD([{ parameters, weightDecay: 5e-4 }], { momentum: 0.9, nesterov: true });
  const computed = () =>
    scope(() => {
      const value = autocast("cpu", dtype, loss);
      value.backward();
      optimizer.step(0.01);
      optimizer.zeroGrad();
      return value.item();
    });
  const step = () => withChooser(chooser, computed);
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

function at(values: Readonly<Record<string, number[]>>, name: string): number[] {
  const found = values[name];
  if (!found) throw new RangeError(`no measurements of ${name}`);
  return found;
}
