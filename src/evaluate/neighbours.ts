/** Which images look alike to an encoder: a sheet of images that needs no labels. */
import { withCleanup } from "../cleanup.ts";
import { evenly, type ImageSet, spreadOver } from "../data/images.ts";
import { openPixels } from "../data/pixels.ts";
import { contactSheet, type SheetCell } from "../data/sheet.ts";
import { UsageError } from "../errors.ts";
import { loadEncoder } from "../run/folder.ts";
import { type Compute, chooseCompute } from "../torch/compute.ts";
import { normalize } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { encoderFeatures, OUTPUT } from "./features.ts";

export interface NeighbourOptions {
  /** Images to show, each in its own row with those nearest to it. */
  rows?: number;
  /** Neighbours per image. */
  count?: number;
  /** Where to compute; default: the first GPU, or all cores of the processor. */
  compute?: Compute | undefined;
  signal?: AbortSignal | undefined;
}

/** Number of images to search, spread over the set. */
const SEARCHED = 5000;

/**
 * A PNG: each row has an image, then the images whose features are nearest to its own by cosine similarity, at the layer
 * `output`. Copies of the same file are not shown.
 * @throws UsageError for fewer than two different images
 */
export async function neighbourSheet(
  run: string,
  set: ImageSet,
  { rows = 8, count = 6, compute: given, signal }: NeighbourOptions = {},
): Promise<Uint8Array> {
  const compute = given ?? (await chooseCompute({ device: "auto", precision: "auto" }));
  return withCleanup(async (cleanup) => {
    const { encoder, config } = loadEncoder(run);
    cleanup.push(() => encoder.dispose());
    const store = await openPixels(spreadOver(set, SEARCHED), { size: config.imageSize, signal });
    cleanup.push(() => store.close());
    if (new Set(store.digests).size < 2) throw new UsageError("Neighbours need at least two different images.");
    encoder.to({ device: compute.device, memoryFormat: "channels_last" });
    const { [OUTPUT]: output } = await encoderFeatures(encoder, store, compute, { only: [OUTPUT], signal });
    cleanup.push(() => output?.dispose());
    const shown = [...evenly(rows, store.length)];
    const nearest = scope(() => {
      const features = normalize(output as Tensor); // (N, D), length 1
      return shown.map((i) => features.matmul(features.select(0, i)).toArray());
    });
    const cells: SheetCell[] = [];
    for (const [row, i] of shown.entries()) {
      const similar = nearestTo(i, nearest[row] as number[], store.digests).slice(0, count);
      for (const { at, similarity } of [{ at: i, similarity: undefined }, ...similar]) {
        const caption = similarity === undefined ? "this image" : similarity.toFixed(2);
        cells.push({ pixels: await store.get([at]), width: store.size, height: store.size, caption });
      }
    }
    return await contactSheet(cells, 1 + Math.min(count, new Set(store.digests).size - 1));
  });
}

/** The other images by decreasing similarity, each content once. */
function nearestTo(own: number, similarities: readonly number[], digests: readonly string[]) {
  const seen = new Set([digests[own]]);
  return similarities
    .map((similarity, at) => ({ at, similarity }))
    .sort((a, b) => b.similarity - a.similarity)
    .filter(({ at }) => !seen.has(digests[at]) && seen.add(digests[at]));
}
