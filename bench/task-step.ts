/** A training step of each pretext task, against the same step in PyTorch (bench/peers/tasks.py). */
import { createEncoder } from "../src/models/index.ts";
import { parseOptions } from "../src/options.ts";
import { randomAt } from "../src/random.ts";
import { taskEntry, tasks } from "../src/tasks/index.ts";
import type { Views } from "../src/tasks/task.ts";
import { cat, fromTypedArray, randn, resize } from "../src/torch/ops.ts";
import { alone } from "../src/torch/world.ts";
import type { Row } from "./rows.ts";
import type { Context } from "./runner.ts";
import { compareSteps, type Training, type Variant } from "./steps.ts";

const BATCH = 64;
const SIZE = 64;
const CLASSES = Array.from({ length: 10 }, (_, i) => String(i));

export async function taskStep(context: Context): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of context.tasks ?? Object.keys(tasks)) {
    context.say(`  ${name}`);
    const peer = { script: "task_step.py", args: ["--task", name] };
    const make = (variant: Variant) => training(name, variant);
    rows.push(...(await compareSteps(context, { bench: "task-step", name, peer, batch: BATCH, make })));
  }
  return rows;
}

function training(name: string, { memoryFormat }: Variant): Training {
  const { options, defaults, create } = taskEntry(name);
  const encoder = createEncoder({ model: "resnet10", width: 0.5, stem: defaults?.stem });
  const spots = () => resize(randn([BATCH, 3, 8, 8]), SIZE, SIZE);
  const about = { size: SIZE, count: BATCH, classes: CLASSES, sample: spots() };
  const copy = (): never => {
    throw new Error("no task of the bench asks for another encoder");
  };
  const made = create({ encoder, copy, images: about, world: alone, seed: 0 }, parseOptions(options, {}));
  const { trained, state, step, views = [{ count: 1 }] } = made;
  const all = [encoder, ...Object.values({ ...trained, ...state })];
  for (const module of all) module.to({ memoryFormat });
  const crops = (count: number) => cat(Array.from({ length: count }, spots)).to({ memoryFormat });
  const images = (views === "whole" ? [crops(1)] : views.map(({ count }) => crops(count))) as unknown as Views;
  const indices = Int32Array.from({ length: BATCH }, (_, i) => i);
  const labels = fromTypedArray(BigInt64Array.from(indices, (i) => BigInt(i % CLASSES.length)));
  let count = 0;
  return {
    modules: all,
    loss: () => step(images, { indices, labels, random: randomAt(0, count++), progress: 0 }).loss,
  };
}
