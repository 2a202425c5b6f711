/** Everything a run needs to resume, in one safetensors file that is replaced atomically. */
import { some } from "../data/names.ts";
import { SelfsightError } from "../errors.ts";
import { noGrad } from "../torch/autograd.ts";
import type { Module } from "../torch/nn/module.ts";
import { fromTypedArray } from "../torch/ops.ts";
import { openSafetensors, type SafetensorsEntry, writeSafetensors } from "../torch/safetensors.ts";
import { scope } from "../torch/scope.ts";
import type { DType, Tensor } from "../torch/tensor.ts";

const REMEDY = "Use the model, width and stem that it was saved with: config.yaml of its run names them.";

/** Tensors by name. */
export type State = ReadonlyMap<string, Tensor>;

/** The tensors of several modules for one file, each module's under its own `prefix.`. */
export function prefixed(modules: Readonly<Record<string, Module>>): Map<string, Tensor> {
  return new Map(
    Object.entries(modules).flatMap(([prefix, module]) =>
      [...module.state()].map(([name, tensor]): [string, Tensor] => [`${prefix}.${name}`, tensor]),
    ),
  );
}

/** Writes tensors to a safetensors file; the previous file stays until the new one is complete. */
export function saveState(file: string, state: State, metadata: Readonly<Record<string, string>> = {}): void {
  const entries = [...state].map(
    ([name, tensor]): SafetensorsEntry => ({
      name,
      dtype: tensor.dtype.toUpperCase() as SafetensorsEntry["dtype"],
      shape: tensor.shape,
      data: () => tensor.bytes(),
    }),
  );
  writeSafetensors(file, entries, { format: "pt", ...metadata });
}

export interface LoadOptions {
  /** Names in the file that belong to something else and are skipped. */
  ignore?: (name: string) => boolean;
}

/**
 * Copies a file's tensors into the tensors of the same names. Returns the file's metadata.
 * @throws SelfsightError if names or shapes differ: the file is from another network
 */
export function loadState(file: string, state: State, { ignore }: LoadOptions = {}): Record<string, string> {
  const source = openSafetensors(file);
  try {
    const missing = [...state.keys()].filter((name) => !source.entries.has(name));
    const unexpected = [...source.entries.keys()].filter((name) => !state.has(name) && !ignore?.(name));
    if (missing.length || unexpected.length) throw mismatch(file, missing, unexpected);
    for (const [name, tensor] of state) {
      const shape = source.entries.get(name)?.shape ?? tensor.shape;
      if (String(shape) === String(tensor.shape)) continue;
      throw new SelfsightError(
        `${file} is from another network: ${name} is [${shape}] there and [${tensor.shape}] here. ${REMEDY}`,
      );
    }
    scope(() =>
      noGrad(() => {
        for (const [name, tensor] of state) {
          const entry = source.entries.get(name);
          if (!entry) continue;
          tensor.copy_(fromTypedArray(source.read(name), entry.shape, entry.dtype.toLowerCase() as DType));
        }
      }),
    );
    return source.metadata;
  } finally {
    source.close();
  }
}

function mismatch(file: string, missing: string[], unexpected: string[]): SelfsightError {
  const parts = [missing.length && `it lacks ${some(missing)}`, unexpected.length && `it also has ${some(unexpected)}`];
  return new SelfsightError(`${file} is from another network: ${parts.filter(Boolean).join("; ")}. ${REMEDY}`);
}
