/** Exact nearest neighbours among features that are on disk, block by block: memory does not grow with their number. */
import { pause } from "../interrupt.ts";
import { cat, fromTypedArray, normalize } from "../torch/ops.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import { call, type Device, type Tensor } from "../torch/tensor.ts";
import type { FeatureFile } from "./feature-file.ts";

/** Neighbours of n rows, row by row, the nearest first. */
export interface Nearest {
  /** Neighbours for each row. */
  count: number;
  /** (n · count) Row numbers from 0. */
  ids: Int32Array;
  /** (n · count) Cosine distances, 0 to 2. */
  distances: Float32Array;
}

export interface NearestOptions {
  /** Neighbours for each row; fewer if there are not so many other rows. */
  count: number;
  /** Rows that are compared at once with as many others. */
  block: number;
  device: Device;
  signal?: AbortSignal | undefined;
}

/** Less than any cosine. */
const NEVER = -2;

/**
 * The nearest other rows of the block that begins at row `start`, a multiple of `block`.
 * @throws InterruptedError when the signal aborts
 */
export async function nearestTo(
  file: FeatureFile,
  start: number,
  { count: wanted, block, device, signal }: NearestOptions,
): Promise<Nearest> {
  const count = Math.min(wanted, file.length - 1);
  const unit = (from: number): Tensor => {
    const values = file.read(from, Math.min(block, file.length - from));
    return normalize(fromTypedArray(values, [values.length / file.width, file.width]).to(device));
  };
  const own = scope(() => keep(unit(start))); // (n, D)
  let best: [cosines: Tensor, ids: Tensor] | undefined; // (n, count) each
  try {
    for (let from = 0; from < file.length; from += block) {
      await pause(signal, "neighbours were looked for");
      const before: readonly Tensor[] = best ?? [];
      best = scope(() => {
        const cosines = own.matmul(unit(from).transpose(0, 1)); // (n, m)
        if (from === start) call("aten::fill_diagonal_", cosines, NEVER);
        const [values, places] = cosines.topk(Math.min(count, cosines.size(1)));
        const found: [Tensor, Tensor] = [values, places.add(from)];
        return (best ? merge(best, found, count) : found).map(keep) as [Tensor, Tensor];
      });
      dispose(...before);
    }
    const [cosines, ids] = best as [Tensor, Tensor];
    return scope(() => ({
      count,
      ids: ids.to("i32").data() as Int32Array,
      distances: cosines.neg().add(1).clamp(0).data() as Float32Array,
    }));
  } finally {
    dispose(own, ...(best ?? []));
  }
}

type Found = [cosines: Tensor, ids: Tensor];

/** The `count` nearest of two lists (n, a) and (n, b). */
function merge([cosines, ids]: Found, [moreCosines, moreIds]: Found, count: number): Found {
  const all = cat([cosines, moreCosines], 1);
  const [values, places] = all.topk(Math.min(count, all.size(1)));
  return [values, cat([ids, moreIds], 1).gather(1, places)];
}
