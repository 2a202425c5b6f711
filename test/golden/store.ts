/** Reads the golden fixtures: JSON, and safetensors files of f32, f64, integers and bool that fit into memory. */
import { readFileSync } from "node:fs";
import { native } from "../../src/torch/native.ts";
import { type DType, Tensor } from "../../src/torch/tensor.ts";

export interface Stored {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const folder = new URL("../fixtures/golden/", import.meta.url);

export function goldenJson<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8")) as T;
}

/** Does not use src/torch/safetensors.ts: references should not pass through the code under test. */
export function goldenTensors(name: string): Map<string, Stored> {
  const file = readFileSync(new URL(`${name}.safetensors`, folder));
  const start = 8 + Number(file.readBigUInt64LE(0));
  type Entry = { dtype: string; shape: number[]; data_offsets: [number, number] };
  const header = JSON.parse(file.toString("utf8", 8, start)) as Record<string, Entry>;
  const entries = Object.entries(header).filter(([key]) => key !== "__metadata__");
  return new Map(
    entries.map(
      ([
        key,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        const bytes = new Uint8Array(file.subarray(start + from, start + to));
        return [key, { dtype: dtype.toLowerCase() as DType, shape, bytes }];
      },
    ),
  );
}

export function goldenTensor({ bytes, dtype, shape }: Stored): Tensor {
  return new Tensor(native().fromBytes(bytes, dtype, shape));
}

/** The stored tensor with this name. */
export function pick(tensors: ReadonlyMap<string, Stored>, key: string): Stored {
  const stored = tensors.get(key);
  if (!stored) throw new Error(`the fixture has no tensor "${key}"`);
  return stored;
}

/** The largest |got - expected| / (1 + |expected|); infinite if shapes or types differ, or if only one of two values is finite. */
export function difference(got: Tensor, expected: Stored): number {
  if (got.shape.join() !== expected.shape.join() || got.dtype !== expected.dtype) return Number.POSITIVE_INFINITY;
  const right = goldenTensor(expected);
  const numbers = right.toArray();
  right.dispose();
  let worst = 0;
  got.toArray().forEach((value, i) => {
    const wanted = numbers[i] as number;
    const gap = Object.is(value, wanted) ? 0 : Math.abs(value - wanted) / (1 + Math.abs(wanted));
    worst = Math.max(worst, Number.isNaN(gap) ? Number.POSITIVE_INFINITY : gap);
  });
  return worst;
}
