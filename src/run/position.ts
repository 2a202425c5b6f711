/** Saves a run's position, and restores it. */
import { UsageError } from "../errors.ts";
import type { Module } from "../torch/nn/module.ts";
import { fromTypedArray } from "../torch/ops.ts";
import type { Optimizer } from "../torch/optim/optimizer.ts";
import { openSafetensors } from "../torch/safetensors.ts";
import { scope } from "../torch/scope.ts";
import type { DType } from "../torch/tensor.ts";
import { loadState, prefixed, saveState } from "./checkpoint.ts";
import type { Position } from "./events.ts";

type Modules = Readonly<Record<string, Module>>;
const OPTIMIZER = "optimizer.";

/** What a checkpoint holds besides the position. */
export interface Saved {
  modules: Modules;
  optimizer: Optimizer;
  /** Identifies the run's images: their number, and a digest of their content and labels. */
  images: string;
}

/** Saves weights, optimizer state and position in one file, replaced as a whole. */
export function savePosition(file: string, { modules, optimizer, images }: Saved, { step, seconds }: Position): void {
  scope(() => {
    const state = prefixed(modules);
    for (const [name, tensor] of optimizer.state()) state.set(OPTIMIZER + name, tensor);
    saveState(file, state, { step: String(step), seconds: String(seconds), images });
  });
}

/**
 * Restores everything that was saved.
 * @throws SelfsightError for a file that is cut short or from another network; UsageError for a run on other images
 */
export function resumeFrom(file: string, { modules, optimizer, images }: Saved): Position {
  const metadata = loadState(file, prefixed(modules), { ignore: (name) => name.startsWith(OPTIMIZER) });
  const before = metadata["images"];
  if (before !== images) {
    const count = (text = "unknown") => text.split(" ")[0];
    throw new UsageError(
      `The images are not those that the run began with (${count(before)} then, ${count(images)} now, or others among them). ` +
        "Give the same images, or start anew with another --out.",
    );
  }
  const source = openSafetensors(file);
  try {
    scope(() => {
      const saved = [...source.entries].filter(([name]) => name.startsWith(OPTIMIZER));
      optimizer.load(
        new Map(
          saved.map(([name, { shape, dtype }]) => [
            name.slice(OPTIMIZER.length),
            fromTypedArray(source.read(name), shape, dtype.toLowerCase() as DType),
          ]),
        ),
      );
    });
  } finally {
    source.close();
  }
  return { step: Number(metadata["step"]), seconds: Number(metadata["seconds"]) };
}
